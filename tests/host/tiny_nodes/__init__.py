"""A node pack for tests: real diffusion models and a CLIP with random weights, put into a server's custom_nodes."""

from __future__ import annotations

import os
import sys
from typing import Any

import torch

sys.path[:0] = [os.environ["TINY_DIFFUSION"]]

import tiny_diffusion  # noqa: E402


class TinyDiffusion:
    CATEGORY = "tests"
    FUNCTION = "load"
    RETURN_TYPES = ("MODEL", "VAE", "CONDITIONING", "CONDITIONING")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"kind": (list(tiny_diffusion.KINDS),)}}

    def load(self, kind: str) -> tuple[Any, ...]:
        return (
            tiny_diffusion.tiny_model(kind),
            tiny_diffusion.tiny_vae(),
            tiny_diffusion.conditioning(),
            tiny_diffusion.conditioning(seed=5),
        )


class Filled:
    """Latents of one value, also of those that are no numbers."""

    CATEGORY = "tests"
    FUNCTION = "fill"
    RETURN_TYPES = ("LATENT",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"value": ("STRING", {"default": "nan"}), "channels": ("INT", {"default": 4})}}

    def fill(self, value: str, channels: int) -> tuple[dict[str, torch.Tensor]]:
        return ({"samples": torch.full((1, channels, 8, 8), float(value))},)


class Sink:
    """Takes anything, so that any node can be run."""

    CATEGORY = "tests"
    FUNCTION = "take"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"value": ("*",)}}

    def take(self, value: Any) -> dict[str, Any]:
        return {}


NODE_CLASS_MAPPINGS = {"TinyDiffusion": TinyDiffusion, "Filled": Filled, "Sink": Sink}
