"""Masks as COCO writes them: polygons and run lengths, to the pixel those of pycocotools.

Polygons are drawn by pycocotools itself. What it gets is checked first, and run lengths are read here: its C code
writes or reads beyond its memory, or leaves some of it as it was, where numbers don't fit the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError

_LONGEST_OUTLINE = 10_000_000  # pixels: more is no outline, and would take gigabytes to draw
_MOST_CHARACTERS = 7  # of one compressed count, 5 bits each: no picture has more pixels


def read_segmentation(raw: Any, size: tuple[int, int], note: Callable[[str], None] = lambda reason: None) -> np.ndarray:
    """An annotation's ``segmentation`` for a picture of ``size`` (H, W) as bool ``[H, W]``.

    Args:
        raw: polygons ``[[x, y, x, y, ...], ...]`` (or one of them alone), or ``{"size": [H, W], "counts": ...}`` with
            run lengths in column order, starting with background, as a list or as COCO's compressed text.
        note: is told of single polygons that are left out beside usable ones.

    Raises:
        InputError: it is missing or can't be used, or covers no pixel; the message says why, not whose it is.
    """
    if isinstance(raw, dict):
        mask = _from_counts(raw, size)
    elif isinstance(raw, list) and raw:
        mask = _from_polygons(raw if isinstance(raw[0], list) else [raw], size, note)
    else:
        raise InputError(f"it has no segmentation, but {repr(raw)[:60]}")
    if not mask.any():
        raise InputError("its segmentation covers no pixel of the picture")
    return mask


def _from_polygons(raw: list[Any], size: tuple[int, int], note: Callable[[str], None]) -> np.ndarray:
    try:
        from pycocotools import mask as rasteriser
    except ImportError as error:
        raise InputError(f"COCO's polygons need pycocotools ({error}): pip install pycocotools") from error
    mask = np.zeros(size, dtype=bool)
    reasons = []
    for polygon in raw:
        try:
            outline = _outline(polygon, size)
        except InputError as error:
            reasons.append(str(error))
            continue
        (encoded,) = rasteriser.frPyObjects([outline.tolist()], *size)
        mask |= _from_counts({**encoded, "counts": encoded["counts"].decode()}, size)
    if len(reasons) == len(raw):
        raise InputError(reasons[0])
    for reason in reasons:
        note(f"{reason}; its other polygons are used")
    return mask


def _outline(polygon: Any, size: tuple[int, int]) -> np.ndarray:
    """A polygon's numbers, safe to draw."""
    try:
        points = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.array(np.nan)
    if points.ndim != 1 or not np.isfinite(points).all():
        raise InputError(f"a polygon is no list of numbers: {repr(polygon)[:60]}")
    if len(points) < 6 or len(points) % 2:
        raise InputError(f"a polygon of {len(points)} numbers; three points or more take six, two a point")
    points_xy = points.reshape(-1, 2)
    wide = np.array((size[1], size[0]), dtype=np.float64)
    if (points_xy < -wide).any() or (points_xy > 2 * wide).any():
        raise InputError(
            f"a polygon reaches from {points_xy.min():g} to {points_xy.max():g}, far beyond the picture of {size[1]} x "
            f"{size[0]}"
        )
    if np.abs(np.diff(points_xy, axis=0, append=points_xy[:1])).max(axis=1).sum() > _LONGEST_OUTLINE:
        raise InputError(f"a polygon's outline is longer than {_LONGEST_OUTLINE} pixels")
    return points


def _from_counts(raw: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    counts, pixels = raw.get("counts"), size[0] * size[1]
    if raw.get("size") != list(size):
        raise InputError(f"its mask is for {raw.get('size')!r} pixels (height, width), the picture has {list(size)}")
    if isinstance(counts, str):
        counts = _decompressed(counts, pixels)
    try:
        runs = np.asarray(counts)
        if runs.ndim != 1 or runs.dtype.kind not in "iuf" or (runs != runs.astype(np.int64)).any():
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"its run lengths are no whole numbers: {repr(counts)[:60]}") from None
    if (runs < 0).any() or (runs > pixels).any() or runs.sum() != pixels:
        raise InputError(f"its run lengths don't add up to the picture's {pixels} pixels")
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs.astype(np.int64))
    return np.ascontiguousarray(values.reshape(size[1], size[0]).T)


def _decompressed(text: str, most: int) -> list[int]:
    """Counts of COCO's compressed text.

    A character holds 5 bits, lowest first, and a sixth that says whether more follow; the last one's highest bit is
    the sign. From the fourth count on it is the difference to the count two before.
    """
    counts: list[int] = []
    value, bits = 0, 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or bits >= 5 * _MOST_CHARACTERS:
            raise InputError(f"its compressed run lengths are damaged at {character!r}")
        value |= (code & 31) << bits
        bits += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << bits
        if len(counts) > 2:
            value += counts[-2]
        if not 0 <= value <= most:
            raise InputError("its compressed run lengths are damaged: a run is longer than the picture")
        counts.append(value)
        value, bits = 0, 0
    if bits:
        raise InputError("its compressed run lengths are damaged: the text ends within a number")
    return counts
