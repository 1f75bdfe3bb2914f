"""Where an object should be: the spatial constraint of NTLB, section 5.3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from . import geometry
from .geometry import Box


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
        return geometry.area_ratio(self.mask)

    @property
    def bounds(self) -> Box:
        """The box, or the smallest box around a free-form mask."""
        return self.box if self.box is not None else geometry.bounds(self.mask)

    def mask_at(self, height: int, width: int) -> Tensor:
        """The mask on another grid: boxes drawn anew, free-form masks resampled."""
        if self.mask.shape == (height, width):
            return self.mask
        if self.box is not None:
            return geometry.box_mask(self.box, height, width)
        return geometry.resize_mask(self.mask, height, width)


Constraints = tuple[SpatialConstraint, ...]  # what travels as EXPLAINABILITY_CONSTRAINTS


def from_box(
    label: str, box: Box, height: int, width: int, *, prompt: str = "", weight: float = 1.0, color: str = ""
) -> SpatialConstraint:
    """A constraint whose mask is the box on a height x width grid."""
    mask = geometry.box_mask(box, height, width)
    return SpatialConstraint(label, prompt or label, mask, box, weight, color or SpatialConstraint.color)


def from_mask(label: str, mask: Tensor, *, prompt: str = "", weight: float = 1.0, color: str = "") -> SpatialConstraint:
    """A constraint of any shape. mask: [H, W], any float dtype and device."""
    with torch.inference_mode(False):
        plain = mask.detach().to("cpu", torch.float32, copy=True).nan_to_num(0.0).clamp_(0.0, 1.0)
    return SpatialConstraint(label, prompt or label, plain, None, weight, color or SpatialConstraint.color)


def masks(constraints: Sequence[SpatialConstraint]) -> Tensor:
    """The masks as one batch [N, H, W], at the first one's size; [0, 1, 1] for none."""
    if not constraints:
        return torch.zeros(0, 1, 1)
    height, width = constraints[0].mask.shape
    return torch.stack([each.mask_at(height, width) for each in constraints])
