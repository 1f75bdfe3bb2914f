"""Pick Spatial Constraint: one object out of several, for nodes that know nothing of constraints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from ..core.errors import InputError
from .box_spatial_constraint import EXPLAINABILITY_CONSTRAINTS
from .category import BOXES

if TYPE_CHECKING:
    import torch

    from ..core.boxes.constraint import Constraints
    from ..core.boxes.geometry import PixelBox


class PickSpatialConstraint:
    """Hands out one object of a layout: text for CLIP Text Encode, mask for Conditioning (Set Mask)."""

    NODE_ID = "PickSpatialConstraint"
    DISPLAY_NAME = "Pick Spatial Constraint"
    DESCRIPTION = (
        "Takes one object out of the constraints. Its prompt and mask fit CLIP Text Encode and "
        "Conditioning (Set Mask), which makes regional prompts from the boxes you drew."
    )
    SEARCH_ALIASES: ClassVar = ["regional prompt", "region", "box", "select constraint", "area prompt"]
    CATEGORY = BOXES
    FUNCTION = "pick"
    RETURN_TYPES = ("STRING", "MASK", "BOUNDING_BOX", "FLOAT", "STRING")
    RETURN_NAMES = ("prompt", "mask", "bbox", "weight", "label")
    OUTPUT_TOOLTIPS = (
        "The object's text, with the template around it.",
        "The object's mask, as a batch of one.",
        "The object's box in pixels (for a mask, the box around it).",
        "The object's weight.",
        "The object's label alone.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "constraints": (EXPLAINABILITY_CONSTRAINTS, {"tooltip": "From Box Spatial Constraint."}),
                "number": (
                    "INT",
                    {"default": 1, "min": 1, "max": 10_000, "tooltip": "Number of the object in the list, from 1."},
                ),
            }
        }

    def pick(self, constraints: Constraints, number: int) -> tuple[str, torch.Tensor, PixelBox, float, str]:
        if not 1 <= number <= len(constraints):
            raise InputError(
                f"number is {number}, but there are {len(constraints)} objects; use 1 to {len(constraints)}"
            )
        one = constraints[number - 1]
        height, width = one.mask.shape
        return (
            one.prompt,
            one.mask[None],
            core.boxes.geometry.to_pixels(one.bounds, height, width),
            one.weight,
            one.label,
        )
