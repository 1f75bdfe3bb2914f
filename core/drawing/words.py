"""The words of a prompt, tinted and underlined by how much each counts."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageDraw

from .fonts import font_for
from .grid import wrap

_WIDTH = 768
_FONT = 26
_SMALL = 13
_PADDING = 8
_GAP = 6
_CHIP_HEIGHT = 66
_BAR_HEIGHT = 8
_BACKGROUND = (250, 250, 248)
_INK = (28, 28, 32)
_GREY = (150, 150, 150)
_COLD, _HOT = np.array((244, 244, 242)), np.array((255, 122, 48))


def words_picture(
    title: str, words: tuple[str, ...], scores: torch.Tensor, neglected_below: float, cut_off: tuple[str, ...] = ()
) -> torch.Tensor:
    """Draw one prompt's words as chips: tint and bar show the score, a dashed frame a neglected word.

    Args:
        scores: ``[words]`` in 0..1.
        neglected_below: words that score lower get the frame (NTLB: 0.7).
        cut_off: words that the CLIP did not read, in grey.

    Returns:
        ``[H, 768, 3]`` in 0..1.
    """
    chips = [(word, float(score)) for word, score in zip(words, scores, strict=True)]
    chips += [(word, math.nan) for word in cut_off[:40]]
    places, height = _flow([word for word, _ in chips])
    canvas = Image.new("RGB", (_WIDTH, height), _BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    heading = wrap(title, 16, _WIDTH - 2 * _PADDING, most=1)[0]
    draw.text((_PADDING, _PADDING), heading, font=font_for(heading, 16), fill=_GREY)
    for (_, score), (x, y, width, shown) in zip(chips, places, strict=True):
        _draw_chip(draw, x, y, width, shown, score, neglected_below)
    return torch.from_numpy(np.asarray(canvas, dtype=np.float32) / 255)


def stack_pictures(pictures: list[torch.Tensor]) -> torch.Tensor:
    """Pictures ``[H, W, 3]`` of one width as a batch, padded at the bottom to the tallest."""
    tallest = max(picture.shape[0] for picture in pictures)
    paper = torch.tensor(_BACKGROUND, dtype=torch.float32) / 255
    batch = paper.expand(len(pictures), tallest, pictures[0].shape[1], 3).clone()
    for row, picture in zip(batch, pictures, strict=True):
        row[: picture.shape[0]] = picture
    return batch


def _flow(words: list[str]) -> tuple[list[tuple[int, int, int, str]], int]:
    """Place chips from left to right in lines: (x, y, width, text shown), and the height of the picture."""
    places = []
    x, y = _PADDING, _PADDING + 30
    for word in words:
        shown = wrap(word, _FONT, _WIDTH - 4 * _PADDING, most=1)[0]
        width = math.ceil(max(font_for(shown, _FONT).getlength(shown), 34)) + 2 * _PADDING
        if x + width > _WIDTH - _PADDING and x > _PADDING:
            x, y = _PADDING, y + _CHIP_HEIGHT + _GAP
        places.append((x, y, width, shown))
        x += width + _GAP
    return places, y + _CHIP_HEIGHT + _PADDING


def _draw_chip(
    draw: ImageDraw.ImageDraw, x: int, y: int, width: int, text: str, score: float, neglected_below: float
) -> None:
    unread = math.isnan(score)
    tint = _COLD if unread else _COLD + (_HOT - _COLD) * min(max(score, 0.0), 1.0)
    box = (x, y, x + width, y + _CHIP_HEIGHT)
    draw.rounded_rectangle(box, radius=8, fill=tuple(int(c) for c in tint))
    if not unread and score < neglected_below:
        _dash(draw, box)
    draw.text((x + _PADDING, y + 4), text, font=font_for(text, _FONT), fill=_GREY if unread else _INK)
    label = "cut off" if unread else f"{score:.2f}"
    draw.text((x + _PADDING, y + 37), label, font=font_for(label, _SMALL), fill=_GREY if unread else _INK)
    if not unread:
        left, top = x + _PADDING, y + _CHIP_HEIGHT - _BAR_HEIGHT - 3
        right = left + (width - 2 * _PADDING) * min(max(score, 0.0), 1.0)
        draw.rectangle((left, top, x + width - _PADDING, top + _BAR_HEIGHT - 3), fill=(225, 225, 222))
        draw.rectangle((left, top, right, top + _BAR_HEIGHT - 3), fill=(190, 70, 10))


def _dash(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    x0, y0, x1, y1 = box
    for x in range(x0 + 6, x1 - 6, 10):
        draw.line((x, y0, min(x + 5, x1), y0), fill=_GREY)
        draw.line((x, y1, min(x + 5, x1), y1), fill=_GREY)
    for y in range(y0 + 6, y1 - 6, 10):
        draw.line((x0, y, x0, min(y + 5, y1)), fill=_GREY)
        draw.line((x1, y, x1, min(y + 5, y1)), fill=_GREY)
