import pytest
from clip_explainability.core.classification.classes import ClassName, from_names, parse_classes
from clip_explainability.core.errors import InputError
from hypothesis import given
from hypothesis import strategies as st


def test_one_class_a_line_with_or_without_synonyms() -> None:
    parsed = parse_classes("dog\n\n  sofa =  couch ,settee,, \n\tice   cream\n")
    assert parsed.classes == (ClassName("dog"), ClassName("sofa", ("couch", "settee")), ClassName("ice cream"))
    assert parsed.names == ("dog", "sofa", "ice cream")
    assert parsed.warnings == ()


def test_a_single_class_is_a_class_list() -> None:
    assert parse_classes("dog").names == ("dog",)


def test_a_class_listed_twice_is_one_class_and_said_so() -> None:
    parsed = parse_classes("dog\ncat = tabby\nDog = hound\ncat")
    assert parsed.classes == (ClassName("dog", ("hound",)), ClassName("cat", ("tabby",)))
    assert any("'Dog'" in warning for warning in parsed.warnings)
    assert any("'cat'" in warning for warning in parsed.warnings)


def test_a_name_repeated_as_its_own_synonym_counts_once() -> None:
    assert parse_classes("dog = Dog, hound, HOUND").classes == (ClassName("dog", ("hound",)),)


def test_a_synonym_of_two_classes_is_warned_of() -> None:
    warnings = parse_classes("crane = bird\nheron = bird").warnings
    assert len(warnings) == 1
    assert "'crane'" in warnings[0]
    assert "'heron'" in warnings[0]


@pytest.mark.parametrize("text", ["", "\n \n\t"])
def test_no_class_at_all_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="classes is empty; write one class a line"):
        parse_classes(text)


def test_a_line_without_a_name_is_an_error_that_names_the_line() -> None:
    with pytest.raises(InputError, match="line 2 is '= couch'"):
        parse_classes("dog\n = couch")


def test_names_from_folders_may_hold_any_character() -> None:
    assert from_names(["n01 = dog", "cat"]).names == ("n01 dog", "cat")


@given(st.text())
def test_any_text_gives_distinct_names_or_a_clear_error(text: str) -> None:
    try:
        names = parse_classes(text).names
    except InputError:
        return
    assert names
    assert all(name.strip() == name and name for name in names)
    assert len({name.casefold() for name in names}) == len(names)


def test_one_line_with_commas_is_warned_of() -> None:
    assert "write one class a line" in parse_classes("dog, cat").warnings[0]
    assert parse_classes("tench, Tinca tinca\ngoldfish, Carassius").warnings == ()


def test_a_name_typed_and_the_same_name_of_a_mac_s_folder_are_one_class() -> None:
    assert parse_classes("caf\u00e9\ncafe\u0301").names == ("caf\u00e9",)
