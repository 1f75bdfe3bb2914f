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

    The colours' opacity follows the heat: cold places stay the image as it is, and where the heat is 1 the colours
    cover it with ``opacity``. Towards 1 the cold places are covered too, until there are the colours alone.
    """
    cover = (opacity * heat.clamp(0, 1) ** (2 - 2 * opacity)).unsqueeze(-1)
    return images * (1 - cover) + colorize(heat, colormap) * cover


def outline(pictures: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Draw a thin line along the inner edge of masks ``[..., H, W]`` into pictures ``[..., H, W, 3]``.

    Light beside dark, so that it shows on any ground.
    """
    inside = mask.flatten(0, -3)[:, None].float() if mask.ndim > 2 else mask[None, None].float()
    width = max(1, round(min(mask.shape[-2:]) / 320))

    def shrunk(by: int) -> torch.Tensor:
        padded = torch.nn.functional.pad(1 - inside, (by, by, by, by))  # the picture's own edge is no outline
        return 1 - torch.nn.functional.max_pool2d(padded, 2 * by + 1, stride=1)

    light = (inside - shrunk(width)).view(mask.shape).unsqueeze(-1)
    dark = (shrunk(width) - shrunk(2 * width)).view(mask.shape).unsqueeze(-1)
    return pictures * (1 - light) * (1 - 0.55 * dark) + light
