"""How much memory a guided step takes, known before it is taken."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ..clip import ExplainableCLIP
from ..grad_mode import gradients

if TYPE_CHECKING:
    from .guide import Guide

# Tensors of the residual's width that a transformer block keeps for its backward pass (Korthikanti et al. 2022,
# section 4.1, count 34 bytes at 2 bytes an element).
_KEPT_PER_TOKEN = 17

# A pass through the image tower takes no more pictures than keep about this much. A fixed number: what shares a pass
# must not depend on the memory that happens to be free, or equal seeds would give unequal pictures.
PASS_BYTES = 2 * 2**30

# What a decoder with checkpointed blocks takes in its backward pass, in units of a decoding without gradients.
BACKWARD = 3


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors made inside, those that a graph has saved included.

    Attributes:
        now: alive at the moment.
        peak: alive at once, at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._seen: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        returned = func._schema.returns
        values = result if isinstance(result, tuple | list) else (result,)
        for place, value in enumerate(values):
            # Views and what is written in place have no memory of their own.
            if isinstance(value, torch.Tensor) and returned[min(place, len(returned) - 1)].alias_info is None:
                self._count(value.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage in self._seen:
            return
        size = storage.nbytes()
        self._seen.add(storage)
        weakref.finalize(storage, self._forget, size).atexit = False
        self.now += size
        self.peak = max(self.peak, self.now)

    def _forget(self, size: int) -> None:
        self.now -= size


def bytes_of_gradient(
    function: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    between: int = 0,
    scope: Callable[[], AbstractContextManager[object]] | None = None,
) -> int:
    """What a forward and a backward pass take at most beside the weights, without running them: every operation is done
    on tensors that have a shape and no numbers.

    Args:
        function: of ``x``, through any networks.
        between: what is taken beside the graph between the two passes (CLIP's pass).
        scope: entered around all work, as for the real pass.

    Raises:
        RuntimeError: the function asks for numbers, or has an operation that nobody has described for such tensors.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    scope = scope or gradients
    with gradients(), scope(), FakeTensorMode(allow_non_fake_inputs=True), LiveBytes() as live:
        leaf = torch.empty(x.shape, dtype=x.dtype, device=x.device, requires_grad=True)
        result = function(leaf)
        peak = max(live.peak, live.now + between)
        torch.autograd.grad(result, leaf, torch.ones_like(result))
        return max(peak, live.peak)


def bytes_of_pass(clip: ExplainableCLIP, pictures: int) -> int:
    """What the image tower takes at most for so many pictures, split into passes."""
    each = bytes_per_view(clip)
    return max(each, min(pictures * each, PASS_BYTES))


def bytes_of_views(guide: Guide, pictures: int) -> int:
    """What CLIP takes at most for the windows of so many pictures."""
    return bytes_of_pass(guide.objective.clip, pictures * guide.objective.views(guide.settings.cutouts))


def bytes_per_view(clip: ExplainableCLIP) -> int:
    """What one picture's pass through the image tower keeps for the backward pass, about."""
    tower = clip.vision
    tokens = tower.prefix + tower.grid[0] * tower.grid[1]
    element = 2 if clip.dtype.itemsize == 2 else 4
    height, width = tower.image_size
    pixels = 8 * 3 * height * width * element
    if tower.blocks == 0:  # a feature map's tower keeps other maps; 60 times its input covers open_clip's ResNets
        return pixels + 60 * 3 * height * width * element
    return pixels + tower.blocks * tokens * _width(clip) * _KEPT_PER_TOKEN * element


def _width(clip: ExplainableCLIP) -> int:
    visual = clip.model.visual
    trunk = getattr(visual, "trunk", None)
    if trunk is not None:
        return int(trunk.embed_dim)
    return int(visual.class_embedding.shape[-1])
