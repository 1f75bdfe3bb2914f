"""A picture of constraints: outlines, tinted shapes and labels, in the colours of the editor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..boxes.constraint import SpatialConstraint
from ..boxes.geometry import to_pixels
from .fonts import font_for
from .grid import wrap

EMPTY_SHADE = 0.13  # of the ground where there is no picture
TINT = 0.22  # share of an object's colour inside its mask


def draw(constraints: Sequence[SpatialConstraint], images: Tensor) -> Tensor:
    """Constraints drawn over pictures. images: [B, H, W, 3] in 0..1; returns the same shape, on the CPU."""
    _, height, width, _ = images.shape
    tinted = images.detach().to("cpu", torch.float32, copy=True).nan_to_num(0.0).clamp_(0.0, 1.0)
    for constraint in constraints:
        share = TINT * constraint.mask_at(height, width)[None, :, :, None]
        tinted = tinted * (1 - share) + torch.tensor(rgb(constraint.color)) / 255 * share
    frames = [Image.fromarray((frame * 255).round().byte().numpy()) for frame in tinted]
    for frame in frames:
        pen = ImageDraw.Draw(frame)
        for number, constraint in enumerate(constraints, start=1):
            _outline(pen, constraint, number, height, width)
    return torch.stack([torch.from_numpy(np.array(frame, dtype=np.float32) / 255) for frame in frames])


def empty_picture(height: int, width: int) -> Tensor:
    """A dark ground [1, height, width, 3] to draw on where there is no picture."""
    return torch.full((1, height, width, 3), EMPTY_SHADE)


def rgb(color: str) -> tuple[int, int, int]:
    """ "#rrggbb" -> (r, g, b)."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _outline(pen: ImageDraw.ImageDraw, constraint: SpatialConstraint, number: int, height: int, width: int) -> None:
    color = rgb(constraint.color)
    place = to_pixels(constraint.bounds, height, width)
    left, top = place["x"], place["y"]
    right, bottom = left + place["width"] - 1, top + place["height"] - 1
    thickness = max(1, round(min(height, width) / 256))
    if constraint.box is not None:
        pen.rectangle((left, top, right, bottom), outline=color, width=thickness)
    size = max(9, round(min(height, width) / 36))
    label = f"{number} {constraint.label}" + ("" if constraint.weight == 1 else f"  x{constraint.weight:g}")
    label = wrap(label, size, max(width - left - size, 2 * size), most=1)[0]
    font = font_for(label, size)
    text_width, text_bottom = pen.textlength(label, font=font), pen.textbbox((0, 0), label, font=font)[3]
    tag_height = text_bottom + size // 3
    tag_top = top - tag_height if top >= tag_height else top
    pen.rectangle((left, tag_top, left + text_width + size * 2 // 3, tag_top + tag_height), fill=color)
    dark = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 140
    ink = (17, 17, 17) if dark else (255, 255, 255)
    pen.text((left + size // 3, tag_top + size // 8), label, font=font, fill=ink)
