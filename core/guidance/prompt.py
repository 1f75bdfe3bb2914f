"""The prompt as users write it: ``a cat and a [bench], (fog:1.3)``."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from ..errors import InputError
from ..towers.source_text import Span
from ..towers.tokens import TokenBatch, word_spans
from ..words.nouns import are_content_words
from .word_loss import WordChoice

_EMPHASIS = re.compile(r":\s*[+-]?(?:\d+(?:\.\d+)?|\.\d+)\s*(?=\))")
_EMBEDDING = re.compile(r"embedding:\S+", re.IGNORECASE)
_ESCAPED = re.compile(r"\\[()\[\]]")


@dataclass(frozen=True)
class MarkedPrompt:
    """A prompt without its notation, and what stood in square brackets.

    Attributes:
        text: what CLIP reads: without brackets, emphasis ``(word:1.3)`` and ``embedding:name``.
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
    dropped = {i for notation in (_EMPHASIS, _EMBEDDING) for found in notation.finditer(prompt) for i in _range(found)}
    escaped = {found.end() - 1 for found in _ESCAPED.finditer(prompt)}
    kept, inside, depth = [], [], 0
    for index, character in enumerate(prompt):
        if index in dropped or index + 1 in escaped:
            continue
        if index not in escaped and character in "()[]":
            depth = max(0, depth + {"[": 1, "]": -1}.get(character, 0))
        elif not character.isspace() or (kept and not prompt[kept[-1]].isspace()):
            kept.append(index)
            inside.append(depth > 0)
    if kept and prompt[kept[-1]].isspace():
        kept.pop()
    return MarkedPrompt("".join(prompt[i] for i in kept), tuple(inside[: len(kept)]), tuple(kept))


def _range(found: re.Match[str]) -> range:
    return range(*found.span())


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
