"""Between ComfyUI's tensor layouts and the library's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def image_to_core(image: torch.Tensor) -> torch.Tensor:
    """IMAGE BHWC -> BCHW."""
    return image.movedim(-1, 1)


def maps_to_mask(maps: torch.Tensor) -> torch.Tensor:
    """Maps [K, B, H, W] -> MASK [K * B, H, W], prompt by prompt."""
    return maps.flatten(0, 1)
