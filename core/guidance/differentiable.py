"""Gradients through operations that a host made for speed alone.

Diffusion hosts fuse operations (rotary embeddings, normalisation, attention) into kernels without a derivative, keep
tensors of ``torch.inference_mode`` outside modules' parameters, and write results into given memory. Under
:class:`Differentiable` each such call gives way to a plain equivalent. Nothing is patched: a mode of PyTorch sees
every call of its thread and ends with the ``with`` block, also on an error or an interrupt.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from .borrowed_weights import is_of_inference, normal_alias

_BUILT_IN = {"aten", "prim", "prims", "_c10d_functional", "higher_order"}
_GRADIENT_ENDS = {"WarnNotImplemented", "NotImplemented"}


class NoDerivativeError(RuntimeError):
    """An operation lies on the way of a gradient and has no derivative.

    Attributes:
        operation: its name.
    """

    def __init__(self, operation: str) -> None:
        super().__init__(f"{operation} has no derivative")
        self.operation = operation


class Differentiable(TorchFunctionMode):
    """Inside, calls that autograd would refuse, or leave out without a word, are made so that it doesn't.

    - Inference tensors are read through ordinary aliases (see :mod:`.borrowed_weights`).
    - ``out=`` becomes a copy, which has a derivative.
    - A custom operator without a derivative runs its own Python body, with plain formulas for fused kernels.

    May be entered again inside itself and in the backward pass (which has a thread of its own on GPUs).

    Raises:
        NoDerivativeError: of what has no derivative even so, when it is called.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in ("__get__", "is_inference", "untyped_storage"):
            return func(*args, **kwargs)
        if not torch.is_inference_mode_enabled():
            args, kwargs = _lend(args), _lend(kwargs)
        if not torch.is_grad_enabled() or not any(x.requires_grad for x in _tensors((args, kwargs))):
            return func(*args, **kwargs)
        if kwargs.get("out") is not None:
            return self._copy_out(func, args, kwargs)
        name = _operator(func)
        return func(*args, **kwargs) if name is None else self._run_operator(name, func, args, kwargs)

    def _copy_out(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        out = kwargs["out"]
        with self:
            result = func(*args, **{key: value for key, value in kwargs.items() if key != "out"})
        for target, value in zip(_tensors(out), _tensors(result), strict=True):
            target.copy_(value)
        return out

    def _run_operator(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        body = _body(name)
        if body is None:
            return _checked(name, func(*args, **kwargs))
        with plain_kernels(), self:
            written = _written(name, args, kwargs)
            out_of_place = _body(name.removesuffix("_")) if written else None
            if out_of_place is None:
                return _checked(name, body(*args, **kwargs))
            # The in-place form of a fused kernel checks that no gradient is recorded.
            results = _tensors(_checked(name, out_of_place(*args, **kwargs)))
            for target, value in zip(written, results, strict=True):
                target.copy_(value)
        return None


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Inside, comfy-kitchen, whose fused kernels today's ComfyUI runs, answers with its plain formulas."""
    kitchen = sys.modules.get("comfy_kitchen")
    use_plain: Callable[[str], AbstractContextManager[None]] | None = getattr(
        getattr(kitchen, "registry", None), "use_backend", None
    )
    with use_plain("eager") if use_plain else contextlib.nullcontext():
        yield


def saved_copies() -> AbstractContextManager[None]:
    """Inside, autograd saves copies, so that what is written over afterwards does no harm: by a patch that works in
    place, or by a host that casts one weight after another into the same memory. Parameters are saved as they are."""
    return torch.autograd.graph.saved_tensors_hooks(_copy, lambda x: x)


def _copy(x: torch.Tensor) -> torch.Tensor:
    return x if isinstance(x, torch.nn.Parameter) else x.detach().clone()


def _lend(value: Any) -> Any:
    """Nested tuples, lists and dicts with aliases for inference tensors; the value itself where there are none."""
    if isinstance(value, torch.Tensor):
        return normal_alias(value) if is_of_inference(value) else value
    if type(value) in (tuple, list):
        lent = [_lend(each) for each in value]
        return value if all(x is y for x, y in zip(lent, value, strict=True)) else type(value)(lent)
    if type(value) is dict:
        return {key: _lend(each) for key, each in value.items()}
    return value


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, tuple | list):
        return []
    return [tensor for each in value for tensor in _tensors(each)]


def _operator(func: Callable[..., Any]) -> str | None:
    """``namespace::name`` of an operator that is not PyTorch's own."""
    name = getattr(func, "_qualified_op_name", None)
    if name is None and isinstance(func, torch._ops.OpOverload):
        name = func._schema.name
    return name if name and name.partition("::")[0] not in _BUILT_IN else None


def _definition(name: str) -> Any:
    """A ``torch.library.custom_op`` by its name, or None (PyTorch has no public way to ask)."""
    operators = getattr(getattr(torch._library, "custom_ops", None), "OPDEFS", {})
    return operators.get(name)


def _body(name: str) -> Callable[..., Any] | None:
    """The Python function behind a custom operator that has no derivative of its own."""
    definition = _definition(name)
    if definition is None or getattr(definition, "_backward_fn", None) is not None:
        return None
    body: Callable[..., Any] | None = getattr(definition, "_init_fn", None)
    return body


def _written(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The arguments that an operator writes to."""
    schema = _definition(name)._opoverload._schema
    given = dict(zip((each.name for each in schema.arguments), args, strict=False)) | kwargs
    return [given[each.name] for each in schema.arguments if each.alias_info and each.alias_info.is_write]


def _checked(name: str, result: Any) -> Any:
    found = [tensor for tensor in _tensors(result) if tensor.is_floating_point()]
    attached = [tensor for tensor in found if tensor.requires_grad]
    ends = any(tensor.grad_fn is not None and tensor.grad_fn.name() in _GRADIENT_ENDS for tensor in attached)
    if ends or (found and not attached):
        raise NoDerivativeError(name)
    return result
