"""Learned class prompts: what they are, and how they are kept in a file that only their own CLIP accepts."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from ..clip import ExplainableCLIP
from ..errors import InputError
from ..loading.weights import write_whole

Position = Literal["middle", "end", "front"]
Derivative = Literal["first order", "full"]
POSITIONS: tuple[Position, ...] = get_args(Position)
DERIVATIVES: tuple[Derivative, ...] = get_args(Derivative)

_FORMAT, _VERSION = "clip-explainability/class-prompts", "1"


@dataclass(frozen=True)
class LearningSettings:
    """How class prompts are learned; the defaults are NTLB's one-shot setting on CoOp.

    Attributes:
        context_tokens: number n of learned context vectors (n_ctx).
        position: where the class name stands among them.
        explainability_weight: λ; 0 is plain CoOp.
        minimise_others: also push down the evidence for classes that are not the image's.
        derivative: ``"first order"`` takes ``∂s/∂A`` as a constant (the reference code), ``"full"`` does not.
        epochs: passes over the support set.
        learning_rate: of SGD, after one warm-up epoch; falls to 0 along a cosine.
        batch_size: images a step.
        seed: of the first context and the order of the images.
    """

    context_tokens: int = 16
    position: Position = "middle"
    explainability_weight: float = 0.3
    minimise_others: bool = True
    derivative: Derivative = "first order"
    epochs: int = 50
    learning_rate: float = 0.002
    batch_size: int = 32
    seed: int = 0

    def check(self) -> None:
        """Raise :class:`InputError` where a value is out of range."""
        if self.position not in POSITIONS:
            raise InputError(f"position is {self.position!r}; choose one of: {', '.join(POSITIONS)}")
        if self.derivative not in DERIVATIVES:
            raise InputError(f"derivative is {self.derivative!r}; choose one of: {', '.join(DERIVATIVES)}")
        for name in ("context_tokens", "epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise InputError(f"{name} is {value!r}; choose a whole number of at least 1")
        if not 0 <= self.explainability_weight < float("inf"):
            raise InputError(f"lambda is {self.explainability_weight}; choose 0 (plain CoOp) or more")
        if not 0 < self.learning_rate < float("inf"):
            raise InputError(f"learning_rate is {self.learning_rate}; choose a value above 0")


@dataclass(frozen=True, eq=False)
class ClassPrompts:
    """A learned context, for one CLIP.

    Attributes:
        context: ``[n, width]`` fp32 on the CPU, in the space of token embeddings.
        classes: the names that it was learned on.
        fingerprint, clip_name: the CLIP that it belongs to.
        history: (epoch, epochs, loss, accuracy) of every epoch.
    """

    context: torch.Tensor
    classes: tuple[str, ...]
    settings: LearningSettings
    fingerprint: str
    clip_name: str
    history: tuple[tuple[Any, ...], ...] = ()

    def require_clip(self, clip: ExplainableCLIP) -> None:
        """Raise :class:`InputError` unless the prompts were learned on this CLIP."""
        if self.fingerprint != clip.fingerprint:
            raise InputError(
                f"these class prompts were learned on {self.clip_name}, not on {clip.name} (the weights differ); "
                "load that CLIP, or learn prompts anew on this one"
            )


def save_class_prompts(prompts: ClassPrompts, path: str | os.PathLike[str]) -> Path:
    """Write prompts as safetensors, whole or not at all, and return the path.

    The file is written beside its place and moved there, so that a full disk or a kill leaves no half file and
    what stood there before stays whole.
    """
    from safetensors.torch import save

    metadata = {
        "format": _FORMAT,
        "version": _VERSION,
        "classes": json.dumps(prompts.classes),
        "settings": json.dumps(asdict(prompts.settings)),
        "history": json.dumps(prompts.history),
        "fingerprint": prompts.fingerprint,
        "clip_name": prompts.clip_name,
    }
    data = save({"context": prompts.context.contiguous()}, metadata)
    return write_whole(path, data)


def load_class_prompts(path: str | os.PathLike[str], clip: ExplainableCLIP | None = None) -> ClassPrompts:
    """Read prompts that :func:`save_class_prompts` wrote.

    Args:
        clip: refuse the file unless it was learned on this CLIP; None: check on use.

    Raises:
        InputError: not such a file, damaged, or learned on another CLIP.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise InputError(f"{path} holds no class prompts; choose a file that Learn Class Prompts saved")
            if metadata.get("version") != _VERSION:
                raise InputError(f"{path} was written by another version of this pack; learn the prompts anew")
            context = file.get_tensor("context")
        prompts = _from_metadata(context, metadata)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} can't be read as class prompts ({error}); learn the prompts anew") from error
    if clip is not None:
        prompts.require_clip(clip)
    return prompts


def _from_metadata(context: torch.Tensor, metadata: dict[str, str]) -> ClassPrompts:
    known = {field.name for field in fields(LearningSettings)}
    given = json.loads(metadata["settings"])
    settings = LearningSettings(**{key: value for key, value in given.items() if key in known})
    settings.check()
    if context.dim() != 2 or len(context) != settings.context_tokens or not context.isfinite().all():
        raise ValueError(f"a context of shape {tuple(context.shape)}")
    return ClassPrompts(
        context=context.float(),
        classes=tuple(json.loads(metadata["classes"])),
        settings=settings,
        fingerprint=metadata["fingerprint"],
        clip_name=metadata["clip_name"],
        history=tuple(tuple(row) for row in json.loads(metadata["history"])),
    )
