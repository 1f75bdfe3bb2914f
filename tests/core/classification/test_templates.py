import pytest
from clip_explainability.core.classification.templates import (
    PRESETS,
    choose_templates,
    fill,
    parse_templates,
    preset_templates,
)
from clip_explainability.core.errors import InputError
from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES


def test_the_80_imagenet_templates_are_open_clips() -> None:
    templates = preset_templates("imagenet 80")
    assert len(templates) == 80
    for ours, theirs in zip(templates, OPENAI_IMAGENET_TEMPLATES, strict=True):
        assert fill(ours, "tench") == theirs("tench")


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "custom"])
def test_every_preset_takes_the_class_name(preset: str) -> None:
    templates = choose_templates(preset, "ignored")
    assert templates
    assert len(set(templates)) == len(templates)
    assert all(fill(template, "dog").count("dog") == 1 for template in templates)


def test_none_is_the_class_name_alone() -> None:
    assert [fill(t, "dog") for t in preset_templates("none")] == ["dog"]


def test_custom_templates_skip_empty_lines_and_keep_repeats() -> None:
    text = "a {}\n\n  the {} and its {}  \na {}"
    assert choose_templates("custom", text) == ("a {}", "the {} and its {}", "a {}")


def test_a_template_without_a_place_for_the_name_is_a_clear_error() -> None:
    with pytest.raises(InputError, match=r"'a photo' has no \{\}; put \{\} where the class name goes"):
        parse_templates("a {}\na photo")


def test_no_custom_template_is_a_clear_error() -> None:
    with pytest.raises(InputError, match="custom templates is empty"):
        choose_templates("custom", " \n")


def test_an_unknown_preset_is_a_clear_error() -> None:
    with pytest.raises(InputError, match="choose one of: none, simple"):
        preset_templates("imagenet")


@pytest.mark.parametrize("name", ["{0}", "100%", "{", "a}b{c"])
def test_braces_and_percents_in_a_name_are_just_characters(name: str) -> None:
    assert fill("a {} {x}", name) == f"a {name} {{x}}"
