"""core.towers.source_text: from a cleaned text back to the user's own."""

from __future__ import annotations

import re

import pytest
from clip_explainability.core.towers.source_text import clean_with_origin, span_in_source
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import get_clean_fn

PIECES = ["cat", "Dog", "t-shirt", "&amp;", "&eacute;", "Ã©", "“", "’s", "_", "猫", "Ｂ", ","]


def words_with_source(source: str, kind: str) -> list[tuple[str, str]]:
    cleaned, origin = clean_with_origin(source, get_clean_fn(kind))
    assert len(origin) == len(cleaned)
    words = re.finditer(r"\w+", cleaned)
    return [(word.group(), source[slice(*span_in_source(origin, *word.span()))]) for word in words]


@pytest.mark.parametrize(
    ("kind", "source", "expected"),
    [
        ("lower", " A  Cat\n", [("a", "A"), ("cat", "Cat")]),
        ("canonicalize", "a T-shirt,", [("a", "a"), ("tshirt", "T-shirt")]),
        ("canonicalize", "snake_case", [("snake", "snake"), ("case", "case")]),
        ("lower", "Tom &amp;amp; Jerry", [("tom", "Tom"), ("jerry", "Jerry")]),
        ("lower", "&eacute;t&eacute; bench", [("été", "&eacute;t&eacute;"), ("bench", "bench")]),
        ("lower", "a&nbsp;b c", [("a", "a"), ("b", "b"), ("c", "c")]),
        ("lower", "cafÃ© ﬁsh", [("café", "cafÃ©"), ("fish", "ﬁsh")]),
        ("lower", "voilÃ\xa0 bench", [("voilà", "voilÃ\xa0"), ("bench", "bench")]),
        ("lower", "cafe\u0301 ΟΔΟΣ İx", [("café", "cafe\u0301"), ("οδος", "ΟΔΟΣ"), ("i", "İ"), ("x", "x")]),
        ("whitespace", "...", []),
    ],
)
def test_a_word_is_found_again_where_it_was_written(kind: str, source: str, expected: list[tuple[str, str]]) -> None:
    assert words_with_source(source, kind) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([*PIECES, " ", "  ", "\n"]), max_size=20),
    st.sampled_from(["lower", "canonicalize", "whitespace"]),
)
def test_spans_are_in_order_inside_the_text_and_what_they_hold_cleans_to_the_word(pieces: list[str], kind: str) -> None:
    source, clean = "".join(pieces), get_clean_fn(kind)
    cleaned, origin = clean_with_origin(source, clean)
    assert cleaned == clean(source)
    assert all(0 <= start <= end <= len(source) for start, end in origin)
    assert [start for start, _ in origin] == sorted(start for start, _ in origin)
    for word in re.finditer(r"cat|dog", cleaned):
        start, end = span_in_source(origin, *word.span())
        assert word.group() in clean(source[start:end])
