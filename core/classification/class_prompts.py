"""Learned class prompts: what they are, and how they are kept in a file that only their own CLIP accepts."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from ..clip import ExplainableCLIP
from ..errors import InputError
from ..loading import trained_file

Position = Literal["middle", "end", "front"]
Derivative = Literal["first order", "full"]
POSITIONS: tuple[Position, ...] = get_args(Position)
DERIVATIVES: tuple[Derivative, ...] = get_args(Derivative)

_FILE = trained_file.Kind(
    "clip-explainability/class-prompts", "class prompts", "Learn Class Prompts", "learn the prompts anew"
)


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
    """Write prompts as safetensors, whole or not at all, and return the path."""
    about = {"classes": prompts.classes, "settings": asdict(prompts.settings), "history": prompts.history}
    return trained_file.save(_FILE, path, {"context": prompts.context}, prompts.fingerprint, prompts.clip_name, about)


def load_class_prompts(path: str | os.PathLike[str], clip: ExplainableCLIP | None = None) -> ClassPrompts:
    """Read prompts that :func:`save_class_prompts` wrote.

    Args:
        clip: refuse the file unless it was learned on this CLIP; None: check on use.

    Raises:
        InputError: not such a file, damaged, or learned on another CLIP.
    """
    prompts = trained_file.load(_FILE, path, _build)
    if clip is not None:
        prompts.require_clip(clip)
    return prompts


def _build(tensors: trained_file.StateDict, about: dict[str, Any]) -> ClassPrompts:
    known = {field.name for field in fields(LearningSettings)}
    settings = LearningSettings(**{name: value for name, value in about["settings"].items() if name in known})
    settings.check()
    context = tensors["context"]
    if context.dim() != 2 or len(context) != settings.context_tokens:
        raise ValueError(f"a context of shape {tuple(context.shape)}")
    return ClassPrompts(
        context=context,
        classes=tuple(about["classes"]),
        settings=settings,
        fingerprint=about["fingerprint"],
        clip_name=about["clip_name"],
        history=tuple(tuple(row) for row in about["history"]),
    )
