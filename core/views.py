"""Images of any shape through a tower that takes one size: stretch, centre crop, or overlapping tiles.

A *view* is a window of the image that is resized to the tower's size. Maps made on the views are put back at their
place in the image; where tiles overlap they are blended.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F

Fit = Literal["stretch", "crop", "tile"]

# More tiles than this and each is widened instead, so that a 1 x 4096 image stays affordable.
_MAX_TILES = 16
_TILE_OVERLAP = 0.5


@dataclass(frozen=True)
class View:
    """A window of an image in pixels: rows ``top:bottom``, columns ``left:right``."""

    top: int
    left: int
    bottom: int
    right: int


def choose_views(image_size: tuple[int, int], tower_size: tuple[int, int], fit: Fit) -> tuple[View, ...]:
    """Windows of an image of height and width ``image_size`` for a tower of ``tower_size``.

    ``"stretch"``: the whole image, its aspect ratio ignored. ``"crop"``: the largest centred window of the tower's
    aspect ratio. ``"tile"``: as many such windows, overlapping by half, as cover the image (at most 16).
    """
    height, width = image_size
    if fit == "stretch":
        return (View(0, 0, height, width),)
    aspect = tower_size[1] / tower_size[0]
    window_height = max(1, min(height, round(width / aspect)))
    window_width = max(1, min(width, round(height * aspect)))
    if fit == "crop":
        top, left = (height - window_height) // 2, (width - window_width) // 2
        return (View(top, left, top + window_height, left + window_width),)
    rows, window_height = _windows(height, window_height)
    columns, window_width = _windows(width, window_width)
    return tuple(View(t, x, t + window_height, x + window_width) for t in rows for x in columns)


def half_patch_views(view: View, grid: tuple[int, int]) -> tuple[View, ...]:
    """Four windows of a view, a corner each, so much smaller that their patch grids lie half a patch apart.

    A tower cannot say where in a patch an object lies; on grids between the others the same object falls on other
    patches, and the mean of the maps resolves half a patch.

    Args:
        grid: rows and columns of the tower's patches.
    """
    height, width = view.bottom - view.top, view.right - view.left
    down, right = round(height / (2 * grid[0])), round(width / (2 * grid[1]))
    return tuple(
        View(view.top + top, view.left + left, view.bottom - down + top, view.right - right + left)
        for top in (0, down)
        for left in (0, right)
    )


def _windows(length: int, window: int) -> tuple[list[int], int]:
    """Evenly spaced starts of windows that cover ``length``, and the window's (perhaps enlarged) size."""
    if window >= length:
        return [0], length
    count = 1 + math.ceil((length / window - 1) / (1 - _TILE_OVERLAP))
    if count > _MAX_TILES:
        count = _MAX_TILES
        window = math.ceil(length / (1 + (count - 1) * (1 - _TILE_OVERLAP)))
    return [round(i * (length - window) / (count - 1)) for i in range(count)], window


def coarse_views(
    views: tuple[View, ...], image_size: tuple[int, int], grid: tuple[int, int] | None, longest_side: int
) -> tuple[tuple[View, ...], tuple[int, int]]:
    """The views on a copy of the image no finer than it must be to hold their maps, and the copy's height and width.

    One view of the whole image needs no more pixels than the tower has patches; other maps are kept at the image's
    size, or ``longest_side`` where that is smaller, and so are all where there is no grid (they follow edges).
    """
    height, width = image_size
    whole = View(0, 0, height, width)
    scale = min(1.0, longest_side / max(image_size))
    coarse = max(1, round(height * scale)), max(1, round(width * scale))
    if grid is not None and views == (whole,):
        coarse = grid
    down, right = coarse[0] / height, coarse[1] / width

    def shrunk(view: View) -> View:
        top, left = min(round(view.top * down), coarse[0] - 1), min(round(view.left * right), coarse[1] - 1)
        return View(top, left, max(round(view.bottom * down), top + 1), max(round(view.right * right), left + 1))

    return tuple(map(shrunk, views)), coarse


def cut_view(
    images: torch.Tensor, view: View, tower_size: tuple[int, int], interpolation: str = "bicubic"
) -> torch.Tensor:
    """``[B, 3, H, W]`` to ``[B, 3, *tower_size]``, antialiased; values stay in 0..1. Differentiable.

    Args:
        interpolation: "bicubic", or "bilinear" for a CLIP that was trained so (``ExplainableCLIP.interpolation``).
    """
    window = images[..., view.top : view.bottom, view.left : view.right]
    return F.interpolate(window, tower_size, mode=interpolation, antialias=True, align_corners=False).clamp(0, 1)


def merge_maps(patch_maps: list[torch.Tensor], views: tuple[View, ...], image_size: tuple[int, int]) -> torch.Tensor:
    """Patch maps of the views to one map of the image.

    Args:
        patch_maps: one ``[K, B, rows, columns]`` for each view.

    Returns:
        ``[K, B, H, W]``, upsampled bicubically; outside every view (centre crop) the lowest value found inside,
        so that "not looked at" reads as "cold".
    """
    shape = (*patch_maps[0].shape[:2], *image_size)
    total, weights = torch.zeros(shape), torch.zeros(image_size)
    for patch_map, view in zip(patch_maps, views, strict=True):
        size = view.bottom - view.top, view.right - view.left
        upsampled = _upsample(patch_map.float().cpu(), size)
        weight = _tent(size[0]).unsqueeze(1) * _tent(size[1])
        total[..., view.top : view.bottom, view.left : view.right] += upsampled * weight
        weights[view.top : view.bottom, view.left : view.right] += weight
    inside = weights > 0
    merged = total / weights.clamp(min=torch.finfo(weights.dtype).tiny)
    lowest = merged.masked_fill(~inside, float("inf")).amin(dim=(-2, -1), keepdim=True)
    return torch.where(inside, merged, lowest)


def _upsample(patch_map: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bicubic, kept within the map's own range: the kernel's overshoot would draw cold halos around hot patches."""
    upsampled = F.interpolate(patch_map, size, mode="bicubic", align_corners=False)
    low, high = patch_map.amin(dim=(-2, -1), keepdim=True), patch_map.amax(dim=(-2, -1), keepdim=True)
    return torch.minimum(torch.maximum(upsampled, low), high)


def _tent(length: int) -> torch.Tensor:
    """Blending weights that rise from the edges to the middle and are never zero."""
    ramp = torch.arange(1, length + 1, dtype=torch.float32)
    return torch.minimum(ramp, ramp.flip(0)) / ramp.max()
