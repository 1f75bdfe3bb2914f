"""The course of prompt learning: loss and accuracy by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw

from .fonts import font_for

_WIDTH, _HEIGHT = 480, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 16, 16, 40, 28
_BACKGROUND, _INK, _GRID = (250, 250, 248), (28, 28, 32), (228, 228, 225)
_LOSS, _ACCURACY = (190, 70, 10), (46, 103, 168)


def learning_chart(history: Sequence[tuple[int, int, float, float]]) -> torch.Tensor:
    """Draw loss (scaled to its own range) and accuracy (0..1) of the epochs so far.

    Args:
        history: (epoch, epochs in total, loss, accuracy) of each epoch done.

    Returns:
        ``[240, 480, 3]`` in 0..1.
    """
    return torch.from_numpy(np.asarray(draw_learning(history), dtype=np.float32) / 255)


def draw_learning(history: Sequence[tuple[int, int, float, float]]) -> Image.Image:
    """The same as a PIL image, for a progress bar's preview."""
    canvas = Image.new("RGB", (_WIDTH, _HEIGHT), _BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    bottom = _HEIGHT - _BOTTOM
    for part in range(5):
        y = _TOP + part * (bottom - _TOP) / 4
        draw.line((_LEFT, y, _WIDTH - _RIGHT, y), fill=_GRID)
    if not history:
        return canvas
    epochs = history[0][1]
    losses = [row[2] for row in history]
    low, high = min(losses), max(losses)
    span = high - low or 1.0
    _line(draw, [(row[0] / epochs, (row[2] - low) / span) for row in history], _LOSS)
    _line(draw, [(row[0] / epochs, row[3]) for row in history], _ACCURACY)
    epoch, _, loss, accuracy = history[-1]
    _text(draw, (_LEFT, 10), f"loss {loss:.3f}", _LOSS)
    _text(draw, (_LEFT + 130, 10), f"accuracy {accuracy:.1%}", _ACCURACY)
    _text(draw, (_LEFT, bottom + 6), f"epoch {epoch} of {epochs}", _INK)
    return canvas


def _line(draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], color: tuple[int, int, int]) -> None:
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    places = [(_LEFT + x * width, _TOP + (1 - y) * height) for x, y in points]
    if len(places) > 1:
        draw.line(places, fill=color, width=2)
    x, y = places[-1]
    draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=color)


def _text(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, color: tuple[int, int, int]) -> None:
    draw.text(place, text, font=font_for(text, 14), fill=color)
