"""The gradient through a denoiser is tried before it is trusted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
import torch
from clip_explainability.core.guidance.differentiable import Differentiable
from clip_explainability.core.guidance.route import Choice, try_full

Tensor = torch.Tensor
MIX = torch.randn(12, 12, generator=torch.Generator().manual_seed(1)) / 12**0.5


def mixed(x: Tensor) -> Tensor:
    """A small network that mixes all elements of a sample."""
    return (torch.tanh(x.flatten(1)) @ MIX).reshape(x.shape)


def tried(denoise: Callable[[Tensor], Tensor], predicted: Callable[[Tensor], Tensor] | None = None) -> Choice:
    noisy = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    return try_full(denoise, noisy, (predicted or denoise)(noisy), Differentiable)


def test_a_right_gradient_is_taken() -> None:
    choice = tried(mixed)
    assert choice.full
    assert choice.error == pytest.approx(0, abs=0.01)


def test_rounding_of_half_precision_is_no_fault() -> None:
    assert tried(lambda x: mixed(x) + 1e-3 * torch.randn_like(x), mixed).full


def test_a_part_that_is_left_out_is_noticed() -> None:
    choice = tried(lambda x: mixed(x.detach()) + 0.5 * x)
    assert not choice.full
    assert "off along a random direction" in choice.reason


def test_another_prediction_is_noticed() -> None:
    choice = tried(mixed, lambda x: mixed(x) * 0.7)
    assert not choice.full
    assert "the prediction is another one" in choice.reason


def test_a_prediction_without_gradient_and_one_that_fails() -> None:
    def fails(x: Tensor) -> Tensor:
        if x.requires_grad:
            raise RuntimeError("element 0 of tensors does not require grad")
        return mixed(x)

    assert "no gradient" in tried(lambda x: mixed(x).detach()).reason
    assert "does not require grad" in tried(fails).reason


def test_cancel_goes_through() -> None:
    class Cancelled(Exception):
        pass

    def cancelled(x: Tensor) -> Tensor:
        raise Cancelled

    with pytest.raises(Cancelled):
        try_full(cancelled, torch.rand(1, 3, 2, 2), None, contextlib.nullcontext)
