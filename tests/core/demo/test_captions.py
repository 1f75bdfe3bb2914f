"""Captions talk like the web, but never name a class that isn't in the scene."""

import numpy as np
import pytest
from clip_explainability.core.demo import art, backgrounds, captions


def forms(label: str) -> set[str]:
    return {label, captions.plural(label), captions.SYNONYMS.get(label, label)}


def written(count: int = 400) -> list[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    rng = np.random.default_rng(0)
    scenes = []
    for _ in range(count):
        labels = tuple(str(n) for n in rng.choice(art.class_names(), rng.integers(1, 4), replace=False))
        facts = captions.SceneFacts(labels, backgrounds.KINDS[rng.integers(len(backgrounds.KINDS))])
        scenes.append((labels, *captions.write_caption(rng, facts)))
    return scenes


def test_a_caption_names_the_classes_it_says_and_no_others() -> None:
    for labels, text, named in written():
        words = set(text.replace(",", "").split())
        companions = {other for label in labels for other in captions.COMPANIONS[label]}
        assert set(named) <= set(labels) | companions
        for label in art.class_names():
            assert bool(words & forms(label)) == (label in named), (text, label)


def test_few_captions_are_careless_and_only_chatty_ones() -> None:
    careless = [text for labels, text, named in written() if not set(named) <= set(labels)]
    assert 0.02 < len(careless) / len(list(written())) < 0.25
    assert not any(text.startswith(("a photo of", "a picture of")) for text in careless)


def test_some_captions_leave_objects_out_and_some_name_them_all() -> None:
    several = [(labels, named) for labels, _, named in written() if len(labels) > 1]
    partial = np.mean([len(named) < len(labels) for labels, named in several])
    assert 0.2 < partial < 0.8


def test_a_swapped_noun_names_the_stranger_instead() -> None:
    rng = np.random.default_rng(1)
    wrong, gone = captions.swap_noun(rng, "a dog and an owl", ("dog", "owl"), "apple")
    assert {wrong, gone} in ({"an apple and an owl", "dog"}, {"a dog and an apple", "owl"})


@pytest.mark.parametrize("template", captions.TEMPLATES)
def test_templates_take_a_class_name(template: str) -> None:
    assert "owl" in captions.fill(template, "owl").split()


def test_the_plain_template_is_among_them() -> None:
    assert captions.TEMPLATES[0] == captions.PLAIN_TEMPLATE == "a photo of a {}"


def test_every_class_has_a_home() -> None:
    assert set(captions.HABITAT_OF) == set(art.class_names())


def test_articles_fit() -> None:
    assert captions.fill("a photo of a {}", "umbrella") == "a photo of an umbrella"
    assert captions.with_article("an dog and a owl") == "a dog and an owl"
