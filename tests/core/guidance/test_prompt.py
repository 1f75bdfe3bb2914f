from __future__ import annotations

import time

import pytest
from clip_explainability.core.errors import InputError
from clip_explainability.core.guidance.prompt import candidate_words, parse_prompt
from clip_explainability.core.towers.tokens import tokenize, word_spans
from hypothesis import given
from hypothesis import strategies as st
from tiny_clips import tiny_clip


@pytest.mark.parametrize(
    ("prompt", "text", "marked"),
    [
        ("a cat and a [bench]", "a cat and a bench", ["bench"]),
        ("a [red car] by [night]", "a red car by night", ["red", "car", "night"]),
        ("(a cat:1.3), ((fog)), [dog:0.5]", "a cat, fog, dog:0.5", ["dog", "0", "5"]),
        ("embedding:bad.pt a cat", "a cat", []),
        (r"a sign \(old\) and \[x\]", "a sign (old) and [x]", []),
        ("  a   cat ", "a cat", []),
        ("(a cat:.5) (a dog:+2) (ratio 1:2)", "a cat a dog ratio 1", []),
        ("", "", []),
    ],
)
def test_notation(prompt: str, text: str, marked: list[str]) -> None:
    parsed = parse_prompt(prompt)
    words = [parsed.text[a:b] for a, b in word_spans(parsed.text)]
    assert parsed.text == text
    assert [word for word, flag in zip(words, parsed.marked, strict=True) if flag] == marked


@given(st.text(alphabet="ab [](){}:.,1\\ é猫", max_size=40))
def test_any_text_parses_with_a_flag_for_every_word(prompt: str) -> None:
    parsed = parse_prompt(prompt)
    assert len(parsed.marked) == len(word_spans(parsed.text))


def test_a_long_number_is_read_in_no_time() -> None:
    start = time.process_time()
    assert parse_prompt("a cat:" + "1" * 60_000).text.startswith("a cat:1")
    assert time.process_time() - start < 2


def test_candidates() -> None:
    clip = tiny_clip("vit-cls")
    parsed = parse_prompt("a photo of a Dog and a [bench]")
    tokens = tokenize(clip, [parsed.text])
    names = [word.text for word in tokens.words[0]]

    def chosen(choice: str) -> list[str]:
        flags = candidate_words(parsed, tokens, choice)  # type: ignore[arg-type]
        return [name for name, flag in zip(names, flags.tolist(), strict=True) if flag]

    assert chosen("neglected") == chosen("all") == ["dog", "bench"]
    assert chosen("marked") == ["bench"]


def test_marked_without_marks_says_how_to_mark() -> None:
    parsed = parse_prompt("a cat")
    with pytest.raises(InputError, match="square brackets"):
        candidate_words(parsed, tokenize(tiny_clip("vit-cls"), ["a cat"]), "marked")
