from __future__ import annotations

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.core.words.neglected import emphasize, emphasize_at, find_neglected
from hypothesis import given
from hypothesis import strategies as st
from tiny_clips import tiny_clip


def test_only_content_words_are_neglected_and_only_below_the_threshold() -> None:
    found = find_neglected(tiny_clip("vit-cls"), torch.rand(3, 3, 50, 70), "a (dog:1.2) and a cat on the bench")
    assert found.words == ("a", "dog", "and", "a", "cat", "on", "the", "bench")
    assert found.content == (False, True, False, False, True, False, False, True)
    assert torch.equal(found.neglected, (found.scores < 0.7) & torch.tensor(found.content))
    assert found.scores.shape == (3, 8)


def test_the_threshold_decides() -> None:
    images = torch.rand(1, 3, 64, 64)
    assert not find_neglected(tiny_clip("vit-cls"), images, "dog cat", 0.0).neglected.any()
    assert find_neglected(tiny_clip("vit-cls"), images, "dog cat", 1.0).neglected.any()


def test_a_batch_is_judged_picture_by_picture() -> None:
    images = torch.rand(3, 3, 64, 64)
    together = find_neglected(tiny_clip("vit-cls"), images, "a dog and a cat").scores
    apart = [find_neglected(tiny_clip("vit-cls"), image[None], "a dog and a cat").scores for image in images]
    assert torch.allclose(together, torch.cat(apart), atol=1e-4)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        find_neglected(tiny_clip("vit-cls"), torch.rand(1, 3, 8, 8), " ")


def test_neglected_words_are_found_again_in_the_users_own_text() -> None:
    prompt = "the dog’s ｂｏｎｅ, (cafe\u0301 :1.2) embedding:bone-v2 <lora:dog:1> 猫 &amp; [fog]"
    found = find_neglected(tiny_clip("vit-cls"), torch.rand(1, 3, 32, 32), prompt, 1.0)
    written = {word: prompt[slice(*span)] for word, span in zip(found.words, found.spans, strict=True)}
    assert {"dog’s", "ｂｏｎｅ", "cafe\u0301", "猫", "fog"} <= set(written.values())
    emphasized = emphasize_at(prompt, found.spans, 1.375)
    assert all(f"({word}:1.375)" in emphasized for word in ("dog’s", "ｂｏｎｅ", "猫", "fog"))
    assert "(cafe\u0301 :1.375)" in emphasized
    assert "embedding:bone-v2 <lora:dog:1>" in emphasized


@pytest.mark.parametrize(
    ("prompt", "words", "expected"),
    [
        ("a cat and a bench", ["bench"], "a cat and a (bench:1.3)"),
        ("A Cat, a cat.", ["cat"], "A (Cat:1.3), a (cat:1.3)."),
        ("a (bench:1.1), fog", ["bench"], "a (bench:1.3), fog"),
        ("a (bench)", ["bench"], "a (bench:1.3)"),
        ("(a red bench:1.2)", ["bench"], "(a red (bench:1.3):1.2)"),
        (r"\(bench\)", ["bench"], r"\((bench:1.3)\)"),
        ("embedding:cat a cat", ["cat"], "embedding:cat a (cat:1.3)"),
        ("catfish", ["cat"], "catfish"),
        ("a cat", [], "a cat"),
        ("(bench :1.2)", ["bench"], "(bench :1.3)"),
        ("((bench)) ( cat )", ["bench", "cat"], "((bench:1.3)) ( cat :1.3)"),
        ("embedding:oil_style-v2, a style", ["style"], "embedding:oil_style-v2, a (style:1.3)"),
        ("(embedding:sub/cat:1.2) cat", ["cat"], "(embedding:sub/cat:1.2) (cat:1.3)"),
        ("(cat embedding:x:1.2)", ["cat"], "((cat:1.3) embedding:x:1.2)"),
        (
            "<lora:cat:0.8> {cat|dog} __cat__ [cat:dog:0.5] cat",
            ["cat", "dog"],
            "<lora:cat:0.8> {cat|dog} __cat__ [cat:dog:0.5] (cat:1.3)",
        ),
        ("a cat // no cat\nBREAK cat", ["cat", "BREAK"], "a (cat:1.3) // no cat\nBREAK (cat:1.3)"),
        (
            "the dog’s ｂｏｎｅ, cafe\u0301",
            ["dog's", "bone", "caf\u00e9"],
            "the (dog’s:1.3) (ｂｏｎｅ:1.3), (cafe\u0301:1.3)",
        ),
        ("long_hair, 猫", ["hair", "猫"], "(long_hair:1.3), (猫:1.3)"),
        ("a [bench] by a cat :( a dog", ["bench", "cat", "dog"], "a [(bench:1.3)] by a (cat:1.3) :( a dog"),
    ],
)
def test_emphasis_on_exactly_these_words(prompt: str, words: list[str], expected: str) -> None:
    assert emphasize(prompt, words, 1.3) == expected


def comfy_weights(prompt: str) -> list[tuple[str, float]]:
    """Every character that ComfyUI reads as text, with its weight: an independent reading of its rules."""
    plain = prompt.replace("\\(", "\0").replace("\\)", "\1")

    def read(text: str, weight: float) -> list[tuple[str, float]]:
        found, level, start = [], 0, 0
        for i, character in enumerate(text):
            level += {"(": 1, ")": -1}.get(character, 0)
            if character == "(" and level == 1:
                found.append(text[start:i])
                start = i
            elif character == ")" and level == 0:
                found.append(text[start : i + 1])
                start = i + 1
        read_ones = []
        for part in [*found, text[start:]]:
            if len(part) < 2 or part[0] != "(" or part[-1] != ")":
                read_ones += [(character, weight) for character in part]
                continue
            inner, _, number = part[1:-1].rpartition(":")
            try:
                own = float(number) if inner else None
            except ValueError:
                own = None
            read_ones += read(part[1:-1], weight * 1.1) if own is None else read(inner, own)
        return read_ones

    return read(plain, 1.0)


_PIECES = (
    *(
        "cat",
        "dog",
        "bench",
        "猫",
        "dog’s",
        "ｄｏｇ",
        "cafe\u0301",
        "long_hair",
        "a",
        " ",
        " ",
        ", ",
        "\n",
        "BREAK",
        "AND",
    ),
    *("(", ")", "((", "))", "[", "]", "{", "}", "|", ":", ":1.2)", " :1.1)", "(bench :1.2)", "\\(", "\\)", "/* x */"),
    *("<lora:x:0.8>", "embedding:oil_style-v2", "(embedding:a/b.pt:1.2)", "__cat__", "[cat:dog:0.5]", "{cat|dog}"),
)


@given(
    st.lists(st.sampled_from(_PIECES), max_size=14).map("".join),
    st.lists(st.sampled_from(["cat", "dog", "bench", "猫", "hair", "oil", "x", "dog's"]), min_size=1, max_size=4),
)
def test_emphasis_changes_nothing_but_the_words_weights(prompt: str, words: list[str]) -> None:
    before, after = comfy_weights(prompt), comfy_weights(emphasize(prompt, words, 1.375))
    assert [character for character, _ in before] == [character for character, _ in after]
    assert all(new in (old, 1.375) for (_, old), (_, new) in zip(before, after, strict=True))
