"""Interface texts in every language, checked against the nodes: nothing missing, stale, or of old English."""

from __future__ import annotations

import re

import pytest

import locales

LANGUAGES = ["ja", "zh"]
SOURCE = dict(locales.leaves(locales.english()))
# Characters that vue-i18n's message syntax gives a meaning; a text with one would break or change in some frontends.
SYNTAX = re.compile(r"[@{}|\\]")
ASIAN = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
KEPT = re.compile(r"\d+(?:\.\d+)?|(?<!\w)'[a-z_:]+'(?!\w)|models/\w+")  # numbers, names of widgets and choices, folders


def test_the_languages_are_these() -> None:
    assert locales.languages() == LANGUAGES


def test_english_is_what_the_code_says() -> None:
    """If this fails: python scripts/locales.py, and mend what it names."""
    assert locales.read("en") == locales.english()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_complete_and_current(language: str) -> None:
    """If this fails: python scripts/locales.py says what to translate; then run it with --translated."""
    assert locales.problems(language, SOURCE) == []


def test_the_record_of_translations_has_no_other_keys() -> None:
    assert sorted(locales.translated_from()) == sorted(SOURCE)


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_no_text_holds_message_syntax(language: str) -> None:
    texts = locales.leaves(locales.read(language))
    assert [(key, text) for key, text in texts if not text.strip() or SYNTAX.search(text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_translated(language: str) -> None:
    sentences = [(key, text) for key, text in locales.leaves(locales.read(language)) if not key.endswith("/name")]
    assert len(sentences) > 200
    assert [key for key, text in sentences if not ASIAN.search(text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_and_names_survive_translation(language: str) -> None:
    there = dict(locales.leaves(locales.read(language)))
    lost = [(key, part) for key, text in SOURCE.items() for part in KEPT.findall(text) if part not in there[key]]
    assert lost == []


def test_a_changed_english_text_is_noticed() -> None:
    key = "nodeDefs/CLIPRelevancyMap/description"
    assert locales.problems("zh", {**SOURCE, key: SOURCE[key] + " More."}) == [
        f"zh: the English has changed: {key}: {SOURCE[key]} More."
    ]


def test_missing_and_stale_keys_are_noticed() -> None:
    stale = next(iter(SOURCE))
    source = {key: text for key, text in SOURCE.items() if key != stale} | {"nodeDefs/New/description": "New."}
    assert locales.problems("ja", source) == ["ja: missing: nodeDefs/New/description: New.", f"ja: stale: {stale}"]
