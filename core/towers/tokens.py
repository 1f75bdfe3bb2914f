"""Prompts to tokens, with every token's word remembered: users think in words, not in BPE pieces."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

import torch

from ..clip import ExplainableCLIP


@dataclass(frozen=True)
class Word:
    """A word of a prompt and the positions of its tokens in the text tower's sequence."""

    text: str
    positions: tuple[int, ...]


@dataclass(frozen=True)
class TokenBatch:
    """K tokenized prompts.

    Attributes:
        ids: ``[K, context]`` long.
        content: for each prompt, the positions of all tokens between the special ones (punctuation included).
        words: for each prompt its words in order, punctuation left out.
        cut_off: for each prompt the words that did not fit into the context, wholly or in part.
    """

    ids: torch.Tensor
    content: tuple[tuple[int, ...], ...]
    words: tuple[tuple[Word, ...], ...]
    cut_off: tuple[tuple[str, ...], ...]


def tokenize(clip: ExplainableCLIP, prompts: list[str]) -> TokenBatch:
    """Tokenize prompts with the CLIP's own tokenizer and group the tokens into words."""
    ids = clip.tokenizer(prompts)
    read = _read_bpe if hasattr(clip.tokenizer, "byte_decoder") else _read_hugging_face
    rows = [read(clip.tokenizer, prompt, row) for prompt, row in zip(prompts, ids, strict=True)]
    contents, words, cut_off = zip(*rows, strict=True) if rows else ((), (), ())
    return TokenBatch(ids.to(clip.device), tuple(contents), tuple(words), tuple(cut_off))


def truncation_warning(tokens: TokenBatch) -> str | None:
    """A sentence that names the words which the CLIP never saw, or None."""
    parts = [
        f"prompt {index + 1}: {', '.join(words[:12])}{' …' if len(words) > 12 else ''}"
        for index, words in enumerate(tokens.cut_off)
        if words
    ]
    if not parts:
        return None
    return f"longer than the {tokens.ids.shape[1]} tokens this CLIP reads; cut off: {'; '.join(parts)}"


_Row = tuple[tuple[int, ...], tuple[Word, ...], tuple[str, ...]]


def _read_bpe(tokenizer: Any, prompt: str, row: torch.Tensor) -> _Row:
    text = tokenizer.clean_fn(prompt)
    token_ids = tokenizer.encode(prompt)
    spans, cursor = [], 0
    data = text.encode()
    for token in token_ids:
        piece = tokenizer.decoder[token].removesuffix("</w>")
        raw = bytes(tokenizer.byte_decoder[c] for c in piece)
        start = data.find(raw, cursor)
        cursor = start + len(raw)
        spans.append((start, cursor))
    # Start and end tokens take two places. An end token that was typed ends what the CLIP reads.
    end = token_ids.index(tokenizer.eot_token_id) if tokenizer.eot_token_id in token_ids else len(token_ids)
    kept = min(end, len(row) - 2)
    return _group(text, _byte_to_character_spans(data, spans), list(range(1, kept + 1)))


def _read_hugging_face(tokenizer: Any, prompt: str, row: torch.Tensor) -> _Row:
    text = tokenizer.clean_fn(prompt)
    encoded = tokenizer.tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
    spans = [
        span
        for span, special in zip(encoded["offset_mapping"], encoded["special_tokens_mask"], strict=True)
        if not special
    ]
    special = set(tokenizer.tokenizer.all_special_ids)
    positions = [i for i, token in enumerate(row.tolist()) if token not in special]
    return _group(text, spans, positions[: len(spans)])


def _byte_to_character_spans(data: bytes, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """A token may end inside a character (emoji, CJK): it then counts for that whole character."""
    character_at = []
    for index, character in enumerate(data.decode()):
        character_at += [index] * len(character.encode())
    return [(character_at[start], character_at[end - 1] + 1) for start, end in spans]


def _group(text: str, spans: list[tuple[int, int]], positions: list[int]) -> _Row:
    """Assign tokens to words by their character spans; ``positions`` are those of the tokens that were kept."""
    words, cut_off, first = [], [], 0
    for start, end in word_spans(text):
        # Both lists are in order: a word's tokens begin no earlier than those of the word before it.
        while first < len(spans) and spans[first][1] <= start:
            first += 1
        after = first
        while after < len(spans) and spans[after][0] < end:
            after += 1
        tokens = range(first, after)
        kept = tuple(positions[i] for i in tokens if i < len(positions))
        if kept:
            words.append(Word(text[start:end], kept))
        if len(kept) < len(tokens):
            cut_off.append(text[start:end])
    return tuple(positions), tuple(words), tuple(cut_off)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Character spans of the words: runs without white space and punctuation; an apostrophe inside is kept."""
    spans, start = [], None
    for index, character in enumerate([*text, " "]):
        inside = not character.isspace() and not unicodedata.category(character).startswith("P")
        if not inside and character in "'’" and start is not None:
            inside = index + 1 < len(text) and text[index + 1].isalnum()
        if inside and start is None:
            start = index
        elif not inside and start is not None:
            spans.append((start, index))
            start = None
    return spans
