"""Gradients through a large network in little memory, whatever network it is.

Each outermost block (a module held in a ``ModuleList`` or ``Sequential``) forgets its activations after the forward
pass and computes them again in the backward pass: one more forward pass for a fraction of the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint


class _Depth:
    inside = False


@contextmanager
def checkpointed_blocks(*networks: torch.nn.Module) -> Iterator[None]:
    """Inside, the networks' blocks are checkpointed. Keep the backward pass inside as well.

    The blocks get a ``forward`` of their own for the time, which is removed afterwards. Their tensor arguments are
    copied, for some blocks of some hosts change theirs in place, and a second pass over changed input would be wrong.
    """
    depth = _Depth()
    blocks = {id(block): block for network in networks for block in _blocks(network)}
    changed = [block for block in blocks.values() if "forward" not in vars(block)]
    try:
        for block in changed:
            block.forward = _checkpointed(block.forward, depth)
        yield
    finally:
        for block in changed:
            vars(block).pop("forward", None)


def _blocks(network: torch.nn.Module) -> Iterator[torch.nn.Module]:
    for module in network.modules():
        if isinstance(module, torch.nn.ModuleList | torch.nn.Sequential):
            yield from (child for child in module if not isinstance(child, torch.nn.ModuleList))


def _checkpointed(forward: Callable[..., Any], depth: _Depth) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        outside, depth.inside = not depth.inside, True
        try:
            return forward(*args, **kwargs)
        finally:
            if outside:
                depth.inside = False

    def call(*args: Any, **kwargs: Any) -> Any:
        tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor)]
        if depth.inside or not torch.is_grad_enabled() or not any(x.requires_grad for x in tensors):
            return forward(*args, **kwargs)

        def fresh(*inputs: Any, **named: Any) -> Any:
            return run(*map(_copy, inputs), **{name: _copy(x) for name, x in named.items()})

        return checkpoint(fresh, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)

    return call


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value
