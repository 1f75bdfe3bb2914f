"""Where an object should be: boxes, masks, and the spatial constraint made of them (NTLB, section 5.3).

A box is ``(x0, y0, x1, y1)`` as fractions of the picture, x to the right and y down. A mask is a float tensor
[H, W] in 0..1. Box masks hold each pixel's covered share, so that a box keeps its exact area on any grid and
a box thinner than a pixel does not vanish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Box = tuple[float, float, float, float]
PixelBox = dict[str, int]  # the host's BOUNDING_BOX: {"x", "y", "width", "height"}

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class SpatialConstraint:
    """One object and the place it should take.

    Attributes:
        label: the object in the user's words, as shown in lists ("a red car").
        prompt: the text given to CLIP, the label put into the node's template ("a photo of a red car").
        mask: [H, W] float32 in 0..1 on the CPU, never an inference tensor (autograd may save it).
        box: the box the mask was made from; for a free-form mask None (``bounds`` gives its extent).
        weight: share of this object beside the others; 1 is neutral, 0 leaves it out of a loss.
        color: "#rrggbb" in which editor and preview show it.
    """

    label: str
    prompt: str
    mask: Tensor
    box: Box | None = None
    weight: float = 1.0
    color: str = "#4d9de0"

    @property
    def area_ratio(self) -> float:
        """Share of the picture that the mask covers (the ratio in NTLB's lambda = 0.15 / sqrt(ratio))."""
        return area_ratio(self.mask)

    @property
    def bounds(self) -> Box:
        """The box, or the smallest box around a free-form mask."""
        return self.box if self.box is not None else bounds(self.mask)

    def mask_at(self, height: int, width: int) -> Tensor:
        """The mask on another grid: boxes drawn anew, free-form masks resampled."""
        if self.mask.shape == (height, width):
            return self.mask
        if self.box is not None:
            return box_mask(self.box, height, width)
        return resize_mask(self.mask, height, width)


Constraints = tuple[SpatialConstraint, ...]  # what travels as EXPLAINABILITY_CONSTRAINTS


def from_box(
    label: str, box: Box, height: int, width: int, *, prompt: str = "", weight: float = 1.0, color: str = ""
) -> SpatialConstraint:
    """A constraint whose mask is the box on a height x width grid."""
    mask = box_mask(box, height, width)
    return SpatialConstraint(label, prompt or label, mask, box, weight, color or SpatialConstraint.color)


def from_mask(label: str, mask: Tensor, *, prompt: str = "", weight: float = 1.0, color: str = "") -> SpatialConstraint:
    """A constraint of any shape. mask: [H, W], any float dtype and device."""
    with torch.inference_mode(False):
        plain = mask.detach().to("cpu", torch.float32, copy=True).nan_to_num(0.0).clamp_(0.0, 1.0)
    return SpatialConstraint(label, prompt or label, plain, None, weight, color or SpatialConstraint.color)


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


def masks(constraints: Sequence[SpatialConstraint]) -> Tensor:
    """The masks as one batch [N, H, W], at the first one's size; [0, 1, 1] for none."""
    if not constraints:
        return torch.zeros(0, 1, 1)
    height, width = constraints[0].mask.shape
    return torch.stack([each.mask_at(height, width) for each in constraints])
