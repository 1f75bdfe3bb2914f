"""Operations that a host made for speed get the derivatives of what they compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import comfy_kitchen
import pytest
import torch
from clip_explainability.core.guidance.differentiable import Differentiable, NoDerivativeError, saved_copies
from torch.nn import functional as F

Tensor = torch.Tensor


def rotated(x: Tensor, pairs: Callable[[Tensor], Tensor], turns: Tensor) -> Tensor:
    """Rotary embedding written as a matrix product; ``pairs`` brings ``[..., D]`` to ``[..., D / 2, 2]``."""
    return torch.einsum("...dij,...dj->...di", turns, pairs(x))


def neighbours(x: Tensor) -> Tensor:
    return x.unflatten(-1, (-1, 2))


def halves(x: Tensor) -> Tensor:
    return x.unflatten(-1, (2, -1)).transpose(-1, -2)


def normed(x: Tensor, scale: Tensor) -> Tensor:
    return x / (x.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt() * scale


ROPES = {"": neighbours, "_split_half": halves}


def operations() -> Iterator[tuple[str, Callable[[Tensor, Tensor, Tensor], list[Tensor]], Callable[..., list[Tensor]]]]:
    """Name, a call of comfy-kitchen and the plain formula, both of ``(x, turns, scale)``."""
    kitchen = comfy_kitchen
    for layout, pairs in ROPES.items():
        flat = (lambda r: r.flatten(-2)) if not layout else (lambda r: r.transpose(-1, -2).flatten(-2))

        def rope(x: Tensor, turns: Tensor, scale: Tensor, pairs=pairs, flat=flat) -> list[Tensor]:  # type: ignore[no-untyped-def]
            return [flat(rotated(x, pairs, turns)), flat(rotated(2 * x, pairs, turns))]

        def rms(x: Tensor, turns: Tensor, scale: Tensor, pairs=pairs, flat=flat) -> list[Tensor]:  # type: ignore[no-untyped-def]
            return [flat(rotated(normed(each, scale), pairs, turns)) for each in (x, 2 * x)]

        for kind, plain in (("apply_rope", rope), ("rms_rope", rms)):
            for one in ("", "1"):
                name = f"{kind}{layout}{one}"

                def fused(x: Tensor, turns: Tensor, scale: Tensor, name=name) -> list[Tensor]:  # type: ignore[no-untyped-def]
                    tail = (turns, scale) if name.startswith("rms") else (turns,)
                    function = getattr(kitchen, name)
                    if name.endswith("1"):
                        return [function(x, *tail), function(2 * x, *tail)]
                    return list(function(x, 2 * x, *tail))

                def in_place(x: Tensor, turns: Tensor, scale: Tensor, name=name) -> list[Tensor]:  # type: ignore[no-untyped-def]
                    tail = (turns, scale) if name.startswith("rms") else (turns,)
                    written = [x * 1, x * 2]
                    function = getattr(kitchen, f"{name}_")
                    if name.endswith("1"):
                        for each in written:
                            function(each, *tail)
                    else:
                        function(*written, *tail)
                    return written

                yield name, fused, plain
                yield f"{name}_", in_place, plain
    yield (
        "adaln",
        lambda x, turns, scale: [kitchen.adaln(x, scale, scale / 2)],
        lambda x, turns, scale: [F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + scale / 2],
    )
    yield (
        "rms_adaln",
        lambda x, turns, scale: [kitchen.rms_adaln(x, scale, scale / 2)],
        lambda x, turns, scale: [normed(x, torch.ones(())) * (1 + scale) + scale / 2],
    )


OPERATIONS = {name: (fused, plain) for name, fused, plain in operations()}


@pytest.mark.parametrize("name", OPERATIONS)
def test_fused_kernels_have_the_gradient_of_the_plain_formula(name: str) -> None:
    fused, plain = OPERATIONS[name]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 5, 8, generator=generator, requires_grad=True)
    turns = torch.randn(1, 1, 5, 4, 2, 2, generator=generator)
    scale = torch.rand(8, generator=generator) + 0.5
    with Differentiable(), saved_copies():
        found = fused(x, turns, scale)
    expected = plain(x, turns, scale)
    weights = [torch.randn(each.shape, generator=generator) for each in expected]
    gradients = [
        torch.autograd.grad(sum((w * y).sum() for w, y in zip(weights, outputs, strict=True)), x)[0]
        for outputs in (found, expected)
    ]
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert torch.allclose(*gradients, rtol=1e-4, atol=1e-4)


def test_nothing_of_it_stays() -> None:
    def fail() -> None:
        with Differentiable():
            comfy_kitchen.adaln(torch.rand(1, 4, requires_grad=True), torch.rand(4), torch.rand(4))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not hasattr(comfy_kitchen.registry._thread_local, "backend_override")
    assert torch.overrides._len_torch_function_stack() == 0


def opaque(name: str) -> Callable[[Tensor], Tensor]:
    """A custom operator whose body autograd can't look into, as a compiled kernel's."""

    @torch.library.custom_op(f"clip_explainability_test::{name}", mutates_args=())
    def operator(x: Tensor) -> Tensor:
        return torch.from_numpy(x.detach().numpy() * 2)

    return operator


def test_what_has_no_derivative_is_named() -> None:
    double = opaque("double")
    x = torch.rand(3, requires_grad=True)
    with Differentiable():
        assert torch.equal(double(x.detach()), 2 * x.detach())
        with pytest.raises(NoDerivativeError, match="clip_explainability_test::double has no derivative"):
            double(x)


def test_an_operator_with_a_derivative_keeps_it() -> None:
    triple = opaque("triple")
    triple.register_autograd(lambda ctx, g: g * 7)  # type: ignore[attr-defined]
    x = torch.rand(3, requires_grad=True)
    with Differentiable():
        (gradient,) = torch.autograd.grad(triple(x).sum(), x)
    assert gradient.tolist() == [7, 7, 7]


def test_results_written_into_given_memory() -> None:
    x = torch.rand(3, requires_grad=True)
    with Differentiable(), saved_copies():
        out = torch.empty(2, 3)
        torch.mul(x, x, out=out[0])
        torch.add(x, 1, out=out[1])
        (gradient,) = torch.autograd.grad(out.sum(), x)
    assert torch.allclose(gradient, 2 * x + 1)


def test_inference_tensors_outside_modules() -> None:
    with torch.inference_mode():
        weight, more = torch.rand(3), [torch.rand(3)]
    x = torch.rand(3, requires_grad=True)
    with Differentiable():
        (gradient,) = torch.autograd.grad((torch.stack([x * weight, *more]) * x).sum(), x)
        weight.add_(0)  # in place, outside of inference mode
    assert torch.allclose(gradient, 2 * x.detach() * weight + more[0])


def test_what_is_written_over_later_is_saved_as_it_was() -> None:
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    shared = torch.rand(3, dtype=torch.float64)

    def overwrites(x: Tensor) -> Tensor:
        y = x.sin()
        z = y * y + x * shared.fill_(2)
        y *= 3
        return z + y + x * shared.fill_(5)

    with saved_copies():
        assert torch.autograd.gradcheck(overwrites, x)
