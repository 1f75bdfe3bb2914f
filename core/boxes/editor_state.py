"""The box editor's saved state: the JSON text behind the widget, written by the editor or by hand.

    {"version": 1, "boxes": [{"label": "a red car", "x": 0.1, "y": 0.2, "width": 0.4, "height": 0.5}]}

Numbers are fractions of the picture. A box may also have ``weight`` (1), ``color`` ("#rrggbb"), ``hidden``,
``locked`` and ``id``. Whatever the text holds, reading it gives boxes or an InputError that says what to mend.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from ..errors import InputError

VERSION = 1
MOST_BOXES = 256
HIGHEST_WEIGHT = 100.0
SLACK = 1e-6  # rounding at the picture's edge

PALETTE = (
    "#4d9de0",
    "#e8871e",
    "#3bb273",
    "#e15554",
    "#a06cd5",
    "#e1bc29",
    "#23b5d3",
    "#f2789f",
    "#8f9b3a",
    "#b08968",
)


@dataclass(frozen=True)
class DrawnBox:
    """One visible box of the editor. box: (x0, y0, x1, y1) as fractions, inside the picture, of some area."""

    label: str
    box: tuple[float, float, float, float]
    weight: float
    color: str


def read(state: object) -> tuple[DrawnBox, ...]:
    """The boxes that count: in order, without hidden ones; none for an empty state."""
    return tuple(
        _read_box(raw, place)
        for place, raw in enumerate(_raw_boxes(state), start=1)
        if not (isinstance(raw, dict) and raw.get("hidden") is True)
    )


def hidden_count(state: object) -> int:
    """How many boxes of a readable state are hidden."""
    return sum(isinstance(raw, dict) and raw.get("hidden") is True for raw in _raw_boxes(state))


def clean_label(label: str) -> str:
    """A label on one line, without lone surrogates (which no tokenizer or font can take)."""
    whole = label.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return " ".join("".join(c if c.isprintable() or c == "\u200d" else " " for c in whole).split())


def repeated_labels(labels: list[str]) -> list[str]:
    """Labels that occur more than once, ignoring case."""
    seen: dict[str, int] = {}
    for label in labels:
        seen[label.lower()] = seen.get(label.lower(), 0) + 1
    return [label for label, count in seen.items() if count > 1]


def _raw_boxes(state: object) -> list[Any]:
    if state is None or state == "":
        return []
    if not isinstance(state, str):
        raise InputError(f"boxes: expected a JSON text, found {type(state).__name__}. {_REMEDY}")
    state = state.strip("\ufeff \t\r\n")  # a byte order mark comes along with what is pasted from a file
    if not state:
        return []
    try:
        data = json.loads(state, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InputError(f"boxes: not valid JSON: {_shorten(state)}. {_REMEDY}") from None
    if not isinstance(data, dict):
        raise InputError(f"boxes: expected a JSON object, found {_shorten(data)}. {_REMEDY}")
    version = data.get("version")
    if isinstance(version, bool) or version != VERSION:
        raise InputError(
            f"boxes: version {_shorten(version)} is unknown, this pack reads version {VERSION}. "
            "Update the pack, or draw the boxes anew."
        )
    boxes = data.get("boxes")
    if not isinstance(boxes, list):
        raise InputError(f'boxes: "boxes" should be a list, found {_shorten(boxes)}. {_REMEDY}')
    if len(boxes) > MOST_BOXES:
        raise InputError(f"boxes: {len(boxes)} boxes, at most {MOST_BOXES} fit. Delete some.")
    return boxes


_REMEDY = "Draw the boxes in the editor, or see the node's help page for the format."


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _shorten(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _read_box(raw: object, place: int) -> DrawnBox:
    if not isinstance(raw, dict):
        raise InputError(f"boxes: box {place} should be a JSON object, found {_shorten(raw)}. {_REMEDY}")
    label = raw.get("label", "")
    if not isinstance(label, str):
        raise InputError(f"boxes: the label of box {place} should be a text, found {_shorten(label)}. {_REMEDY}")
    label = clean_label(label)
    if not label:
        raise InputError(f"boxes: box {place} has no label. Type what belongs in it, or delete or hide it.")
    named = f"box {place} ({_shorten(label)})"
    x, y, width, height = (_number(raw, key, named) for key in ("x", "y", "width", "height"))
    if width <= 0 or height <= 0:
        raise InputError(f"boxes: {named} has no area (width {width}, height {height}). Make it larger or delete it.")
    if x < -SLACK or y < -SLACK or x + width > 1 + SLACK or y + height > 1 + SLACK:
        pixels = max(x, y, width, height) > 2
        remedy = "If these are pixels, divide them by the picture's size." if pixels else "Move or shrink it."
        raise InputError(
            f"boxes: {named} reaches outside the picture (x {x}..{x + width}, y {y}..{y + height}; the picture "
            f"is 0..1 each way). {remedy}"
        )
    box = (max(x, 0.0), max(y, 0.0), min(x + width, 1.0), min(y + height, 1.0))
    if box[2] <= box[0] or box[3] <= box[1]:
        raise InputError(f"boxes: {named} has no area inside the picture. Make it larger or delete it.")
    weight = _number(raw, "weight", named) if "weight" in raw else 1.0
    if not 0 <= weight <= HIGHEST_WEIGHT:
        raise InputError(f"boxes: the weight of {named} is {weight}. It should be from 0 to {HIGHEST_WEIGHT:g}.")
    return DrawnBox(label, box, weight, _color(raw.get("color")) or PALETTE[(place - 1) % len(PALETTE)])


def _number(raw: dict[str, Any], key: str, named: str) -> float:
    value = raw.get(key)
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f'boxes: "{key}" of {named} should be a number, found {_shorten(value)}. {_REMEDY}')
    return number


def _color(value: object) -> str | None:
    """The value, if it is "#rrggbb"."""
    is_color = isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value)
    return str(value) if is_color else None
