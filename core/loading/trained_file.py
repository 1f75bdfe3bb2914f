"""Files of what was trained for one CLIP (class prompts, projections): tensors, and JSON about them, as safetensors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from ..errors import InputError
from ..files import write_whole
from .weights import StateDict

Trained = TypeVar("Trained")

_VERSION = "1"
_PLAIN = frozenset({"format", "version", "fingerprint", "clip_name"})  # every other entry is JSON


@dataclass(frozen=True)
class Kind:
    """One kind of trained file.

    Attributes:
        format: the file's own mark.
        contents, maker, remedy: for messages: what it holds (plural), the node that saves it, how to get another.
    """

    format: str
    contents: str
    maker: str
    remedy: str


def save(
    kind: Kind,
    path: str | os.PathLike[str],
    tensors: Mapping[str, torch.Tensor],
    fingerprint: str,
    clip_name: str,
    about: Mapping[str, Any],
) -> Path:
    """Write a file, whole or not at all, and return its path.

    Args:
        fingerprint, clip_name: the CLIP that the tensors belong to.
        about: JSON-able values under names of their own.
    """
    from safetensors.torch import save as to_bytes

    metadata = {"format": kind.format, "version": _VERSION, "fingerprint": fingerprint, "clip_name": clip_name}
    metadata |= {name: json.dumps(value) for name, value in about.items()}
    return write_whole(path, to_bytes({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata))


def load(kind: Kind, path: str | os.PathLike[str], build: Callable[[StateDict, dict[str, Any]], Trained]) -> Trained:
    """Read a file that :func:`save` wrote.

    Args:
        build: makes the object of the tensors (finite, fp32, on the CPU, fit for autograd) and of the ``about`` values
            with ``fingerprint`` and ``clip_name`` among them. May raise KeyError, TypeError or ValueError where they
            don't fit.

    Raises:
        InputError: not such a file, of another version, or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with torch.inference_mode(False), safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            foreign = _foreign(kind, metadata)
            tensors = {} if foreign else {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        if not foreign:
            if not all(tensor.isfinite().all() for tensor in tensors.values()):
                raise ValueError("it has values that are not finite")
            about = {name: value if name in _PLAIN else json.loads(value) for name, value in metadata.items()}
            return build(tensors, about)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} can't be read as {kind.contents} ({error}); {kind.remedy}") from error
    raise InputError(f"{path} {foreign}")


def _foreign(kind: Kind, metadata: Mapping[str, str]) -> str:
    """Why the file is none of this kind and version; empty if it is."""
    if metadata.get("format") != kind.format:
        return f"holds no {kind.contents}; choose a file that {kind.maker} saved"
    if metadata.get("version") != _VERSION:
        return f"was written by another version of this pack; {kind.remedy}"
    return ""
