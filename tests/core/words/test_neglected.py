from __future__ import annotations

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.core.words.neglected import emphasize, find_neglected
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
    ],
)
def test_emphasis_on_exactly_these_words(prompt: str, words: list[str], expected: str) -> None:
    assert emphasize(prompt, words, 1.3) == expected


@given(st.text(alphabet="ab ():.,1\\é猫", max_size=30), st.lists(st.sampled_from(["a", "b", "ab", "猫"]), max_size=3))
def test_emphasis_only_adds_notation(prompt: str, words: list[str]) -> None:
    def letters(text: str) -> str:
        return "".join(c for c in text if c.isalpha())

    assert letters(emphasize(prompt, words, 1.3)) == letters(prompt)
