"""Whether gradients go through the denoiser: tried before sampling, not assumed.

Full route: the gradient is taken with respect to the noisy latents, through decoder and denoiser. Cheap route: with
respect to the denoised prediction, through the decoder alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

from ..grad_mode import gradients, normal
from .differentiable import NoDerivativeError

Wanted = Literal["auto", "full", "cheap"]

# What evaluating a network again in the same way may differ by, as a share of the noise in the latents: fused kernels
# and other batches round differently in half precision.
_SAME = 0.05
_RIGHT = 0.05
_STEP = 0.02

# What networks raise that were not made for gradients. Interrupts are none of these.
FAILURES = (RuntimeError, TypeError, ValueError, NotImplementedError, AttributeError, LookupError, AssertionError)


@dataclass(frozen=True)
class Choice:
    """A route, and why.

    Attributes:
        full: whether gradients go through the denoiser.
        reason: in words, for the log and the report.
        error: relative error of the gradient through the denoiser along a random direction, where it was tried.
    """

    full: bool
    reason: str
    error: float | None = None

    @property
    def route(self) -> str:
        return "full" if self.full else "cheap"


def try_full(
    denoise: Callable[[torch.Tensor], torch.Tensor],
    noisy: torch.Tensor,
    denoised: torch.Tensor | None,
    scope: Callable[[], AbstractContextManager[object]],
) -> Choice:
    """The full route, where the gradient through a denoiser is that of the sampler's prediction, else the cheap one.

    Takes one evaluation with its gradient and four without.

    Args:
        denoise: noisy latents to a prediction, differentiable; the same input gives the same prediction.
        noisy: the latents that the sampler's model was called with.
        denoised: what it predicted; None where that can't be compared.
        scope: entered around all of it.
    """
    try:
        with gradients(), scope():
            return _tried(denoise, normal(noisy).float(), None if denoised is None else normal(denoised))
    except NoDerivativeError as error:
        return Choice(False, f"the operation {error.operation} has no derivative")
    except FAILURES as error:
        if "out of memory" in str(error).lower():
            return Choice(False, "there is not enough memory for the full route")
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Choice(False, f"the gradient through the model can't be computed: {lines[0]}")


def _tried(
    denoise: Callable[[torch.Tensor], torch.Tensor], noisy: torch.Tensor, denoised: torch.Tensor | None
) -> Choice:
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(noisy.shape, generator=generator).to(noisy.device)
    step = _STEP * float(noisy.square().mean().sqrt().clamp(min=1e-6))

    def change(factor: int) -> torch.Tensor:
        with torch.no_grad():
            return (denoise(noisy + factor * step * direction) - denoise(noisy - factor * step * direction)).float()

    # Seen along the change that a random direction makes, so that it stands out from rounding; what it is in truth
    # comes from a second measurement, whose rounding has nothing to do with the first's.
    near, far = change(1), change(2)
    functional = near / near.norm().clamp(min=1e-20)
    slope = float((functional * far).sum()) / (4 * step)
    rounding = float((near - far / 2).square().mean().sqrt()) / 1.6 * 1.5 / (4 * step)

    leaf = noisy.clone().requires_grad_()
    again = denoise(leaf).float()
    if not again.requires_grad:
        return Choice(False, "the prediction has no gradient")
    if denoised is not None and denoised.isfinite().all():
        noise = (noisy - denoised).square().mean().sqrt().clamp(min=1e-12)
        difference = float((again.detach() - denoised).square().mean().sqrt() / noise)
        if not difference <= _SAME:
            return Choice(False, f"computed again, the prediction is another one (by {difference:.2g} of the noise)")
    (gradient,) = torch.autograd.grad((again * functional).sum(), leaf)
    found = float((gradient * direction).sum())
    error = abs(found - slope) / max(abs(slope), 1e-20)
    if not abs(found - slope) <= _RIGHT * abs(slope) + 3 * rounding:
        return Choice(
            False, f"the gradient through the model is {100 * error:.0f} % off along a random direction", error
        )
    return Choice(True, "its gradient was tried and is right", error)
