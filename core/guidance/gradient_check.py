"""Is the gradient that autograd gives the gradient of what a network computes?

Networks that are made for inference cut it without a word: a tensor handed on detached, a state kept from call to
call, an operation without a derivative. Differences along random directions show what is missing; along the gradient
itself they would not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_DIRECTIONS = 3
# Relative step, and the error that is still put down to rounding and curvature, by bytes of an element.
_STEP = {4: 1e-4, 2: 0.05}  # small: the kinks of ReLUs within a step count as errors
_TOLERANCE = {4: 0.15, 2: 0.25}  # a path cut between frames costs .4 and more


def gradient_error(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, element: int = 4) -> float:
    """Relative error of a gradient, and of what is computed when gradients are recorded.

    Args:
        function: called in ``grad_mode.gradients()`` and again without gradients; same input, same result.
        x: where to look, any shape; twice as many evaluations as directions are made, and two more.
        element: bytes of the numbers that ``function`` computes with.

    Returns:
        The larger of |autograd − differences| / |differences| over random directions of a random functional, and
        |recorded − plain| / |plain|. Infinite where either is not finite, and where nothing depends on ``x``.
    """
    generator = torch.Generator().manual_seed(0)

    def random(like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=generator).to(like.device, torch.float32)

    x = x.detach().float()
    with torch.no_grad():
        plain = function(x).float()
    functional = random(plain)
    leaf = x.clone().requires_grad_()
    recorded = function(leaf).float()
    if not recorded.requires_grad:
        return float("inf")
    (gradient,) = torch.autograd.grad((recorded * functional).sum(), leaf, allow_unused=True)
    step = _STEP[element] * float(x.square().mean().sqrt().clamp(min=1e-3))
    slopes, differences = [], []
    for _ in range(_DIRECTIONS):
        direction = random(x)
        with torch.no_grad():
            change = function(x + step * direction).float() - function(x - step * direction).float()
        differences.append((change * functional).sum() / (2 * step))
        slopes.append(torch.zeros(()) if gradient is None else (gradient * direction).sum())
    slope, difference = torch.stack(slopes).cpu(), torch.stack(differences).cpu()
    if not difference.any():
        return float("inf")
    error = float((slope - difference).norm() / difference.norm())
    same = float((recorded.detach() - plain).norm() / plain.norm().clamp(min=1e-12))
    found = max(error, same)
    return found if found == found else float("inf")


def is_right(error: float, element: int = 4) -> bool:
    """Whether an error is no more than rounding and curvature explain."""
    return error <= _TOLERANCE[element]


class through_detach(TorchFunctionMode):
    """Inside, ``detach`` hands on the tensor with its gradient: what a network carries from frame to frame counts."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.Tensor.detach, torch.detach):
            return args[0]
        return func(*args, **(kwargs or {}))
