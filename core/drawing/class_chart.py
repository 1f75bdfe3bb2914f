"""Charts of a classification: for each image its picture and its best classes as bars."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageDraw

from ..classification.classify import Classification
from .fonts import font_for
from .grid import wrap

_BACKGROUND, _INK, _GREY = (250, 250, 248), (28, 28, 32), (120, 120, 125)
_TRACK, _BAR, _BEST = (232, 232, 229), (150, 170, 196), (46, 103, 168)
_PADDING = 12
_THUMBNAIL = 132
_BARS_WIDTH = 236
_ROW = 34
_TITLE = 26
_CAPTION = 20
_FONT, _SMALL = 15, 12


def class_chart(images: torch.Tensor, found: Classification, top_k: int = 5) -> torch.Tensor:
    """One panel an image: its thumbnail and its ``top_k`` best classes, best first, with their probabilities.

    Below stand the margin to the second class and the share of templates that agree. However many classes there
    are, only the best are drawn, so that 1000 of them read as well as 3.

    Args:
        images: ``[B, H, W, 3]`` in 0..1.
        top_k: bars a panel; fewer where there are fewer classes.

    Returns:
        ``[H', W', 3]`` in 0..1.
    """
    bars = max(1, min(top_k, len(found.names)))
    width = _THUMBNAIL + _BARS_WIDTH + 3 * _PADDING
    height = _TITLE + max(_THUMBNAIL, bars * _ROW) + _CAPTION + 2 * _PADDING
    columns = min(len(images), max(1, round(math.sqrt(len(images) * height / width))))
    rows = math.ceil(len(images) / columns)
    canvas = Image.new("RGB", (columns * width, rows * height), _BACKGROUND)
    for index, image in enumerate(images):
        _draw_panel(canvas, (index % columns * width, index // columns * height), index, image, found, bars)
    return torch.from_numpy(np.asarray(canvas, dtype=np.float32) / 255)


def _draw_panel(
    canvas: Image.Image, corner: tuple[int, int], index: int, image: torch.Tensor, found: Classification, bars: int
) -> None:
    draw = ImageDraw.Draw(canvas)
    x, y = corner[0] + _PADDING, corner[1] + _PADDING
    scores = found.scores
    best = scores.ranking[index, :bars].tolist()
    title = wrap(f"{index}  {found.names[best[0]]}", _FONT, _THUMBNAIL + _BARS_WIDTH, most=1)[0]
    draw.text((x, y), title, font=font_for(title, _FONT), fill=_INK)
    thumbnail = Image.fromarray((image.clamp(0, 1) * 255).round().byte().cpu().numpy())
    scale = _THUMBNAIL / max(thumbnail.size)
    thumbnail = thumbnail.resize((max(1, round(thumbnail.width * scale)), max(1, round(thumbnail.height * scale))))
    canvas.paste(thumbnail, (x, y + _TITLE))
    for place, winner in enumerate(best):
        _draw_bar(draw, x + _THUMBNAIL + _PADDING, y + _TITLE + place * _ROW, found, index, winner, place == 0)
    caption = f"margin {float(scores.margin[index]):.2f}   {float(scores.agreement[index]):.0%} of templates agree"
    below = y + _TITLE + max(_THUMBNAIL, bars * _ROW)
    draw.text((x + _THUMBNAIL + _PADDING, below), caption, font=font_for(caption, _SMALL), fill=_GREY)


def _draw_bar(
    draw: ImageDraw.ImageDraw, x: int, y: int, found: Classification, index: int, winner: int, best: bool
) -> None:
    probability = float(found.scores.probabilities[index, winner])
    figure = f"{probability:.1%}"
    room = _BARS_WIDTH - 60
    name = wrap(found.names[winner], _FONT, room, most=1)[0]
    draw.text((x, y), name, font=font_for(name, _FONT), fill=_INK)
    draw.text((x + _BARS_WIDTH, y + 1), figure, font=font_for(figure, _SMALL), fill=_GREY, anchor="ra")
    top = y + _FONT + 6
    draw.rectangle((x, top, x + _BARS_WIDTH, top + 7), fill=_TRACK)
    if probability > 0:
        length = max(1, round(probability * _BARS_WIDTH))
        draw.rectangle((x, top, x + length, top + 7), fill=_BEST if best else _BAR)
