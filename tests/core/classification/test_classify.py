import gc
import json

import pytest
import torch
from classification_worlds import CLASSES, TEMPLATES, random_images
from clip_explainability.core.classification import classify as module
from clip_explainability.core.classification import winning_maps as winning_maps_module
from clip_explainability.core.classification.cache import FeatureCache
from clip_explainability.core.classification.class_prompts import LearningSettings
from clip_explainability.core.classification.classes import ClassList, parse_classes
from clip_explainability.core.classification.classify import Classification, Prompting, classify
from clip_explainability.core.classification.ensembles import ENSEMBLES, Ensemble
from clip_explainability.core.classification.prompt_learning import PromptLearner
from clip_explainability.core.classification.results import (
    UNSURE,
    read_selection,
    scores_report,
    select_images,
)
from clip_explainability.core.classification.winning_maps import winning_maps
from clip_explainability.core.classification.zero_shot import encode_images
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.errors import InputError
from clip_explainability.core.explain import explain
from tiny_clips import tiny_clip

PROMPTING = Prompting(ClassList(CLASSES), TEMPLATES)
IMAGES = random_images(4)


@pytest.fixture
def clip() -> ExplainableCLIP:
    return tiny_clip("vit-cls")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the encoders that were run, in order."""
    calls: list[str] = []
    for name in ("encode_classes", "encode_images", "class_word_shares"):
        original = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *a, _name=name, _run=original, **k: (calls.append(_name), _run(*a, **k))[1]
        )
    return calls


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_the_same_inputs_give_the_same_scores(clip: ExplainableCLIP, ensemble: Ensemble) -> None:
    first, second = (classify(clip, IMAGES, PROMPTING, ensemble) for _ in range(2))
    assert torch.equal(first.scores.probabilities, second.scores.probabilities)
    assert first.names == PROMPTING.classes.names


def test_temperature_ensemble_and_repetition_encode_nothing_again(clip: ExplainableCLIP, encoded: list[str]) -> None:
    cache = FeatureCache()
    classify(clip, IMAGES, PROMPTING, cache=cache)
    assert encoded == ["encode_images", "encode_classes"]
    for ensemble in ENSEMBLES[:4]:
        classify(clip, IMAGES, PROMPTING, ensemble, temperature=2.0, cache=cache)
    assert encoded == ["encode_images", "encode_classes"]
    for temperature in (1.0, 3.0):
        classify(clip, IMAGES, PROMPTING, "explainability-weighted", temperature, cache=cache)
    assert encoded == ["encode_images", "encode_classes", "class_word_shares"]


def test_other_images_do_not_encode_the_text_again_nor_other_classes_the_images(
    clip: ExplainableCLIP, encoded: list[str]
) -> None:
    cache = FeatureCache()
    classify(clip, IMAGES, PROMPTING, cache=cache)
    classify(clip, random_images(2), PROMPTING, cache=cache)
    classify(clip, IMAGES, Prompting(parse_classes("a\nb"), TEMPLATES), cache=cache)
    assert encoded == ["encode_images", "encode_classes", "encode_images", "encode_classes"]


def test_another_clip_or_fit_is_not_served_from_the_cache(clip: ExplainableCLIP, encoded: list[str]) -> None:
    cache = FeatureCache()
    classify(clip, IMAGES, PROMPTING, cache=cache)
    classify(tiny_clip("vit-cls", seed=1), IMAGES, PROMPTING, cache=cache)
    classify(clip, IMAGES, PROMPTING, fit="stretch", cache=cache)
    assert encoded == ["encode_images", "encode_classes"] * 2 + ["encode_images"]


def test_the_cache_keeps_images_no_longer_than_they_live(clip: ExplainableCLIP) -> None:
    cache, images = FeatureCache(), random_images(1)
    cache.of_images(clip, images, "key", lambda: torch.zeros(1))
    assert len(cache._of_images) == 1
    del images
    gc.collect()
    assert len(cache._of_images) == 0


def test_the_cache_forgets_the_least_recently_used_text_first(clip: ExplainableCLIP) -> None:
    cache, made = FeatureCache(limit=8), []

    def get(key: str) -> None:
        cache.of_text(clip, key, lambda: (made.append(key), torch.zeros(1))[1])  # four bytes each

    for key in "ababcbca":
        get(key)
    assert made == ["a", "b", "c", "a"]


def test_a_single_image_scores_as_it_does_in_a_batch(clip: ExplainableCLIP) -> None:
    for ensemble in ("mean of embeddings", "mean of logits", "majority vote", "explainability-weighted"):
        batch = classify(clip, IMAGES, PROMPTING, ensemble).scores.probabilities
        single = classify(clip, IMAGES[1:2], PROMPTING, ensemble).scores.probabilities
        torch.testing.assert_close(single[0], batch[1], atol=1e-5, rtol=0)


def test_learned_prompts_take_the_templates_place(clip: ExplainableCLIP) -> None:
    features = encode_images(clip, IMAGES[:2])
    settings = LearningSettings(context_tokens=2, epochs=1)
    learned = PromptLearner(clip, ("dog", "snail"), features, torch.tensor([0, 1]), settings).prompts()
    prompting = Prompting(PROMPTING.classes, TEMPLATES, learned)
    for ensemble in ENSEMBLES:
        found = classify(clip, IMAGES, prompting, ensemble)
        assert (found.scores.agreement == 1).all()
    assert found.names == PROMPTING.classes.names
    plain = classify(clip, IMAGES, PROMPTING)
    assert not torch.allclose(found.scores.probabilities, plain.scores.probabilities)


def test_learned_prompts_of_another_clip_are_refused(clip: ExplainableCLIP) -> None:
    import dataclasses

    settings = LearningSettings(context_tokens=2, epochs=1)
    learner = PromptLearner(clip, ("a", "b"), encode_images(clip, IMAGES[:2]), torch.tensor([0, 1]), settings)
    foreign = dataclasses.replace(learner.prompts(), fingerprint="other")
    with pytest.raises(InputError, match="the weights differ"):
        classify(clip, IMAGES, Prompting(PROMPTING.classes, TEMPLATES, foreign))


def test_the_report_is_json_with_everything_in_it(clip: ExplainableCLIP) -> None:
    found = classify(clip, IMAGES, Prompting(parse_classes("dog\ncat\ndog\nsnail"), TEMPLATES))
    report = json.loads(json.dumps(scores_report(found, top_k=2)))
    assert report["classes"] == ["dog", "cat", "snail"]
    assert "more than once" in report["warnings"][0]
    for image, probabilities in zip(report["images"], found.scores.probabilities.tolist(), strict=True):
        assert image["probabilities"] == pytest.approx(probabilities, abs=1e-6)
        assert image["label"] == image["top"][0]["label"]
        assert image["probability"] == max(image["probabilities"])
        assert len(image["top"]) == 2
        first, second = (entry["probability"] for entry in image["top"])
        assert image["margin"] == pytest.approx(first - second, abs=1e-5)


def test_selected_images_are_grouped_by_class_and_unsure_ones_apart(clip: ExplainableCLIP) -> None:
    found = classify(clip, IMAGES, PROMPTING)
    everything = select_images(found)
    assert everything["unsure"] == []
    assert sorted(i for group in everything["classes"].values() for i in group) == [0, 1, 2, 3]
    assert list(everything["classes"]) == [n for n in found.names if n in everything["classes"]]
    nothing = select_images(found, threshold=1.1)
    assert nothing["classes"] == {}
    assert read_selection(nothing, 4) == {UNSURE: [0, 1, 2, 3]}
    assert read_selection(everything, 4) == everything["classes"]


@pytest.mark.parametrize("selected", [None, "dog", {}, {"classes": 3, "unsure": [], "count": 4}])
def test_a_selection_that_is_none_is_refused(selected: object) -> None:
    with pytest.raises(InputError, match="connect its 'selected' output"):
        read_selection(selected, 4)


def test_a_selection_of_other_images_is_refused(clip: ExplainableCLIP) -> None:
    selected = select_images(classify(clip, IMAGES, PROMPTING))
    with pytest.raises(InputError, match="4 images and 3 came in"):
        read_selection(selected, 3)


@pytest.mark.parametrize("family", ["vit-cls", "siglip", "resnet"])
def test_each_map_is_the_one_that_explain_gives_for_the_winning_class(family: str) -> None:
    clip = tiny_clip(family)
    images = random_images(3, *clip.image_size)
    found = classify(clip, images, Prompting(PROMPTING.classes, ("a photo of a {}",)))
    maps = winning_maps(clip, images, found.scores.top, found.scores.class_vectors)
    for index, winner in enumerate(found.scores.top.tolist()):
        prompt = f"a photo of a {found.names[winner]}"
        expected = explain(clip, images[index : index + 1], [prompt]).maps[0, 0]
        torch.testing.assert_close(maps[index], expected, atol=1e-5 * float(expected.abs().max() + 1), rtol=1e-3)


def test_maps_of_a_cropped_image_cover_all_of_it(clip: ExplainableCLIP) -> None:
    images = random_images(2, 40, 90)
    found = classify(clip, images, PROMPTING)
    seen: list[tuple[int, int]] = []
    maps = winning_maps(
        clip, images, found.scores.top, found.scores.class_vectors, report=lambda *step: seen.append(step)
    )
    assert maps.shape == (2, 40, 90)
    assert seen[-1] == (2, 2)
    assert maps.isfinite().all()


def test_a_method_that_lacks_what_it_needs_is_refused_before_any_work(
    clip: ExplainableCLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = random_images(1, *clip.image_size)
    found = classify(clip, images, PROMPTING)
    monkeypatch.setattr(winning_maps_module, "cut_view", lambda *_: pytest.fail("a view was cut"))
    with pytest.raises(InputError, match="needs a projection trained for"):
        winning_maps(clip, images, found.scores.top, found.scores.class_vectors, "eclip")


def names_of(found: Classification) -> list[str]:
    return [found.names[i] for i in found.scores.top.tolist()]


def test_the_order_of_classes_changes_no_label(clip: ExplainableCLIP) -> None:
    straight = names_of(classify(clip, IMAGES, PROMPTING))
    assert names_of(classify(clip, IMAGES, Prompting(ClassList(CLASSES[::-1]), TEMPLATES[::-1]))) == straight
