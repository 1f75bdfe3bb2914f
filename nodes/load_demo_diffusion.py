"""Load Demo Diffusion."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import core
from . import host
from .category import CATEGORY


class LoadDemoDiffusion:
    """Loads the embedded diffusion model, so that guidance can be tried without a download."""

    NODE_ID = "LoadDemoDiffusion"
    DISPLAY_NAME = "Load Demo Diffusion"
    DESCRIPTION = (
        "Loads a small diffusion model that draws pictograms, 96 x 96 pixels in seconds on a CPU, with its text "
        "encoder and autoencoder: something to try guidance on before you download a checkpoint. Wire it like Load "
        "Checkpoint, with a latent picture of 96 x 96."
    )
    SEARCH_ALIASES: ClassVar = ["demo checkpoint", "tiny diffusion", "example model", "test model", "demo vae"]
    CATEGORY = CATEGORY
    FUNCTION = "load"
    RETURN_TYPES = ("MODEL", "CLIP", "VAE")
    RETURN_NAMES = ("MODEL", "CLIP", "VAE")
    OUTPUT_TOOLTIPS = (
        "The diffusion model, for Explainability Guidance and KSampler.",
        "Its text encoder, for CLIP Text Encode. It has no image tower: guidance needs Load Explainable CLIP.",
        "Its autoencoder, for VAE Decode, VAE Encode and Optimize Latent.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {}}

    def load(self) -> tuple[Any, Any, Any]:
        config = core.demo.diffusion.read_diffusion_config()
        return host.build_diffusion(config, core.demo.diffusion.read_diffusion_weights())
