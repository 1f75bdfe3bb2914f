"""Tensors from a file, safely: safetensors, or pickles in which nothing but tensors is accepted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import torch

from ..errors import InputError

StateDict = dict[str, torch.Tensor]


def read_weights(path: str | os.PathLike[str]) -> StateDict:
    """Read a state dict onto the CPU.

    Unwraps ``{"state_dict": …}`` and the ``module.`` prefix of training checkpoints.

    Raises:
        InputError: the file is missing, damaged, a TorchScript archive, or holds anything but tensors (a pickle
            that would run code is refused, not run).
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"checkpoint {path} does not exist; choose another file or put it there")
    state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return state


def _read_safetensors(path: Path) -> StateDict:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"checkpoint {path.name} is damaged or incomplete ({error}); download it again") from error


def _read_pickle(path: Path) -> StateDict:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types here, from EOFError to UnpicklingError
        if "TorchScript" in str(error):
            reason = "is a TorchScript archive, which can run code; use the same model's .safetensors file"
        else:
            reason = (
                "is damaged, or holds more than tensors and is refused because it could run code; download it again, "
                "or use the same model's .safetensors file"
            )
        raise InputError(f"checkpoint {path.name} {reason} ({_first_line(error)})") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(v, torch.Tensor) for v in content.values())
    ):
        raise InputError(f"checkpoint {path.name} is not a model's state dict; choose a CLIP checkpoint")
    return {str(key): value for key, value in content.items()}


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__


def fingerprint(state: StateDict) -> str:
    """16 hex digits that name the weights: from every tensor's name, shape and 64 of its values, in fp16.

    Taken from the file, before any change of dtype, so that the same file has the same fingerprint in fp32 and bf16.
    """
    digest = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().flatten()
        digest.update(f"{key}{tuple(state[key].shape)}".encode())
        if tensor.numel():
            step = max(1, tensor.numel() // 64)
            digest.update(tensor[::step][:64].to(torch.float16).cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
