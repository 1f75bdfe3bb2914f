"""Gradients through a large network in little memory, whatever network it is.

Each outermost block (a module held in a ``ModuleList`` or ``Sequential``) forgets its activations after the forward
pass and computes them again in the backward pass: one more forward pass for a fraction of the memory.

PyTorch's own checkpoints give wrong gradients, without a word, for blocks that overwrite activations (``x += y``), as
those of ComfyUI in 2024 do (7 % off); here a block is differentiated by plain autograd, which notices.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch.utils.checkpoint import get_device_states, set_device_states

from .differentiable import saved_copies

_Run = Callable[..., Any]
_Scope = Callable[[], AbstractContextManager[object]]


@contextmanager
def checkpointed_blocks(
    *networks: torch.nn.Module,
    around: _Scope = contextlib.nullcontext,
    copies: bool = False,
    finer: bool = False,
) -> Iterator[None]:
    """Inside, the networks' blocks are checkpointed. Keep the backward pass inside as well.

    The blocks get a ``forward`` of their own for the time, which is removed afterwards. Random numbers that a block
    draws are the same when it is computed again.

    Args:
        around: entered around every block that is computed again: on a GPU that happens in another thread, which
            knows nothing of this one's modes.
        copies: have autograd save copies within blocks (see :func:`.differentiable.saved_copies`); without, only
            those blocks do that overwrite what is saved.
        finer: checkpoint blocks within blocks as well: another forward pass for each level, less memory.
    """
    nesting = _Nesting(around, copies, finer)
    blocks = {id(block): block for network in networks for block in _blocks(network)}
    changed = [block for block in blocks.values() if "forward" not in vars(block)]
    try:
        for block in changed:
            block.forward = _checkpointed(block.forward, nesting)
        yield
    finally:
        for block in changed:
            vars(block).pop("forward", None)


def _blocks(network: torch.nn.Module) -> Iterator[torch.nn.Module]:
    for module in network.modules():
        if isinstance(module, torch.nn.ModuleList | torch.nn.Sequential):
            yield from (child for child in module if not isinstance(child, torch.nn.ModuleList))


class _Nesting:
    """Whether a block is being run: blocks within it are run as they are."""

    def __init__(self, around: _Scope, copies: bool, finer: bool) -> None:
        self.around = around
        self.copies = copies
        self.finer = finer
        self.inside = False

    @contextmanager
    def enter(self) -> Iterator[None]:
        self.inside = not self.finer
        try:
            yield
        finally:
            self.inside = False


def _checkpointed(forward: _Run, nesting: _Nesting) -> _Run:
    def call(*args: Any, **kwargs: Any) -> Any:
        if nesting.inside or not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        tensors: list[torch.Tensor] = []

        def take(x: torch.Tensor) -> torch.Tensor | _Place:
            if not x.requires_grad:
                return x
            tensors.append(x)
            return _Place(len(tensors) - 1)

        skeleton = _replace((args, kwargs), take, torch.Tensor)
        if not tensors:
            return forward(*args, **kwargs)

        def run(*inputs: torch.Tensor) -> Any:
            # Copies, for a block may write into its arguments, and the second pass must see what the first one saw.
            constants = _replace(skeleton, torch.clone, torch.Tensor)
            filled, named = _replace(constants, lambda place: inputs[place.index].clone(), _Place)
            with nesting.enter():
                return forward(*filled, **named)

        return _Block.apply(run, nesting, *tensors)

    return call


class _Place:
    """Stands for the tensor of that index."""

    def __init__(self, index: int) -> None:
        self.index = index


def _replace(value: Any, change: Callable[[Any], Any], kind: type) -> Any:
    """Nested tuples, lists and dicts, copied, with everything of a kind replaced."""
    if isinstance(value, kind):
        return change(value)
    if type(value) in (tuple, list):
        return type(value)(_replace(each, change, kind) for each in value)
    if type(value) is dict:
        return {key: _replace(each, change, kind) for key, each in value.items()}
    return value


class _Block(torch.autograd.Function):
    """A block that is computed again in the backward pass. Its result is a tensor or a tuple of tensors."""

    @staticmethod
    def forward(ctx: Any, run: _Run, nesting: _Nesting, *inputs: torch.Tensor) -> Any:
        ctx.run, ctx.nesting, ctx.random = run, nesting, _Random(inputs)
        ctx.save_for_backward(*inputs)
        return _owned(run(*inputs))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        inputs = [x.detach().requires_grad_() for x in ctx.saved_tensors]
        with ctx.nesting.around():
            if not ctx.nesting.copies:
                with ctx.random.again():
                    outputs, overwritten = _run_watched(ctx.run, inputs)
                if not overwritten:
                    return None, None, *_differentiate(outputs, inputs, gradients)
                del outputs
            with ctx.random.again(), saved_copies(), torch.enable_grad():
                outputs = ctx.run(*inputs)
            return None, None, *_differentiate(outputs, inputs, gradients)


def _owned(outputs: Any) -> Any:
    """The outputs, copied where they are views: autograd lets nobody write into a view that such a function returns,
    as hosts do (a ControlNet scales its outputs in place)."""
    if isinstance(outputs, tuple):
        return tuple(_owned(each) for each in outputs)
    return outputs.clone() if isinstance(outputs, torch.Tensor) and outputs._is_view() else outputs


class _Random:
    """The random numbers that come next, to be drawn again: on the CPU and on the tensors' devices."""

    def __init__(self, tensors: tuple[torch.Tensor, ...]) -> None:
        self._cpu = torch.get_rng_state()
        self._devices, self._states = get_device_states(*tensors)

    @contextmanager
    def again(self) -> Iterator[None]:
        with torch.random.fork_rng(devices=self._devices):
            torch.set_rng_state(self._cpu)
            set_device_states(self._devices, self._states)
            yield


def _run_watched(run: _Run, inputs: list[torch.Tensor]) -> tuple[Any, bool]:
    """Run with gradients; also whether anything that the graph has saved was overwritten.

    Found out by version counters, not by trying: a backward pass that fails on it leaks its graph (PyTorch 2.15).
    """
    saved: list[tuple[torch.Tensor, int]] = []

    def keep(x: torch.Tensor) -> torch.Tensor:
        x = x.detach()  # shares memory and version counter, and holds no graph
        saved.append((x, x._version))
        return x

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        outputs = run(*inputs)
    return outputs, any(x._version != version for x, version in saved)


def _differentiate(
    outputs: Any, inputs: list[torch.Tensor], gradients: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor | None, ...]:
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    pairs = [(out, g) for out, g in zip(outputs, gradients, strict=True) if g is not None and out.requires_grad]
    return torch.autograd.grad([out for out, _ in pairs], inputs, [g for _, g in pairs], allow_unused=True)
