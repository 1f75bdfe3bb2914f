from __future__ import annotations

import pytest
from clip_explainability.core.words.nouns import is_content_word


@pytest.mark.parametrize("word", ["cat", "Bench", "red", "running", "猫", "niño", "T-shirt", "ox", "château"])
def test_words_that_a_picture_can_show(word: str) -> None:
    assert is_content_word(word)


@pytest.mark.parametrize("word", ["a", "The", "of", "and", "on", "is", "it’s", "masterpiece", "8k", "photo", "35", "x"])
def test_words_that_it_can_not(word: str) -> None:
    assert not is_content_word(word)
