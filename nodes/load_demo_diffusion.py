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
        "Checkpoint."
    )
    SEARCH_ALIASES: ClassVar = ["demo checkpoint", "tiny diffusion", "example model", "test model", "demo vae"]
    CATEGORY = CATEGORY
    FUNCTION = "load"
    RETURN_TYPES = ("MODEL", "CLIP", "VAE", "LATENT")
    RETURN_NAMES = ("MODEL", "CLIP", "VAE", "LATENT")
    OUTPUT_TOOLTIPS = (
        "The diffusion model, for Explainability Guidance and KSampler.",
        "Its text encoder, for CLIP Text Encode. It has no image tower: guidance needs Load Explainable CLIP.",
        "Its autoencoder, for VAE Decode, VAE Encode and Optimize Latent.",
        "Empty latent pictures of its own size, for KSampler: Empty Latent Image has too few channels on old hosts.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "batch_size": (
                    "INT",
                    {"default": 1, "min": 1, "max": 64, "tooltip": "Pictures to draw at once, in the LATENT output."},
                )
            }
        }

    def load(self, batch_size: int = 1) -> tuple[Any, Any, Any, dict[str, Any]]:
        import torch

        config = core.demo.diffusion.read_diffusion_config()
        side = config.side // 8
        latent = {"samples": torch.zeros(batch_size, config.channels, side, side)}
        return (*host.build_diffusion(config, core.demo.diffusion.read_diffusion_weights()), latent)
