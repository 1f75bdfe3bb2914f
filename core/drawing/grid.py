"""A labelled grid of pictures."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageDraw

from .colormap import colorize
from .fonts import font_for

_MARGIN = 8
_BACKGROUND = (24, 24, 28)
_TEXT = (235, 235, 235)


def labelled_grid(
    pictures: list[torch.Tensor], labels: list[str], columns: int | None = None, longest_side: int = 512
) -> torch.Tensor:
    """Pictures ``[H, W, 3]`` of one size, each under its label, in rows.

    Args:
        columns: pictures a row; None: as square as possible.
        longest_side: larger pictures are shrunk to this many pixels, so that many prompts stay one viewable picture.

    Returns:
        ``[H', W', 3]`` in 0..1.
    """
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    cells = [_to_pil(picture, longest_side) for picture in pictures]
    width, height = cells[0].size
    width = max(width, 96)  # a label must stay readable beside a tiny picture
    font_size = max(12, min(20, width // 18))
    line = math.ceil(font_size * 1.35)
    lines = [wrap(label, font_size, width, most=2) for label in labels]
    label_height = line * max(len(row) for row in lines)
    rows = math.ceil(len(cells) / columns)
    canvas = Image.new(
        "RGB",
        (columns * (width + _MARGIN) + _MARGIN, rows * (height + label_height + _MARGIN) + _MARGIN),
        _BACKGROUND,
    )
    draw = ImageDraw.Draw(canvas)
    for index, (cell, texts) in enumerate(zip(cells, lines, strict=True)):
        x = _MARGIN + index % columns * (width + _MARGIN)
        y = _MARGIN + index // columns * (height + label_height + _MARGIN)
        for row, text in enumerate(texts):
            draw.text((x, y + row * line), text, font=font_for(text, font_size), fill=_TEXT)
        canvas.paste(cell, (x, y + label_height))
    return torch.from_numpy(np.asarray(canvas, dtype=np.float32) / 255)


def colour_bar(width: int, colormap: str, threshold: float | None = None) -> torch.Tensor:
    """What the colours of heat mean, 0 to 1, with a mark at the threshold: ``[H, width, 3]``."""
    size = max(11, min(18, width // 40))
    height, font = round(0.7 * size), font_for("heat", size)
    canvas = Image.new("RGB", (width, height + round(1.6 * size) + _MARGIN), _BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    left, right = _MARGIN, max(_MARGIN + 2, width - _MARGIN)
    colours = (colorize(torch.linspace(0, 1, right - left).expand(height, -1), colormap) * 255).round().byte()
    canvas.paste(Image.fromarray(colours.numpy()), (left, 0))
    draw.text((left, height), "heat 0", fill=_TEXT, font=font)
    draw.text((right, height), "1", fill=_TEXT, font=font, anchor="ra")
    label = "" if threshold is None else f"outline {threshold:.2g}"
    half = font.getlength(label) / 2
    if threshold is not None and right - left > 8 * half:
        x = left + threshold * (right - left - 1)
        draw.line([(x, 0), (x, height)], fill=(255, 255, 255), width=2)
        middle = min(max(x, left + font.getlength("heat 0  ") + half), right - font.getlength("  1") - half)
        draw.text((middle, height), label, fill=_TEXT, font=font, anchor="ma")
    return torch.from_numpy(np.asarray(canvas, dtype=np.float32) / 255)


def wrap(text: str, font_size: int, width: int, most: int) -> list[str]:
    """Break a text into at most ``most`` lines of ``width`` pixels; what does not fit ends in an ellipsis."""
    font = font_for(text + "…", font_size)
    lines: list[str] = []
    rest = " ".join(text.split())
    while rest and len(lines) < most:
        fits = _longest_prefix(rest, font, width)
        if fits == len(rest):
            return [*lines, rest]
        if len(lines) + 1 == most:
            fits = _longest_prefix(rest, font, width - font.getlength("…"))
            return [*lines, rest[:fits].rstrip() + "…"]
        space = rest.rfind(" ", 0, fits + 1)
        cut = space if space > 0 else fits
        lines.append(rest[:cut])
        rest = rest[cut:].lstrip()
    return lines or [""]


def _longest_prefix(text: str, font: object, width: float) -> int:
    """Number of leading characters that fit (at least 1), by bisection: a prompt may have 10 000 words."""
    low, high = 1, min(len(text), 400)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle]) <= width:  # type: ignore[attr-defined]
            low = middle
        else:
            high = middle - 1
    return low


def _to_pil(picture: torch.Tensor, longest_side: int) -> Image.Image:
    image = Image.fromarray((picture.clamp(0, 1) * 255).round().byte().numpy())
    scale = longest_side / max(image.size)
    if scale < 1:
        image = image.resize(
            (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS
        )
    return image
