"""Boxes and masks, and what one tells of the other.

A box is ``(x0, y0, x1, y1)`` as fractions of the picture, x to the right and y down. A mask is a float tensor
[H, W] in 0..1. Box masks hold each pixel's covered share, so that a box keeps its exact area on any grid and
a box thinner than a pixel does not vanish.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

Box = tuple[float, float, float, float]
PixelBox = dict[str, int]  # the host's BOUNDING_BOX: {"x", "y", "width", "height"}

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def box_mask(box: Box, height: int, width: int) -> Tensor:
    """Mask [height, width] of the share of each pixel that the box covers; it sums to the box's area."""
    x0, y0, x1, y1 = box
    with torch.inference_mode(False):
        return _cover(y0, y1, height)[:, None] * _cover(x0, x1, width)[None, :]


def _cover(start: float, stop: float, cells: int) -> Tensor:
    """How much of each of ``cells`` equal cells the interval covers, [cells] in 0..1."""
    first, last = round(start * cells, 6), round(stop * cells, 6)  # 0.3 * 10 shall not touch a fourth cell
    left = torch.arange(cells, dtype=torch.float64)
    covered = torch.clamp(left + 1, max=last) - torch.clamp(left, min=first)
    return covered.clamp(0.0, 1.0).to(torch.float32)


def resize_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """[H, W] or [B, H, W] -> the same at height x width, by area, so that what is covered stays covered."""
    if mask.shape[-2:] == (height, width):
        return mask
    stack = mask if mask.ndim == 3 else mask[None]
    shrinking = height <= mask.shape[-2] and width <= mask.shape[-1]
    mode = {"mode": "area"} if shrinking else {"mode": "bilinear", "antialias": True, "align_corners": False}
    with torch.inference_mode(False):
        resized = functional.interpolate(stack.clone()[:, None], size=(height, width), **mode)[:, 0].clamp(0.0, 1.0)
        return resized if mask.ndim == 3 else resized[0]


def bounds(mask: Tensor, threshold: float = 0.5) -> Box:
    """Smallest box around what lies above the threshold (or above 0, where nothing does); WHOLE if empty."""
    inside = mask > threshold
    if not bool(inside.any()):
        inside = mask > 0
    if not bool(inside.any()):
        return WHOLE
    height, width = mask.shape
    rows = torch.nonzero(inside.any(dim=1)).flatten()
    columns = torch.nonzero(inside.any(dim=0)).flatten()
    return (
        int(columns[0]) / width,
        int(rows[0]) / height,
        (int(columns[-1]) + 1) / width,
        (int(rows[-1]) + 1) / height,
    )


def area(box: Box) -> float:
    """Share of the picture inside the box; 0 for a box turned inside out."""
    x0, y0, x1, y1 = box
    return max(x1 - x0, 0.0) * max(y1 - y0, 0.0)


def area_ratio(mask: Tensor) -> float:
    """Share of the picture that a mask covers."""
    return float(mask.mean(dtype=torch.float64)) if mask.numel() else 0.0


def intersection(a: Box, b: Box) -> Box:
    """What two boxes share (of zero area if nothing)."""
    x0, y0 = max(a[0], b[0]), max(a[1], b[1])
    return x0, y0, max(min(a[2], b[2]), x0), max(min(a[3], b[3]), y0)


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    shared = area(intersection(a, b))
    union = area(a) + area(b) - shared
    return shared / union if union > 0 else 0.0


def mask_iou(a: Tensor, b: Tensor) -> float:
    """Intersection over union of two masks [H, W] of one size, for soft masks by minimum and maximum."""
    union = float(torch.maximum(a, b).sum(dtype=torch.float64))
    return float(torch.minimum(a, b).sum(dtype=torch.float64)) / union if union > 0 else 0.0


def to_pixels(box: Box, height: int, width: int) -> PixelBox:
    """The host's BOUNDING_BOX: whole pixels, at least one each way, inside the picture."""
    x0, y0, x1, y1 = box
    left, right = _whole_pixels(x0, x1, width)
    top, bottom = _whole_pixels(y0, y1, height)
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def _whole_pixels(start: float, stop: float, size: int) -> tuple[int, int]:
    first = min(max(round(start * size), 0), size - 1)
    return first, min(max(round(stop * size), first + 1), size)


def from_pixels(x: float, y: float, box_width: float, box_height: float, height: int, width: int) -> Box:
    """A box given in pixels of a height x width picture, as fractions of it (not clamped)."""
    return x / width, y / height, (x + box_width) / width, (y + box_height) / height
