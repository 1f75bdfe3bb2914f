"""Weights that autograd accepts, without a copy.

ComfyUI builds models under ``torch.inference_mode``. Their weights are inference tensors, which no graph may save,
whatever is done to them, except copying, or reading the same memory through a tensor made outside that mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import _disable_current_modes

_Slot = tuple[dict[str, torch.Tensor | None], str, torch.Tensor]


def is_of_inference(tensor: torch.Tensor) -> bool:
    """Whether autograd would refuse a tensor, or one that it is made of."""
    if tensor.is_inference():
        return True
    if type(tensor) in (torch.Tensor, torch.nn.Parameter) or not hasattr(tensor, "__tensor_flatten__"):
        return False
    return any(is_of_inference(getattr(tensor, name)) for name in tensor.__tensor_flatten__()[0])


def normal_alias(tensor: torch.Tensor) -> torch.Tensor:
    """An ordinary tensor over the same memory; changes to one show in the other.

    Subclasses stay what they are: those that tell their inner tensors (quantised weights of comfy-kitchen), and those
    that add attributes to one tensor (as GGUF loaders do).
    """
    # Modes are left, for memory may be estimated on tensors without any, and an alias is of real memory.
    with torch.inference_mode(False), torch.no_grad(), torch._C.DisableTorchFunction(), _disable_current_modes():
        if hasattr(tensor, "__tensor_flatten__"):
            names, context = tensor.__tensor_flatten__()
            inner = {name: normal_alias(getattr(tensor, name)) for name in names}
            alias = type(tensor).__tensor_unflatten__(inner, context, tensor.size(), tensor.stride())  # type: ignore[attr-defined]
        else:
            alias = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
            size, stride = torch.Tensor.size(tensor), torch.Tensor.stride(tensor)
            alias.set_(tensor.untyped_storage(), tensor.storage_offset(), size, stride)
            if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
                alias = alias.as_subclass(type(tensor))
                vars(alias).update(vars(tensor))
        return torch.nn.Parameter(alias, requires_grad=False) if isinstance(tensor, torch.nn.Parameter) else alias


@contextmanager
def borrowed_weights(*modules: torch.nn.Module) -> Iterator[None]:
    """Inside, the modules' inference tensors are replaced by ordinary aliases that require no gradient.

    Everything is put back afterwards, also when the work fails. Nothing happens to ordinary weights.
    """
    swapped: list[_Slot] = []
    try:
        for module in modules:
            for child in module.modules():
                for slots in (child._parameters, child._buffers):
                    swapped += _borrow(slots)  # type: ignore[arg-type]
        yield
    finally:
        for slots, name, original in swapped:
            slots[name] = original


def _borrow(slots: dict[str, torch.Tensor | None]) -> list[_Slot]:
    borrowed: list[_Slot] = []
    for name, tensor in slots.items():
        if tensor is None or not is_of_inference(tensor) or tensor.layout != torch.strided or tensor.is_meta:
            continue
        borrowed.append((slots, name, tensor))
        slots[name] = normal_alias(tensor)
    return borrowed
