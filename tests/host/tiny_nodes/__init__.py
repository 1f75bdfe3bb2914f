"""A node pack for tests: real diffusion models and a CLIP with random weights, put into a server's custom_nodes."""

from __future__ import annotations

import os
import sys
from typing import Any

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


NODE_CLASS_MAPPINGS = {"TinyDiffusion": TinyDiffusion}
