"""Heat to colour."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import InputError

COLORMAPS = ("turbo", "inferno", "viridis", "magma", "jet", "hot", "gray")


def colorize(heat: torch.Tensor, colormap: str) -> torch.Tensor:
    """``[..., H, W]`` in 0..1 to ``[..., H, W, 3]`` in 0..1 by one of matplotlib's colormaps."""
    import matplotlib

    if colormap not in matplotlib.colormaps:
        raise InputError(f"colormap is {colormap!r}; choose one of: {', '.join(COLORMAPS)}")
    table = np.asarray(matplotlib.colormaps[colormap](np.linspace(0, 1, 256)), dtype=np.float32)[:, :3]
    return torch.from_numpy(table)[(heat.clamp(0, 1) * 255).round().long()]


def overlay(images: torch.Tensor, heat: torch.Tensor, colormap: str, opacity: float) -> torch.Tensor:
    """Lay coloured heat ``[K, B, H, W]`` over images ``[B, H, W, 3]``: ``[K, B, H, W, 3]``.

    ``opacity`` 0 shows the image alone, 1 the colours alone.
    """
    return images * (1 - opacity) + colorize(heat, colormap) * opacity
