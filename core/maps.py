"""Unnormalised maps to heat in 0..1, and heat to masks."""

from __future__ import annotations

import torch


def normalize_map(maps: torch.Tensor) -> torch.Tensor:
    """Min-max normalise each ``[..., H, W]`` map to 0..1; a constant map becomes all zeros."""
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    span = high - low
    return torch.where(span > 0, (maps - low) / span.clamp(min=torch.finfo(maps.dtype).tiny), 0.0)


def threshold_map(heat: torch.Tensor, threshold: float) -> torch.Tensor:
    """1.0 where heat in 0..1 reaches the threshold, else 0.0. A map without any heat gives an empty mask."""
    return ((heat >= threshold) & (heat.amax(dim=(-2, -1), keepdim=True) > 0)).to(heat.dtype)
