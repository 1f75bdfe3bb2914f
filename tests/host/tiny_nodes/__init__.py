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
    """Relative distance of a joined CLIP's features from those of the host's own towers, and whether memory is shared."""

    CATEGORY = "tests"
    FUNCTION = "compare"
    OUTPUT_NODE = True
    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"joined": ("EXPLAINABLE_CLIP",), "vision": ("CLIP_VISION",), "clip": ("CLIP",)}}

    def compare(self, joined: Any, vision: Any, clip: Any) -> dict[str, Any]:
        ours = joined.ready()
        pixels = torch.rand(2, 3, *ours.image_size)
        ids = ours.tokenizer(["a red cat on the bench"])
        tower = (
            clip.cond_stage_model.clip_g if hasattr(clip.cond_stage_model, "clip_g") else clip.cond_stage_model.clip_l
        )
        image = vision.model(pixel_values=ours.normalize_pixels(pixels))[2]
        # As the host pads: everything after the end of text is one token over and over.
        tokens = ids.tolist()
        text = tower(tokens)[1]
        far = [
            float((one - other).norm() / other.norm())
            for one, other in (
                (ours.model.encode_image(ours.normalize_pixels(pixels)), image),
                (ours.model.encode_text(ids), text),
            )
        ]
        mine = ours.model.visual.conv1.weight.data_ptr(), ours.model.transformer.resblocks[0].mlp.c_fc.weight.data_ptr()
        theirs = (
            vision.model.vision_model.embeddings.patch_embedding.weight.data_ptr(),
            tower.transformer.text_model.encoder.layers[0].mlp.fc1.weight.data_ptr(),
        )
        owned = list(joined.patchers) == [vision.patcher, clip.patcher]
        return {"ui": {"far": far, "shared": [mine == theirs], "owned": [owned]}, "result": ("",)}


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
