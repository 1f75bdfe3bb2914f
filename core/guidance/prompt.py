"""The prompt as users write it: ``a cat and a [bench], (fog:1.3)``."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from ..errors import InputError
from ..towers.tokens import TokenBatch, word_spans
from ..words.nouns import is_content_word
from .word_loss import WordChoice

_EMPHASIS = re.compile(r":\s*[+-]?(?:\d+(?:\.\d+)?|\.\d+)\s*(?=\))")
_EMBEDDING = re.compile(r"embedding:\S+", re.IGNORECASE)
_ESCAPED = {r"\(": "\ue000", r"\)": "\ue001", r"\[": "\ue002", r"\]": "\ue003"}


@dataclass(frozen=True)
class MarkedPrompt:
    """A prompt without its notation, and the words that stood in square brackets.

    Attributes:
        text: what CLIP reads: without brackets, emphasis ``(word:1.3)`` and ``embedding:name``.
        marked: for every word of the text (as :func:`.tokens.word_spans` finds them) whether it was in brackets.
    """

    text: str
    marked: tuple[bool, ...]


def parse_prompt(prompt: str) -> MarkedPrompt:
    """Take marks and ComfyUI's notation out of a prompt. Backslashes keep brackets: ``\\[`` and ``\\(``."""
    for escaped, stand_in in _ESCAPED.items():
        prompt = prompt.replace(escaped, stand_in)
    prompt = _EMBEDDING.sub(" ", _EMPHASIS.sub("", prompt))
    text, inside, depth = [], [], 0
    for character in prompt:
        if character == "[":
            depth += 1
        elif character == "]":
            depth = max(0, depth - 1)
        elif character not in "()":
            text.append(character)
            inside.append(depth > 0)
    joined = "".join(text)
    for escaped, stand_in in _ESCAPED.items():
        joined = joined.replace(stand_in, escaped[1])
    kept = [i for i in range(len(joined)) if not joined[i].isspace() or (i and not joined[i - 1].isspace())]
    clean, flags = "".join(joined[i] for i in kept), [inside[i] for i in kept]
    stripped = clean.strip()
    offset = len(clean) - len(clean.lstrip())
    return MarkedPrompt(stripped, tuple(any(flags[offset + a : offset + b]) for a, b in word_spans(stripped)))


def candidate_words(prompt: MarkedPrompt, tokens: TokenBatch, choice: WordChoice) -> torch.Tensor:
    """Which words of the tokenized prompt the word loss may raise: bool ``[words]``.

    Raises:
        InputError: marked words are asked for and none is marked.
    """
    words = tokens.words[0]
    if choice != "marked":
        return torch.tensor([is_content_word(word.text) for word in words], dtype=torch.bool)
    if not any(prompt.marked):
        raise InputError(
            "prompt has no marked word, but words is 'marked'; put square brackets around those that must not be "
            "left behind, as in 'a cat and a [bench]', or choose 'neglected'"
        )
    # The tokenizer may clean the text (entities, case); its words are the same in number except in rare cases.
    flags = [*prompt.marked, *[False] * len(words)][: len(words)]
    return torch.tensor(flags, dtype=torch.bool)
