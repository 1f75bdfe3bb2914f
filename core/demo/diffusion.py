"""The demo diffusion model: a small latent diffusion model of the demo world, as it lies in its file.

The networks are ComfyUI's own classes (a UNet, an AutoencoderKL, a CLIP text model), so this module only reads
weights and settings; the host builds them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from .art import ASSETS

WEIGHTS = ASSETS / "demo_diffusion.safetensors"


@dataclass(frozen=True)
class DiffusionConfig:
    """What the weights file says about itself.

    Attributes:
        classes: the objects it can draw, each in one drawing, one or two in a picture.
        side: pixels of the pictures it was trained on. Latents are an eighth of the side.
        unet, vae, text: settings of the three networks, as the host's classes take them.
        tokens: length of a prompt with start and end; longer ones go in pieces.
        prediction: what the UNet predicts ("v").
        beta_ends: first and last beta; their square roots are linear in between, over 1000 times.
        latent_shift, latent_scale: the UNet's latents are `(z - shift) * scale` of the autoencoder's z.
        rgb_factors, rgb_bias: [C][3] and [3], the linear preview: colours in -1..1 of the UNet's latents.
        training: how the weights came about.
    """

    classes: tuple[str, ...]
    side: int
    unet: dict[str, Any]
    vae: dict[str, Any]
    text: dict[str, Any]
    tokens: int
    prediction: str
    beta_ends: tuple[float, float]
    latent_shift: float
    latent_scale: float
    rgb_factors: list[list[float]]
    rgb_bias: list[float]
    training: dict[str, Any]

    @property
    def channels(self) -> int:
        """Channels of a latent."""
        return int(self.unet["in_channels"])


@dataclass(frozen=True)
class DiffusionWeights:
    """State dicts of the three networks, fp32; the text encoder's has all 49408 word embeddings."""

    unet: dict[str, torch.Tensor]
    vae: dict[str, torch.Tensor]
    text: dict[str, torch.Tensor]


def read_diffusion_config(path: Path = WEIGHTS) -> DiffusionConfig:
    """Settings and training facts, without the weights.

    Raises:
        InputError: the file isn't there, as in copies of the pack without its demo models.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise InputError(
            f"the demo diffusion model {path} is not there: fetch it from the pack's repository (core/demo/assets), "
            "or load a checkpoint of your own with Load Checkpoint"
        )
    with safe_open(str(path), framework="pt") as file:
        stored = json.loads(file.metadata()["config"])
    stored["classes"], stored["beta_ends"] = tuple(stored["classes"]), tuple(stored["beta_ends"])
    return DiffusionConfig(**stored)


@lru_cache(maxsize=1)
def diffusion_classes() -> tuple[str, ...]:
    """The objects that the demo diffusion model can draw; empty where its file isn't there."""
    return read_diffusion_config().classes if WEIGHTS.is_file() else ()


def read_diffusion_weights(path: Path = WEIGHTS) -> DiffusionWeights:
    """Read the three networks' weights. Words that the demo world lacks share one embedding."""
    from safetensors.torch import load_file

    config = read_diffusion_config(path)
    stored = {name: tensor.float() for name, tensor in load_file(str(path)).items() if name != "token_ids"}
    parts: dict[str, dict[str, torch.Tensor]] = {"unet": {}, "vae": {}, "text": {}}
    for name, tensor in stored.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    text = parts["text"]
    rows = text["text_model.embeddings.token_embedding.weight"]
    token_ids = load_file(str(path))["token_ids"].long()
    table = rows[-1:].repeat(config.text["vocab_size"], 1)
    table[token_ids] = rows[:-1]
    text["text_model.embeddings.token_embedding.weight"] = table
    text["text_projection.weight"] = torch.eye(config.text["hidden_size"])
    return DiffusionWeights(parts["unet"], parts["vae"], text)
