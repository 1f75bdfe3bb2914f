"""Maps that follow the picture's edges: joint bilateral upsampling (Kopf, Cohen, Lischinski, Uyttendaele 2007).

A map knows patches, the picture knows pixels. Each pixel takes the mean of the map's samples, weighted by how near they
are and by how like their colour is to its own:

    h'(p) = Σ_q w(p, q) h(q) / Σ_q w(p, q),   w(p, q) = exp(-|p - q|² / 2σ_s² - |I(p) - I(q)|² / 2σ_c²)

so heat stops at the edges of things, and the background seen through a handle grows as cold as the rest of it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

# Chosen on the training and validation art of the demo world, see benchmarks/README.md.
REACH = 0.12
"""σ_s as a share of the longer side."""
CONTRAST = 0.2
"""σ_c, for colours in 0..1."""

_SAMPLES = 32  # on the longer side: finer than most patch grids
_PIXELS = 256  # beyond so many on the longer side the result is upsampled
_WEIGHTS_AT_ONCE = 2**23


def follow_edges(
    maps: torch.Tensor, images: torch.Tensor, reach: float = REACH, contrast: float = CONTRAST
) -> torch.Tensor:
    """Redistribute the heat of maps along the edges of their images.

    Args:
        maps: ``[K, B, H, W]``, any range, which the result keeps within.
        images: ``[B, 3, H, W]`` in 0..1, on the device to compute on.
        reach, contrast: σ_s, in shares of the longer side, and σ_c, of colours in 0..1.

    Returns:
        ``[K, B, H, W]`` fp32 on the maps' device. Deterministic on the CPU.
    """
    size: tuple[int, int] = tuple(images.shape[-2:])  # type: ignore[assignment]
    pictures, heat = images.float(), maps.to(images.device, torch.float32).transpose(0, 1)
    coarse, fine = _fit(size, _SAMPLES), _fit(size, _PIXELS)
    samples = _points(_shrink(pictures, coarse), size, reach, contrast)
    values = _shrink(heat, coarse).flatten(2).transpose(1, 2)
    pixels = _points(_shrink(pictures, fine), size, reach, contrast)
    # |p - q|² = |p|² - 2pq + |q|², and softmax does not see |p|²: the weights are an attention over the samples.
    bias = -samples.square().sum(dim=-1).unsqueeze(1) / 2
    chunk = max(1, _WEIGHTS_AT_ONCE // (len(images) * samples.shape[1]))
    parts = [torch.softmax(p @ samples.transpose(1, 2) + bias, dim=-1) @ values for p in pixels.split(chunk, dim=1)]
    followed = torch.cat(parts, dim=1).transpose(1, 2).unflatten(-1, fine)
    if fine != size:
        followed = F.interpolate(followed, size, mode="bilinear", align_corners=False)
    return followed.transpose(0, 1).to(maps.device)


def _fit(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """A size of the same shape whose longer side is at most ``longest``."""
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _shrink(pictures: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(pictures, size, mode="area")


def _points(pictures: torch.Tensor, size: tuple[int, int], reach: float, contrast: float) -> torch.Tensor:
    """Place and colour of every pixel, in units of σ_s and σ_c: ``[B, h * w, 5]``."""
    rows, columns = pictures.shape[-2:]
    longer = max(size)
    y = (torch.arange(rows, device=pictures.device) + 0.5) / rows * size[0] / longer
    x = (torch.arange(columns, device=pictures.device) + 0.5) / columns * size[1] / longer
    place = torch.stack(torch.meshgrid(y, x, indexing="ij")).expand(len(pictures), -1, -1, -1)
    return torch.cat([place / reach, pictures / contrast], dim=1).flatten(2).transpose(1, 2)
