"""Random windows of a picture, with every mask moved along.

CLIP sees the picture through several windows of different place, size and aspect ratio, so that the gradient holds
for the picture and not for one sampling grid. A window is resized by two matrices, one for its rows and one for its
columns: antialiased, differentiable, and deterministic on every device (interpolation's backward pass is not).
"""

from __future__ import annotations

import hashlib
import struct
from typing import Literal

import torch

Kernel = Literal["triangle", "cubic"]

SMALLEST_SIDE = 0.6


def seeded_generator(seed: int, sigma: float, repeat: int = 0) -> torch.Generator:
    """A generator that depends on nothing else: reruns, and samplers that return to a sigma, see the same windows.

    Private, so that the sampler's own noise is what it would be without guidance.
    """
    digest = hashlib.blake2b(struct.pack("<qdq", seed % 2**63, sigma, repeat), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") % 2**63)


def draw_windows(count: int, generator: torch.Generator, smallest: float = SMALLEST_SIDE) -> torch.Tensor:
    """``count`` windows ``[count, 4]`` as (top, left, height, width) in fractions of the picture, on the CPU.

    The first is the whole picture; the sides of the others are drawn independently from ``smallest``..1 (so they
    stretch it, too) and their places from the room that is left.
    """
    random = torch.rand(count, 4, generator=generator)
    sides = smallest + (1 - smallest) * random[:, 2:]
    windows = torch.cat([random[:, :2] * (1 - sides), sides], dim=1)
    windows[:1] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    return windows


def cut(images: torch.Tensor, windows: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Windows of ``[..., H, W]``, resized: ``[windows, ..., *size]``. Differentiable with respect to the images."""
    top, left, height, width = windows.to(torch.float64).unbind(dim=1)
    rows = resampling_matrix(images.shape[-2], size[0], top, height).to(images)
    columns = resampling_matrix(images.shape[-1], size[1], left, width).to(images)
    between = (slice(None), *(None,) * (images.dim() - 2))
    return rows[between] @ images @ columns[between].transpose(-2, -1)


def resample(images: torch.Tensor, size: tuple[int, int], kernel: Kernel = "triangle") -> torch.Tensor:
    """The whole of ``[..., H, W]`` at another size, as ``F.interpolate`` with antialiasing does it."""
    start, length = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    rows = resampling_matrix(images.shape[-2], size[0], start, length, kernel)[0].to(images)
    columns = resampling_matrix(images.shape[-1], size[1], start, length, kernel)[0].to(images)
    return rows @ images @ columns.T


def keep_masked(pixels: torch.Tensor, masks: torch.Tensor, blank: tuple[float, ...]) -> torch.Tensor:
    """``[n, B, 3, h, w]`` inside the masks ``[n, ., .]`` of 0..1; outside them the colour ``blank`` (CLIP's mean is
    what its input calls 0)."""
    shapes = resample(masks, (pixels.shape[-2], pixels.shape[-1])).to(pixels)[:, None, None]
    return pixels * shapes + torch.tensor(blank).to(pixels).view(3, 1, 1) * (1 - shapes)


def resampling_matrix(
    source: int, target: int, start: torch.Tensor, length: torch.Tensor, kernel: Kernel = "triangle"
) -> torch.Tensor:
    """Matrices ``[n, target, source]`` that resample the intervals ``start .. start + length`` (fractions, ``[n]``).

    Row i holds the weights of the source samples around target sample i; they sum to 1, and the kernel widens where
    the interval has more source samples than ``target``.
    """
    step = length * source / target
    centres = (
        (start * source).unsqueeze(1) + (torch.arange(target, dtype=torch.float64) + 0.5) * step.unsqueeze(1) - 0.5
    )
    distance = (torch.arange(source, dtype=torch.float64) - centres.unsqueeze(-1)).abs()
    weights = _KERNELS[kernel](distance / step.clamp(min=1).view(-1, 1, 1))
    return weights / weights.sum(dim=-1, keepdim=True)


def _triangle(distance: torch.Tensor) -> torch.Tensor:
    return (1 - distance).clamp(min=0)


def _cubic(distance: torch.Tensor) -> torch.Tensor:
    """Keys' kernel with a = -0.5, as PyTorch's antialiased bicubic."""
    a, x = -0.5, distance
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


_KERNELS = {"triangle": _triangle, "cubic": _cubic}
