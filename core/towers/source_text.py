"""Where in the user's own text a character stands that a tokenizer sees.

Tokenizers clean what they are given: case, white space, HTML entities, broken encodings; SigLIP's drop punctuation. A
cleaning function tells nothing of where its output came from, so it is asked about parts: where the parts' results
together are the whole's, each came from its part.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

Clean = Callable[[str], str]
Span = tuple[int, int]

_TRIES = 12  # places tried to part a long text; a short one is tried at all of them


def clean_with_origin(source: str, clean: Clean) -> tuple[str, list[Span]]:
    """``clean(source)`` and, for each of its characters, the span of ``source`` that it stands for.

    Spans are in order. Where a part can't be told apart further (``&amp;``, mojibake), all its characters have the
    whole part.
    """
    cleaned = clean(source)
    found = _character_by_character(source, cleaned, clean)
    if found is None:
        found = _word_by_word(source, cleaned, clean)
    return cleaned, _origin(source, cleaned, clean) if found is None else found


def span_in_source(origin: list[Span], start: int, end: int) -> Span:
    """The span of the source that the cleaned text's characters ``start`` to ``end`` (not empty) stand for."""
    return origin[start][0], max(stop for _, stop in origin[start:end])


def _word_by_word(source: str, cleaned: str, clean: Clean) -> list[Span] | None:
    """The spans, if cleaning changes each word for itself: no more work than the text is long."""
    spans: list[Span] = []
    text: list[str] = []
    for word in re.finditer(r"\S+", source):
        if part := clean(word.group()):
            spans += [(word.start(), word.start())] * bool(text)  # the space before it
            spans += _moved(_origin(word.group(), part, clean), word.start())
            text.append(part)
    return spans if " ".join(text) == cleaned else None


def _origin(source: str, cleaned: str, clean: Clean) -> list[Span]:
    found = _character_by_character(source, cleaned, clean)
    if found is not None:
        return found
    for at in _places(source):
        left, right = clean(source[:at]), clean(source[at:])
        for joint in ("", " "):
            if left + joint + right == cleaned:
                rest = _moved(_origin(source[at:], right, clean), at)
                return [*_origin(source[:at], left, clean), *[(at, at)] * len(joint), *rest]
    return _but_for_the_ends(source, cleaned)


def _moved(spans: list[Span], offset: int) -> list[Span]:
    return [(start + offset, end + offset) for start, end in spans]


def _character_by_character(source: str, cleaned: str, clean: Clean) -> list[Span] | None:
    """The spans, if cleaning changes each character for itself and at most joins white space."""
    spans: list[Span] = []
    pieces: list[str] = []
    for index, character in enumerate(source):
        piece = _alone(clean, character)
        pieces.append(piece)
        spans += [(index, index + 1)] * len(piece)
    text = "".join(pieces)
    if text == cleaned:
        return spans
    kept = [i for i, c in enumerate(text) if c != " " or (i and text[i - 1] != " ")]
    while kept and text[kept[-1]] == " ":
        kept.pop()
    return [spans[i] for i in kept] if "".join(text[i] for i in kept) == cleaned else None


@functools.lru_cache(maxsize=10_000)
def _alone(clean: Clean, character: str) -> str:
    """What becomes of one character between two letters."""
    return clean(f"a{character}a")[1:-1]


def _places(source: str) -> list[int]:
    """Where to part a text: near its middle, white space first."""
    middle = len(source) // 2
    places = sorted(range(1, len(source)), key=lambda at: abs(at - middle))
    if len(source) <= 2 * _TRIES:
        return places
    spaces = [at for at in places if source[at].isspace()]
    return [*spaces[:_TRIES], *places[:_TRIES]]


def _but_for_the_ends(source: str, cleaned: str) -> list[Span]:
    """A part that can't be divided: what is the same at its ends, and the rest as one."""
    one, other = source.casefold(), cleaned.casefold()
    before = _shared(one, other)
    after = _shared(one[before:][::-1], other[before:][::-1])
    changed = len(cleaned) - before - after
    if len(one) != len(source) or len(other) != len(cleaned) or changed <= 0:
        return [(0, len(source))] * len(cleaned)
    return [
        *[(i, i + 1) for i in range(before)],
        *[(before, len(source) - after)] * changed,
        *[(i, i + 1) for i in range(len(source) - after, len(source))],
    ]


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginnings."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
