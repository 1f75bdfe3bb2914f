from __future__ import annotations

import time

import pytest
from clip_explainability.core.errors import InputError
from clip_explainability.core.guidance.prompt import candidate_words, parse_prompt, readable_prompt
from clip_explainability.core.towers.tokens import tokenize, word_spans
from hypothesis import given
from hypothesis import strategies as st
from tiny_clips import tiny_clip


@pytest.mark.parametrize(
    ("prompt", "text", "marked"),
    [
        ("a cat and a [bench]", "a cat and a bench", ["bench"]),
        ("a [red car] by [night]", "a red car by night", ["red", "car", "night"]),
        ("(a cat:1.3), ((fog)), [dog]", "a cat, fog, dog", ["dog"]),
        ("embedding:bad.pt a cat", "a cat", []),
        (r"a sign \(old\) and \[x\]", "a sign (old) and [x]", []),
        ("  a   cat ", "a cat", []),
        ("(a cat:.5) (a dog:+2) (ratio 1:2)", "a cat a dog ratio 1", []),
        ("", "", []),
        ("<lora:x/y:0.8> a cat, (embedding:a/b-v2:1.2)", "a cat,", []),
        ("a {red|blue} car, {old} __place__", "a car, old", []),
        ("[cat:dog:0.5] and [fog:0.3], [rain::4] [sun|moon]", "dog and fog, sun moon", ["dog", "fog", "sun", "moon"]),
        ("a cat :1.2 AND a dog :0.8 BREAK fog", "a cat a dog fog", []),
        ("a cat /* not (a dog */ on // grass\n# a note\na mat", "a cat on a mat", []),
        ("see https://a.b/c, (bench :1.2)", "see https://a.b/c, bench", []),
        ("long_hair, 猫, ｄｏｇ’s", "long_hair, 猫, ｄｏｇ’s", []),
        ("A CAT AND A DOG", "A CAT AND A DOG", []),
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


@pytest.mark.parametrize("prompt", ["embedding:oil", "{a cat|a dog}", "<lora:x:1>", "// a note", "[cat::0.5]"])
def test_notation_alone_is_refused_as_such(prompt: str) -> None:
    with pytest.raises(InputError, match="notation alone"):
        readable_prompt(prompt)


@pytest.mark.parametrize("piece", ["(", "[", "{", "[a:", "/*", "__", "<a:", "embedding:", ":", "[a:b:0.5]", "{a|"])
def test_much_notation_is_read_in_no_time(piece: str) -> None:
    start = time.process_time()
    parse_prompt("a cat " + piece * 5000 + ")]}" * 2000)
    assert time.process_time() - start < 5


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
