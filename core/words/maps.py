"""Which words of the prompts get a map of their own: each is one prompt more in the same pass over the image."""

from __future__ import annotations

from typing import Literal, get_args

from ..methods import METHODS, MapOptions
from .nouns import is_content_word

WordMaps = Literal["auto", "all", "off"]
CHOICES: tuple[str, ...] = get_args(WordMaps)
MOST_WORDS = 96

# Time that "auto" may add, and what things take, both in passes of one image through the tower: measured on ViT-B/32
# and on the demo CLIP (benchmarks/word_maps_cost.py).
_MAY_ADD = 0.3
_BACKWARD_PASS = 0.2
_TEXT = 0.2


def most_words(choice: WordMaps, method: str, options: MapOptions, prompts: int, depth: int) -> int:
    """How many words may have a map. ``"auto"``: as many as keep a run well below one and a half times its time.

    Args:
        options: ``blocks`` shortens the backward pass of ``relevancy``.
        prompts: how many there are: what the words' time is compared with.
        depth: blocks of the image tower.
    """
    if choice == "off":
        return 0
    if choice == "all":
        return MOST_WORDS
    per_text = METHODS[method].backward_passes * _BACKWARD_PASS
    if method == "relevancy" and options.blocks:
        per_text *= min(options.blocks, depth) / max(depth, 1)
    run = 1 + prompts * (per_text + _TEXT)
    return min(int(_MAY_ADD * run / (per_text + _TEXT / 5)), MOST_WORDS)


def choose_words(
    prompts: tuple[tuple[str, ...], ...], most: int
) -> tuple[tuple[str, ...], tuple[tuple[int | None, ...], ...]]:
    """The content words that get a map: the first of every prompt, then the second of every prompt, and so on.

    Args:
        prompts: the words of each prompt.

    Returns:
        The chosen words, each once however often it is written, and for each word of each prompt its place among
        them, or None.
    """
    chosen: dict[str, int] = {}
    content = [[word.lower() for word in words if is_content_word(word)] for words in prompts]
    for place in range(max(map(len, content), default=0)):
        for words in content:
            if place < len(words) and len(chosen) < most:
                chosen.setdefault(words[place], len(chosen))
    places = tuple(
        tuple(chosen.get(word.lower()) if is_content_word(word) else None for word in words) for words in prompts
    )
    return tuple(chosen), places
