"""The trained projection of ECLIP and its file.

ECLIP (Li et al. 2022) keeps the image tower frozen and retrains its last projection so that the patches, not only the
pooled token, agree with the text; :mod:`.training` does it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP
from ..demo.art import ASSETS
from ..errors import InputError
from ..loading import trained_file
from ..precision import at_least_single, unit
from ..towers.patch_features import head_input, head_projection, patch_tokens

_FILE = trained_file.Kind(
    "clip-explainability.eclip-projection", "ECLIP projections", "Train ECLIP Projection", "train one anew"
)
SHIPPED = ASSETS / "demo_eclip.safetensors"


@dataclass(frozen=True, eq=False, repr=False)
class EclipProjection:
    """A linear projection from a tower's head input to the space of text, tied to the CLIP it was trained for.

    Attributes:
        weight, bias: ``[D, width]`` and ``[D]``, fp32 on the CPU.
        fingerprint, clip_name: the CLIP that it belongs to.
        settings: how it was trained, as JSON-able values.
        history: (epoch, epochs, mean loss, accuracy within the batch) of every epoch.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    fingerprint: str
    clip_name: str
    settings: dict[str, Any]
    history: tuple[tuple[int, int, float, float], ...] = ()

    def __repr__(self) -> str:
        digest = hashlib.blake2b(self.weight.numpy().tobytes() + self.bias.numpy().tobytes(), digest_size=8)
        return f"EclipProjection({self.clip_name!r}, {digest.hexdigest()})"

    def require_clip(self, clip: ExplainableCLIP) -> None:
        """Raise :class:`InputError` unless this was trained for the given CLIP."""
        if self.fingerprint != clip.fingerprint:
            raise InputError(
                f"this ECLIP projection was trained for {self.clip_name}, not for {clip.name} (the weights differ); "
                "load that CLIP, or train a projection for this one with Train ECLIP Projection"
            )

    def patch_features(self, clip: ExplainableCLIP, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens after the last block ``[B, N, C]`` to L2-normalised patch features ``[B, rows * columns, D]``."""
        hidden = at_least_single(head_input(clip, patch_tokens(clip, tokens)))
        return unit(F.linear(hidden, self.weight.to(hidden), self.bias.to(hidden)))


def initial_projection(clip: ExplainableCLIP, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight ``[D, width]`` and bias ``[D]`` of the tower's own projection (the identity where it has none)."""
    weight, bias = head_projection(clip)
    weight = torch.eye(width) if weight is None else weight
    bias = torch.zeros(len(weight)) if bias is None else bias
    return weight.detach().float().cpu().clone(), bias.detach().float().cpu().clone()


def save_projection(projection: EclipProjection, path: str | os.PathLike[str]) -> Path:
    """Write a projection as safetensors, whole or not at all, and return the path."""
    tensors = {"weight": projection.weight, "bias": projection.bias}
    about = {"settings": projection.settings, "history": projection.history}
    return trained_file.save(_FILE, path, tensors, projection.fingerprint, projection.clip_name, about)


def load_projection(path: str | os.PathLike[str], clip: ExplainableCLIP | None = None) -> EclipProjection:
    """Read a projection that :func:`save_projection` wrote.

    Args:
        clip: refuse the file unless it was trained for this CLIP; None: check on use.

    Raises:
        InputError: not such a file, damaged, or trained for another CLIP.
    """
    projection = trained_file.load(_FILE, path, _build)
    if clip is not None:
        projection.require_clip(clip)
    return projection


def _build(tensors: trained_file.StateDict, about: dict[str, Any]) -> EclipProjection:
    weight, bias = tensors["weight"], tensors["bias"]
    if weight.dim() != 2 or bias.shape != weight.shape[:1]:
        raise ValueError(f"a weight of shape {tuple(weight.shape)} and a bias of shape {tuple(bias.shape)}")
    history = tuple(tuple(row) for row in about["history"])
    return EclipProjection(weight, bias, about["fingerprint"], about["clip_name"], about["settings"], history)


def find_projection(clip: ExplainableCLIP, paths: Iterable[str | os.PathLike[str]] = ()) -> EclipProjection | None:
    """The projection for this CLIP: the newest matching file of ``paths``, else the one shipped for the demo CLIP.

    Files that are something else are passed over. A file is read once, and again only when it has changed.
    """
    there = [(path, path.stat()) for path in map(Path, (*paths, SHIPPED)) if path.is_file()]
    for path, status in sorted(there, key=lambda each: (each[0] != SHIPPED, each[1].st_mtime_ns), reverse=True):
        projection = _read(path, status.st_mtime_ns, status.st_size)
        if projection is not None and projection.fingerprint == clip.fingerprint:
            return projection
    return None


@lru_cache(maxsize=8)
def _read(path: Path, changed: int, size: int) -> EclipProjection | None:
    """The projection in a file of that age and size, or None where it holds none."""
    try:
        return load_projection(path)
    except InputError:
        return None
