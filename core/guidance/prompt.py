"""The prompt as users write it: ``a cat and a [bench], (fog:1.3)``."""

from __future__ import annotations

import string
from dataclasses import dataclass

import torch

from ..errors import InputError
from ..explain import check_prompts
from ..towers.source_text import Span
from ..towers.tokens import TokenBatch, word_spans
from ..words.notation import read_notation
from ..words.nouns import are_content_words
from .word_loss import WordChoice


@dataclass(frozen=True)
class MarkedPrompt:
    """A prompt without its notation, and what stood in square brackets.

    Attributes:
        text: what CLIP reads: without brackets, emphasis ``(word:1.3)`` and the rest of :mod:`..words.notation`.
        inside: for every character of the text whether it was in square brackets.
        origin: for every character of the text its index in the prompt as it was written.
    """

    text: str
    inside: tuple[bool, ...]
    origin: tuple[int, ...]

    @property
    def marked(self) -> tuple[bool, ...]:
        """For every word of the text (as :func:`.tokens.word_spans` finds them) whether it was in brackets."""
        return tuple(map(self.is_marked, word_spans(self.text)))

    def is_marked(self, span: Span) -> bool:
        """Whether any character of a span of the text was in square brackets."""
        return any(self.inside[slice(*span)])

    def as_written(self, span: Span) -> Span:
        """Where a span of the text (not empty) stands in the prompt as it was written."""
        return self.origin[span[0]], self.origin[span[1] - 1] + 1


def parse_prompt(prompt: str) -> MarkedPrompt:
    """Take marks and ComfyUI's notation out of a prompt. Backslashes keep brackets: ``\\[`` and ``\\(``."""
    notation = read_notation(prompt)
    shown = notation.shown
    kept: list[int] = []
    for index, character in enumerate(shown):
        if character and not (character.isspace() and (not kept or shown[kept[-1]].isspace())):
            kept.append(index)
    if kept and shown[kept[-1]].isspace():
        kept.pop()
    return MarkedPrompt("".join(shown[i] for i in kept), tuple(notation.marked[i] for i in kept), tuple(kept))


def readable_prompt(prompt: str, name: str = "prompt") -> MarkedPrompt:
    """:func:`parse_prompt` of a prompt that must say something to CLIP.

    Raises:
        InputError: it is empty, or notation alone.
    """
    parsed = parse_prompt(prompt)
    if prompt.strip("()[]" + string.whitespace) and not parsed.text:
        raise InputError(
            f"{name} holds notation alone (embeddings, LoRA tags, wildcards, comments), which CLIP can't read: "
            f"{prompt.strip()[:60]!r}; write what the picture shows in words"
        )
    check_prompts([parsed.text], name)
    return parsed


def candidate_words(prompt: MarkedPrompt, tokens: TokenBatch, choice: WordChoice) -> torch.Tensor:
    """Which words of the tokenized prompt the word loss may raise: bool ``[words]``.

    Raises:
        InputError: marked words are asked for and none is marked.
    """
    words = tokens.words[0]
    if choice != "marked":
        return torch.tensor(are_content_words(words, prompt.text), dtype=torch.bool)
    if not any(prompt.marked):
        raise InputError(
            "prompt has no marked word, but words is 'marked'; put square brackets around those that must not be "
            "left behind, as in 'a cat and a [bench]', or choose 'neglected'"
        )
    return torch.tensor([prompt.is_marked(word.span) for word in words], dtype=torch.bool)
