"""Text files as people save them and texts as they paste them: one reader for classes, captions and annotations."""

from __future__ import annotations

import codecs
import json
import os
import re
import unicodedata
from typing import Any

from .errors import InputError
from .files import read_bytes

_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_JOINERS = "\u200c\u200d"  # invisible, but they tell words of Persian and families of emoji apart
_LINE_END = re.compile(r"\r\n?")


def read_text(path: str | os.PathLike[str]) -> str:
    """A text file in UTF-8, with or without a byte order mark, or in UTF-16 or UTF-32 with one; lines end in ``\\n``.

    Raises:
        InputError: it can't be read, or is in another encoding.
    """
    return decode_text(read_bytes(path), repr(os.fspath(path)))


def decode_text(data: bytes, name: str) -> str:
    """The bytes of a text file, see :func:`read_text`; ``name`` says in errors whose they are."""
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not {encoding.removesuffix('-sig').upper()} ({error.reason} at byte {error.start}); "
            "save it as text in UTF-8"
        ) from error
    if "\0" in text:
        raise InputError(
            f"{name} is not UTF-8: it has null characters, as UTF-16 without a byte order mark does; save it as text "
            "in UTF-8"
        )
    return _LINE_END.sub("\n", text)


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A JSON file that holds an object, in any encoding that :func:`read_text` takes.

    Raises:
        InputError: it can't be read, is in another encoding, is no JSON, or holds something other than an object.
    """
    text, name = read_text(path), repr(os.fspath(path))
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not valid JSON ({error}); mend it or get it anew") from error
    if not isinstance(content, dict):
        raise InputError(f"{name} holds a {type(content).__name__} where a JSON object should be; mend or replace it")
    return content


def plain_lines(text: str) -> list[str]:
    """The lines of a text that hold anything, see :func:`plain_line`."""
    return [line for line in map(plain_line, text.splitlines()) if line]


def plain_line(line: str) -> str:
    """A line without what can't be seen: byte order marks, zero-width and direction marks, control characters.

    White space of any kind and number (no-break spaces, tabs) becomes one space. Joiners between letters or emoji stay.
    Letters are composed (NFC), so that a name typed and the same name of a folder on macOS are one.
    """
    visible = unicodedata.normalize("NFC", "".join(_visible(character) for character in line))
    return " ".join(visible.split()).strip(_JOINERS)


def _visible(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Cc":
        return " "
    if kind == "Cs":  # half a character: no tokenizer, font or file can take it
        return "\ufffd"
    if kind == "Cf" and character not in _JOINERS and not "\U000e0020" <= character <= "\U000e007f":  # emoji flags
        return ""
    return character
