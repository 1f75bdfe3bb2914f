"""Image towers and text encoders in the host's own classes and layouts, with random weights and few of them.

Runs inside the host's own Python (either host), so it imports nothing of the pack.
"""

from __future__ import annotations

import json
import tempfile
from types import SimpleNamespace
from typing import Any

import torch

_COMMON = {"num_hidden_layers": 2, "layer_norm_eps": 1e-05}
_VISION = {**_COMMON, "model_type": "clip_vision_model", "num_channels": 3, "image_size": 64, "patch_size": 16}
_TEXT = {**_COMMON, "max_position_embeddings": 77, "vocab_size": 49408, "eos_token_id": 49407}


def tiny_clip_vision(width: int = 64) -> Any:
    """A CLIP_VISION whose features have ``width`` numbers."""
    from comfy import clip_vision

    config = {
        **_VISION,
        "hidden_size": 96,
        "intermediate_size": 200,
        "num_attention_heads": 3,
        "hidden_act": "quick_gelu",
        "projection_dim": width,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        tower = clip_vision.ClipVisionModel(file.name)
    _randomise(tower.model)
    return tower


def tiny_text_encoder(widths: dict[str, int], projection: str = "own") -> Any:
    """A CLIP of one encoder or several by name (``clip_l``, ``clip_g``), each of its own width.

    Args:
        projection: "own", or what the hosts have where a file has none: "identity" or "zero".
    """
    from comfy import sd, sd1_clip

    class Encoders(torch.nn.Module):
        def __init__(self, **settings: Any) -> None:
            super().__init__()
            self.dtypes = {torch.float32}
            for name, width in widths.items():
                sizes = {"hidden_size": width, "intermediate_size": width * 4, "num_attention_heads": 2}
                config = {**_TEXT, **sizes, "hidden_act": "gelu" if name == "clip_g" else "quick_gelu"}
                setattr(self, name, sd1_clip.SDClipModel(dtype=torch.float32, textmodel_json_config=config))

    clip = sd.CLIP(target=SimpleNamespace(params={}, clip=Encoders, tokenizer=sd1_clip.SD1Tokenizer))
    _randomise(clip.cond_stage_model)
    for name, width in widths.items():
        weight = getattr(clip.cond_stage_model, name).transformer.text_projection.weight
        with torch.no_grad():
            if projection != "own":
                weight.copy_(torch.eye(width) if projection == "identity" else torch.zeros(width, width))
    return clip


def _randomise(model: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight.copy_(noise * weight.shape[-1] ** -0.5 if weight.dim() > 1 else 1 + 0.1 * noise)
