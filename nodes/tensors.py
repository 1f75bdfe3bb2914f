"""Between ComfyUI's tensor layouts and the library's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import InputError

if TYPE_CHECKING:
    import torch


def image_to_core(image: torch.Tensor, name: str = "image") -> torch.Tensor:
    """IMAGE BHWC -> BCHW.

    Raises:
        InputError: not a four-dimensional tensor.
    """
    if getattr(image, "ndim", 0) != 4:
        shape = tuple(image.shape) if hasattr(image, "shape") else type(image).__name__
        raise InputError(f"{name} is not a batch of images [B, H, W, C] but {shape}; connect an IMAGE output")
    return image.movedim(-1, 1)


def maps_to_mask(maps: torch.Tensor) -> torch.Tensor:
    """Maps [K, B, H, W] -> MASK [K * B, H, W], prompt by prompt."""
    return maps.flatten(0, 1)
