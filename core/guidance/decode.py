"""From latents to pixels, with gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch


class _Clamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (x,), (gradient,) = ctx.saved_tensors, gradients
        inwards = gradient * (x - x.clamp(0, 1)) >= 0
        return gradient * inwards


def clamp_pixels(x: torch.Tensor) -> torch.Tensor:
    """Clamp to 0..1, whose gradient passes where descending it leads back inside (a plain clamp stops it there, and
    a saturated pixel could never recover)."""
    return _Clamp.apply(x)


def latents_to_rgb(
    latents: torch.Tensor,
    factors: Sequence[Sequence[float]],
    bias: Sequence[float] | None = None,
    reshape: Callable[[torch.Tensor], torch.Tensor] | None = None,
    frames: tuple[int, ...] = (0,),
) -> torch.Tensor:
    """The linear picture of latents that ComfyUI shows as preview: ``pixel = (latent · factors + bias + 1) / 2``.

    Args:
        latents: as the diffusion model predicts them, ``[B, C, h, w]`` or ``[B, C, frames, h, w]``.
        factors: C rows of 3.
        bias: 3 numbers.
        reshape: what the latent format does before (unfolds patches).
        frames: those of a video to show.

    Returns:
        ``[B * frames, 3, h, w]`` in 0..1.
    """
    if reshape is not None:
        latents = reshape(latents)
    if latents.dim() == 5:
        latents = latents[:, :, list(frames)].transpose(1, 2).flatten(0, 1)
    table = torch.tensor(factors, device=latents.device, dtype=latents.dtype)
    rgb = torch.einsum("bchw,cd->bdhw", latents, table)
    if bias is not None:
        rgb = rgb + torch.tensor(bias, device=latents.device, dtype=latents.dtype).view(3, 1, 1)
    return clamp_pixels((rgb + 1) / 2)
