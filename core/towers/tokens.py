"""Prompts to tokens, with every token's word remembered: users think in words, not in BPE pieces.

Words and tokens meet in the text as the tokenizer saw it, by the offsets that it gives its tokens there; each word
also knows where it stands in the prompt as it was given (:mod:`.source_text`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import torch

from ..errors import InputError
from .source_text import Span, clean_with_origin, span_in_source
from .text import is_causal

if TYPE_CHECKING:
    from ..clip import ExplainableCLIP


@dataclass(frozen=True)
class Word:
    """A word of a prompt.

    Attributes:
        text: as the tokenizer saw it: cleaned, mostly lower case ("tshirt" for "T-shirt" in SigLIP).
        positions: of its tokens in the text tower's sequence.
        span: where it stands in the prompt as it was given: ``prompt[span[0] : span[1]]``.
    """

    text: str
    positions: tuple[int, ...]
    span: Span


@dataclass(frozen=True)
class TokenBatch:
    """K tokenized prompts.

    Attributes:
        ids: ``[K, context]`` long.
        content: for each prompt, the positions of all tokens between the tokenizer's marks (punctuation included).
        words: for each prompt its words in order, punctuation left out.
        cut_off: for each prompt the words that did not fit into the context, wholly or in part.
    """

    ids: torch.Tensor
    content: tuple[tuple[int, ...], ...]
    words: tuple[tuple[Word, ...], ...]
    cut_off: tuple[tuple[str, ...], ...]


def tokenize(clip: ExplainableCLIP, prompts: list[str]) -> TokenBatch:
    """Tokenize prompts with the CLIP's own tokenizer and group the tokens into words.

    Raises:
        InputError: the tokenizer gives no offsets (one of transformers' slow ones, or a bare function).
    """
    ids = clip.tokenizer(prompts)
    end = _end_token(clip.tokenizer) if is_causal(clip) else None
    rows = [_read(clip.tokenizer, prompt, row, end) for prompt, row in zip(prompts, ids.tolist(), strict=True)]
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
_Pieces = tuple[list[int], list[Span]]


def _read(tokenizer: Any, prompt: str, row: list[int], end: int | None) -> _Row:
    """One prompt's content, words and what was cut off; ``end``: the token after which a causal tower reads no more."""
    text, origin = clean_with_origin(prompt, tokenizer.clean_fn)
    ids, spans = _pieces(tokenizer, prompt, text)
    # What was added around them (start, end, padding) and what was cut off is whatever is not their common run.
    run = SequenceMatcher(None, row, ids, autojunk=False).find_longest_match(0, len(row), 0, len(ids))
    kept = ids.index(end) if end in ids else len(ids)
    positions = [run.a + i - run.b if run.b <= i < min(run.b + run.size, kept) else None for i in range(len(ids))]
    content, words, cut_off = _group(text, spans, positions)
    return content, tuple(replace(word, span=span_in_source(origin, *word.span)) for word in words), cut_off


def _end_token(tokenizer: Any) -> int | None:
    """The token that ends a text. Typed into a prompt, it ends what a causal tower reads of it."""
    inner = getattr(tokenizer, "tokenizer", tokenizer)
    return getattr(inner, "eot_token_id", getattr(inner, "eos_token_id", None))


def _pieces(tokenizer: Any, prompt: str, text: str) -> _Pieces:
    """All tokens of a prompt, none added and none cut off, and their spans in its cleaned ``text``."""
    if hasattr(tokenizer, "pieces"):  # from files
        return tokenizer.pieces(text)
    if hasattr(tokenizer, "byte_decoder"):  # open_clip's own BPE
        return _bpe_pieces(tokenizer, prompt, text)
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is None or not getattr(inner, "is_fast", False):
        raise InputError(
            f"the tokenizer of this CLIP is a {type(inner or tokenizer).__name__}, which does not tell where in the "
            "text its tokens stand; load it from its tokenizer.json"
        )
    encoded = inner(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return encoded["input_ids"], encoded["offset_mapping"]


def _bpe_pieces(tokenizer: Any, prompt: str, text: str) -> _Pieces:
    ids = tokenizer.encode(prompt)
    spans, cursor = [], 0
    data = text.encode()
    for token in ids:
        piece = tokenizer.decoder[token].removesuffix("</w>")
        raw = bytes(tokenizer.byte_decoder[c] for c in piece)
        start = data.find(raw, cursor)  # every character but white space is in some piece
        cursor = start + len(raw)
        spans.append((start, cursor))
    return ids, _byte_to_character_spans(data, spans)


def _byte_to_character_spans(data: bytes, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """A token may end inside a character (emoji, CJK): it then counts for that whole character."""
    character_at = []
    for index, character in enumerate(data.decode()):
        character_at += [index] * len(character.encode())
    return [(character_at[start], character_at[end - 1] + 1) for start, end in spans]


def _group(text: str, spans: list[Span], positions: Sequence[int | None]) -> _Row:
    """Assign tokens to words by their character spans; ``positions``: of each token, None where it was cut off."""
    words, cut_off, first = [], [], 0
    for start, end in word_spans(text):
        # Both lists are in order: a word's tokens begin no earlier than those of the word before it.
        while first < len(spans) and spans[first][1] <= start:
            first += 1
        after = first
        while after < len(spans) and spans[after][0] < end:
            after += 1
        found = [positions[i] for i in range(first, after)]
        kept = tuple(position for position in found if position is not None)
        if kept:
            words.append(Word(text[start:end], kept, (start, end)))
        if len(kept) < len(found):
            cut_off.append(text[start:end])
    return tuple(position for position in positions if position is not None), tuple(words), tuple(cut_off)


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
