"""What a node is given, checked against what it says that it takes, before it runs.

Hosts differ in what they check: that of 2024 looks neither at optional inputs nor at the types of connections, none
refuses NaN, and a program may queue anything. So every node checks once more, by its own ``INPUT_TYPES``, and says
which input is wrong, what it is, and what to do.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from .. import core
from ..core.errors import InputError
from .hosted_clip import HostedClip

_Spec = tuple[Any, dict[str, Any]]


def check_inputs(node: Any) -> None:
    """Have a node class check its inputs whenever it is run; numbers and texts arrive as what the node declares."""
    run = getattr(node, node.FUNCTION)
    positional = list(inspect.signature(run).parameters)[1:]
    by_list = getattr(node, "INPUT_IS_LIST", False)

    @functools.wraps(run)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = dict(zip(positional, args, strict=False)) | kwargs
        return run(self, **_checked(node, given, by_list))

    setattr(node, node.FUNCTION, checked)


def _checked(node: Any, given: Mapping[str, Any], by_list: bool) -> dict[str, Any]:
    groups = node.INPUT_TYPES()
    required, optional = groups.get("required", {}), groups.get("optional", {})
    known = {**required, **optional}
    for name in given:
        if name not in known:
            raise InputError(
                f"{name} is no input of {node.DISPLAY_NAME}; take it away (inputs are: {', '.join(known)})"
            )
    result = {}
    for name, spec in known.items():
        value = given.get(name)
        if value is None or (by_list and (len(value) == 0 or value[0] is None)):
            if name in required:
                raise InputError(f"{name} is missing; {_remedy(spec)}")
            continue  # the node's own default
        own_check = name in _validated_by(node)
        result[name] = (
            [_value(name, each, spec, own_check) for each in value] if by_list else _value(name, value, spec, own_check)
        )
    return result


def _validated_by(node: Any) -> list[str]:
    """Inputs that the node itself checks more widely than by its list (the hosts' own convention)."""
    return list(inspect.signature(node.VALIDATE_INPUTS).parameters) if hasattr(node, "VALIDATE_INPUTS") else []


def _value(name: str, value: Any, spec: _Spec, own_check: bool) -> Any:
    kind, options = spec[0], spec[1] if len(spec) > 1 else {}
    if isinstance(kind, list):
        return _choice(name, value, kind, own_check)
    if kind in _WIDGETS:
        return _WIDGETS[kind](name, value, options)
    if kind in _SOCKETS and not _SOCKETS[kind][0](value):
        raise InputError(f"{name} is {_described(value)}; {_remedy(spec)}")
    return value


def _choice(name: str, value: Any, choices: list[Any], own_check: bool) -> Any:
    # An empty list is one of files that are not there yet: the node says where they go.
    if not isinstance(value, str) or (choices and not own_check and value not in choices):
        raise InputError(f"{name} is {_described(value)}; choose one of: {', '.join(map(str, choices))}")
    return value


def _whole_number(name: str, value: Any, options: dict[str, Any]) -> int:
    return _number(name, value, options, int)


def _real_number(name: str, value: Any, options: dict[str, Any]) -> float:
    return _number(name, value, options, float)


def _number(name: str, value: Any, options: dict[str, Any], convert: Callable[[Any], Any]) -> Any:
    """As the hosts convert what they check; within the node's bounds."""
    low, high = options.get("min", -math.inf), options.get("max", math.inf)
    try:
        if not isinstance(value, int | float | str):
            raise TypeError
        number = convert(value)
        if low <= number <= high:  # never so for NaN
            return number
    except (TypeError, ValueError, OverflowError):
        pass
    wanted = "a whole number" if convert is int else "a number"
    raise InputError(f"{name} is {_described(value)}; give {wanted} from {low} to {high}")


def _text(name: str, value: Any, options: dict[str, Any]) -> str:
    if not isinstance(value, str | int | float):
        raise InputError(f"{name} is {_described(value)}; give a text")
    # Halves of characters, as programs send that cut texts by length: no tokenizer, font or file can take them.
    return str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _switch(name: str, value: Any, options: dict[str, Any]) -> bool:
    if not isinstance(value, int | float) or value not in (0, 1):
        raise InputError(f"{name} is {_described(value)}; give true or false")
    return bool(value)


_WIDGETS: dict[str, Callable[[str, Any, dict[str, Any]], Any]] = {
    "INT": _whole_number,
    "FLOAT": _real_number,
    "STRING": _text,
    "BOOLEAN": _switch,
}


def _is_image(value: Any) -> bool:
    return _dimensions(value) == 4


def _is_mask(value: Any) -> bool:
    return _dimensions(value) in (2, 3) or (_dimensions(value) == 4 and value.shape[1] == 1)


def _is_latent(value: Any) -> bool:
    return isinstance(value, dict) and _dimensions(value.get("samples")) in (4, 5)


def _is_layout(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(
        isinstance(each, core.boxes.constraint.SpatialConstraint) for each in value
    )


def _dimensions(value: Any) -> int:
    """Number of dimensions of a tensor; -1 for anything else."""
    return int(value.ndim) if hasattr(value, "movedim") else -1


_SOCKETS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "EXPLAINABLE_CLIP": (lambda value: isinstance(value, HostedClip), "Load Explainable CLIP"),
    "CLIP_VISION": (lambda value: hasattr(value, "patcher") and hasattr(value, "encode_image"), "Load CLIP Vision"),
    "CLIP": (lambda value: hasattr(value, "cond_stage_model"), "Load CLIP, or the CLIP output of Load Checkpoint"),
    "IMAGE": (_is_image, "an IMAGE output, a batch of images (Convert Mask to Image makes one of masks)"),
    "MASK": (_is_mask, "a MASK output"),
    "LATENT": (_is_latent, "a LATENT output, of pictures or videos"),
    "MODEL": (lambda value: hasattr(value, "model"), "a MODEL output"),
    "VAE": (lambda value: hasattr(value, "first_stage_model"), "a VAE output"),
    "EXPLAINABILITY_CONSTRAINTS": (_is_layout, "Box Spatial Constraint"),
    "GUIDANCE_RECORD": (
        lambda value: isinstance(value, core.guidance.record.GuidanceRecord),
        "the record of Explainability Guidance or Optimize Latent",
    ),
    "CLASS_PROMPTS": (
        lambda value: isinstance(value, core.classification.class_prompts.ClassPrompts),
        "Learn Class Prompts or Load Class Prompts",
    ),
    "ECLIP_PROJECTION": (
        lambda value: isinstance(value, core.eclip.projection.EclipProjection),
        "Train ECLIP Projection",
    ),
}


def _remedy(spec: _Spec) -> str:
    kind = spec[0]
    if not isinstance(kind, list) and kind in _SOCKETS:
        return f"connect {_SOCKETS[kind][1]}"
    return "give a value"


def _described(value: Any) -> str:
    """A value as a user may know it, in few words."""
    if isinstance(value, str | int | float | dict | list):
        shown = repr(value)
        return shown if len(shown) <= 80 else f"{shown[:77]}..."
    if _dimensions(value) >= 0:
        return f"a tensor of shape {tuple(value.shape)}"
    return f"of type {type(value).__name__}"
