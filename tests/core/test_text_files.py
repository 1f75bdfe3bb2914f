"""Text files as Windows, Linux and macOS save them, and texts as they are pasted."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from clip_explainability.core.classification.classes import parse_classes
from clip_explainability.core.classification.support import parse_labels
from clip_explainability.core.classification.templates import parse_templates
from clip_explainability.core.eclip.image_captions import split_captions
from clip_explainability.core.errors import InputError
from clip_explainability.core.text_files import plain_line, plain_lines, read_json, read_text

TEXT = "dog\ncafé\n犬 🐕\n"
ENCODINGS = {
    "utf-8": TEXT.encode(),
    "utf-8 with mark": codecs.BOM_UTF8 + TEXT.encode(),
    "utf-16 little-endian": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "utf-16 big-endian": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "utf-32": TEXT.encode("utf-32"),
    "windows line ends": codecs.BOM_UTF8 + TEXT.replace("\n", "\r\n").encode(),
    "old macs' line ends": TEXT.replace("\n", "\r").encode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_can_be_told_is_read(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_bytes(ENCODINGS[encoding])
    assert read_text(path) == TEXT
    assert parse_classes(read_text(path)).names == ("dog", "café", "犬 🐕")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("café".encode("cp1252"), r"classes\.txt' is not UTF-8 .*byte 3"),
        ("dog".encode("utf-16-le"), r"classes\.txt' is not UTF-8: it has null characters"),
        (codecs.BOM_UTF16_LE + b"abc", r"classes\.txt' is not UTF-16"),
        (codecs.BOM_UTF8 + b"\xff", r"classes\.txt' is not UTF-8 "),
    ],
)
def test_another_encoding_is_named_with_the_file(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_text(path)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.txt"):
        with pytest.raises(InputError, match="can't be read"):
            read_text(path)


def test_json_is_read_in_the_same_encodings(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        path.write_bytes('{"a": "é"}'.encode(encoding))
        assert read_json(path) == {"a": "é"}
    for content in ("{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "[1]", "", '{"a": 1}}'):
        path.write_text(content)
        with pytest.raises(InputError, match=r"a\.json"):
            read_json(path)


@pytest.mark.parametrize(
    "mark", ["\ufeff", "\u200b", "\u2060", "\u200e", "\u202a", "\u00ad", "\xa0", "\t", "\0", "\u3000"]
)
def test_what_can_t_be_seen_makes_no_other_class(mark: str) -> None:
    text = f"{mark}dog{mark}\n{mark}\nred{mark} fox{mark}={mark}fox{mark},{mark} vixen\ndog"
    found = parse_classes(text)
    assert found.names == ("dog", "red fox")
    assert found.classes[1].synonyms == ("fox", "vixen")
    assert parse_labels(f"{mark}dog{mark}\n{mark}cat", 2) == ["dog", "cat"]
    assert split_captions(f"{mark}a dog{mark}\r\n{mark}\na cat", 2) == ["a dog", "a cat"]
    assert parse_templates(f"{mark}a {{}}{mark}\n{mark}") == ("a {}",)


def test_what_can_be_seen_stays() -> None:
    family, persian, flag = "👨\u200d👩\u200d👧", "می\u200cخواهم", "🏴\U000e0067\U000e0062\U000e007f"
    assert plain_lines(f"{family}\n{persian}\n{flag} x") == [family, persian, f"{flag} x"]
    assert plain_line("half \ud83d a character") == "half \ufffd a character"
