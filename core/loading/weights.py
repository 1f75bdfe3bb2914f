"""Tensors from files, safely: safetensors, or pickles in which nothing but tensors is accepted."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from .places import locate

StateDict = dict[str, torch.Tensor]

_WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "ema")  # what trainers call the weights
_IMAGE_TOWER = re.compile(r"(.+?\.)(?:visual|vision_model)\.")
_TEXT_TOWER = ("token_embedding.", "text.", "text_model.")
_AGAIN = "download it again"
_LONGEST_HEADER = 100_000_000  # bytes; safetensors itself takes no longer one

# The first bytes of files that come under the name of a checkpoint.
_FOREIGN = (
    (b"version https://git-lfs", "is a pointer of Git LFS, not the weights; run git lfs pull, or download the file"),
    (b"GGUF", "is a GGUF file (quantised, for llama.cpp), which holds no weights that can be explained; take the "
     "model's .safetensors file"),
    (b"<", "is a web page that was saved under this name (an error or a login page); download the file itself"),
    (b"{", "is a JSON text that was saved under this name; download the weights themselves"),
)  # fmt: skip


def read_weights(path: str | os.PathLike[str]) -> StateDict:
    """Read a state dict onto the CPU from a file, the shards of a sharded model, or a folder.

    Takes the weights out of what trainers put around them: ``{"state_dict": …}`` and the prefixes ``module.``,
    ``model.``, ``_orig_mod.`` and the like.

    Raises:
        InputError: the file is missing, damaged, no checkpoint, a TorchScript archive, or holds anything but tensors
            (a pickle that would run code is refused, not run).
    """
    state: StateDict = {}
    for part in locate(path).weights:
        state |= _read_file(part)
    return _without_prefixes(state)


def _read_file(path: Path) -> StateDict:
    with open(path, "rb") as file:
        raw = file.read(512)
    # Names lie: a pickle renamed to .safetensors, and the reverse, are about. Content has the first word; it begins
    # with the length of a JSON header.
    if raw[8:9] == b"{" and int.from_bytes(raw[:8], "little") < _LONGEST_HEADER:
        return _read_safetensors(path)
    for mark, what in _FOREIGN:
        if raw.lstrip().startswith(mark):
            raise InputError(f"checkpoint {path.name} {what}")
    if path.suffix == ".onnx" or (raw[:1] == b"\x08" and b"pytorch" in raw[:64]):
        raise InputError(f"checkpoint {path.name} is an ONNX graph; take the same model's .safetensors file")
    is_pickle = path.suffix != ".safetensors" or raw.startswith((b"PK\x03\x04", b"\x80"))
    return _read_pickle(path) if is_pickle else _read_safetensors(path)


def _read_safetensors(path: Path) -> StateDict:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"checkpoint {path.name} is damaged or incomplete ({path.stat().st_size} bytes; {error}); {_AGAIN}"
        ) from error


def _read_pickle(path: Path) -> StateDict:
    try:
        with open(path, "rb") as file:  # by its name torch would take a renamed pickle for safetensors
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types here, from EOFError to UnpicklingError
        if "TorchScript" in str(error):
            reason = "is a TorchScript archive, which can run code; use the same model's .safetensors file"
        else:
            reason = (
                f"is damaged, or holds more than tensors and is refused because it could run code; {_AGAIN}, "
                "or use the same model's .safetensors file"
            )
        raise InputError(f"checkpoint {path.name} {reason} ({_first_line(error)})") from error
    state = _unwrapped(content)
    if not state or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise InputError(f"checkpoint {path.name} is not a model's state dict; choose a CLIP checkpoint")
    return {str(key): value for key, value in state.items()}


def _unwrapped(content: Any) -> Mapping[Any, Any]:
    if not isinstance(content, Mapping):
        return {}
    for name in _WRAPPERS:
        if isinstance(content.get(name), Mapping):
            return _unwrapped(content[name])
    # OpenAI's archives keep three numbers among the tensors.
    return {k: torch.tensor(v) if isinstance(v, int | float) and k in OPENAI_MARKS else v for k, v in content.items()}


OPENAI_MARKS = frozenset({"input_resolution", "context_length", "vocab_size"})


def _without_prefixes(state: StateDict) -> StateDict:
    # Compiled and distributed models leave a mark wherever one was wrapped, whole or in part.
    names = {key: re.sub(r"(?<![^.])(?:_orig_mod|module)\.", "", key) for key in state}
    prefixes = {match[1] for name in names.values() if (match := _IMAGE_TOWER.match(name))}
    bare = any(name.startswith(("visual.", "vision_model.")) for name in names.values())
    for prefix in [] if bare else sorted(prefixes, key=len):
        if any(name.startswith(tuple(prefix + tower for tower in _TEXT_TOWER)) for name in names.values()):
            names = {key: name.removeprefix(prefix) for key, name in names.items()}
            break
    return {names[key]: value for key, value in state.items()}


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
