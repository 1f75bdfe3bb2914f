"""A loaded CLIP with what explanations need to know about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from .errors import InputError
from .towers.vision import VisionTower, describe_vision_tower

Interpolation = Literal["bicubic", "bilinear"]

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, eq=False)
class ExplainableCLIP:
    """An open_clip model in eval mode, its tokenizer and its preprocessing.

    Attributes:
        model: ``open_clip.CLIP``, ``CustomTextCLIP`` or ``CoCa``; no parameter requires grad.
        tokenizer: open_clip tokenizer: a list of K prompts to ids ``[K, context]``.
        name: shown to the user.
        image_mean, image_std: per RGB channel, for pixels in 0..1.
        fingerprint: identifies the weights whatever dtype they are held in; ties trained files to their CLIP.
        interpolation: how pictures are resized for it.
        notes: what its user should know about how it was loaded, such as what had to be guessed.
    """

    model: Any
    tokenizer: Any
    name: str
    image_mean: tuple[float, float, float] = OPENAI_MEAN
    image_std: tuple[float, float, float] = OPENAI_STD
    fingerprint: str = ""
    interpolation: Interpolation = "bicubic"
    notes: tuple[str, ...] = ()
    vision: VisionTower = field(init=False)

    def __post_init__(self) -> None:
        self.model.eval().requires_grad_(False)
        object.__setattr__(self, "vision", describe_vision_tower(self.model.visual))

    @property
    def device(self) -> torch.device:
        return self.model.logit_scale.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.logit_scale.dtype

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images that the tower takes."""
        return self.vision.image_size

    @property
    def logit_scale(self) -> float:
        """Factor from cosine to logit (100 for OpenAI's models)."""
        return float(self.model.logit_scale.exp())

    @property
    def text(self) -> Any:
        """The module that holds the text tower: the model itself in plain open_clip ``CLIP``."""
        return getattr(self.model, "text", self.model)

    def normalize_pixels(self, images: torch.Tensor) -> torch.Tensor:
        """``[B, 3, h, w]`` in 0..1 to what the tower takes, on its device and in its dtype. Differentiable."""
        images = images.to(self.device, torch.promote_types(self.dtype, torch.float32))
        mean, std = (images.new_tensor(v).view(3, 1, 1) for v in (self.image_mean, self.image_std))
        return ((images - mean) / std).to(self.dtype)

    def require_finite(self, features: torch.Tensor) -> None:
        """Raise :class:`InputError` where what this CLIP gave is NaN or infinite."""
        if not features.isfinite().all():
            kind = str(self.dtype).removeprefix("torch.")
            raise InputError(
                f"clip {self.name} gives values that are not finite (its weights are {kind}); load it with dtype fp32, "
                "or, if it is, download its file again"
            )
