"""A node pack for tests: real diffusion models and a CLIP with random weights, put into a server's custom_nodes."""

from __future__ import annotations

import os
import sys
from typing import Any

import torch

sys.path[:0] = [os.environ["TINY_DIFFUSION"]]

import tiny_clip_parts  # noqa: E402
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


class TinyClipParts:
    """An image tower and text encoders, and how far what was made of them is from what the host itself computes."""

    CATEGORY = "tests"
    FUNCTION = "load"
    RETURN_TYPES = ("CLIP_VISION", "CLIP")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"width": ("INT", {"default": 64}), "encoders": ("STRING",), "projection": ("STRING",)}}

    def load(self, width: int, encoders: str, projection: str) -> tuple[Any, Any]:
        widths = {name: int(size) for name, size in (each.split("=") for each in encoders.split())}
        return tiny_clip_parts.tiny_clip_vision(width), tiny_clip_parts.tiny_text_encoder(widths, projection)


class ComparedWithHost:
    """How far a joined CLIP's features are from the host's own towers', also once the host has changed those."""

    CATEGORY = "tests"
    FUNCTION = "compare"
    OUTPUT_NODE = True
    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"joined": ("EXPLAINABLE_CLIP",), "vision": ("CLIP_VISION",), "clip": ("CLIP",)}}

    def compare(self, joined: Any, vision: Any, clip: Any) -> dict[str, Any]:
        ours = joined.ready()
        encoders = clip.cond_stage_model
        encoder = encoders.clip_g if hasattr(encoders, "clip_g") else encoders.clip_l
        pixels = ours.normalize_pixels(torch.rand(2, 3, *ours.image_size))
        ids = ours.tokenizer(["a red cat on the bench"])

        def distances() -> list[float]:
            theirs = vision.model(pixel_values=pixels)[2], encoder(ids.tolist())[1]
            mine = ours.model.encode_image(pixels), ours.model.encode_text(ids)
            return [float((one - other).norm() / other.norm()) for one, other in zip(mine, theirs, strict=True)]

        far = distances()
        for module in (vision.model.vision_model.encoder.layers[0], encoder.transformer.text_model.encoder.layers[0]):
            module.mlp.fc1.weight.mul_(3)
            module.self_attn.q_proj.weight.mul_(2)
        far += distances()
        owned = list(joined.patchers) == [vision.patcher, clip.patcher]
        numbers = sum(weight.numel() for weight in ours.model.parameters())
        return {"ui": {"far": far, "own_numbers": [numbers], "owned": [owned]}, "result": ("",)}


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


NODE_CLASS_MAPPINGS = {
    "TinyDiffusion": TinyDiffusion,
    "TinyClipParts": TinyClipParts,
    "ComparedWithHost": ComparedWithHost,
    "Filled": Filled,
    "Sink": Sink,
}
