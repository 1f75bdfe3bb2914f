"""Hugging Face's two-tower checkpoints (CLIP, MetaCLIP 2, SigLIP, SigLIP 2) in open_clip's terms.

Every tensor of an open_clip model has a *recipe*: the names that it is made of in Hugging Face's format, and how. A
file is converted by following all of them once; ``parts`` follows them at every use, on weights that are not ours.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch

from ..errors import InputError
from . import siglip
from .recipes import Recipe, count_layers, renamed, same, stacked_attention, tower_settings
from .weights import StateDict

_TOWERS = (("text_model", "transformer"), ("vision_model", "visual.transformer"))
_BLOCK_NAMES = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_NAMES = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "logit_scale": "logit_scale",
}
_METACLIP_2 = {"pool_type": "eos", "eos_id": 2, "hf_tokenizer_name": "facebook/metaclip-2-worldwide-huge-quickgelu"}


def is_hugging_face(names: Collection[str]) -> bool:
    """Whether these are the tensors of a two-tower model in Hugging Face's format."""
    return "text_model.embeddings.token_embedding.weight" in names and (
        "vision_model.embeddings.patch_embedding.weight" in names
    )


def convert(state: StateDict) -> StateDict:
    """The tensors under open_clip's names. What no recipe asks for keeps its name, but for old files' position ids."""
    recipes = siglip.recipes(state) if siglip.is_siglip(state) else clip_recipes(state)
    converted = {new: make(*(state[name] for name in names)) for new, (make, names) in recipes.items()}
    used = {name for _, names in recipes.values() for name in names}
    return converted | {k: v for k, v in state.items() if k not in used and not k.endswith("position_ids")}


def clip_recipes(names: Collection[str]) -> dict[str, Recipe]:
    """Recipes of a CLIP whose tensors in Hugging Face's format have these names."""
    recipes: dict[str, Recipe] = {new: (same, (old,)) for old, new in _NAMES.items() if old in names}
    recipes["text_projection"] = (_transposed, ("text_projection.weight",))
    recipes["visual.proj"] = (_transposed, ("visual_projection.weight",))
    for source, target in _TOWERS:
        for layer in range(count_layers(names, source)):
            recipes |= _block(f"{source}.encoder.layers.{layer}", f"{target}.resblocks.{layer}")
    return recipes


def _block(source: str, target: str) -> dict[str, Recipe]:
    recipes: dict[str, Recipe] = {}
    for kind in ("weight", "bias"):
        recipes[f"{target}.attn.in_proj_{kind}"] = stacked_attention(source, kind)
        recipes |= renamed(_BLOCK_NAMES, source, target, kind)
    return recipes


def _transposed(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.T


def convert_config(config: dict[str, Any], state: StateDict | None = None) -> dict[str, Any] | None:
    """A Hugging Face ``config.json`` as an open_clip configuration; None where it is of something else.

    Args:
        state: the checkpoint, in Hugging Face's names: a SigLIP's sizes are read from it.
    """
    kind = config.get("model_type")
    if kind in ("siglip", "siglip2") and state is not None and siglip.is_siglip(state):
        return siglip.configuration(state, config)
    if kind not in ("clip", "metaclip_2"):
        return None
    vision, text = tower_settings(config, "vision"), tower_settings(config, "text")
    text_cfg = {
        "context_length": text.get("max_position_embeddings", 77),
        "vocab_size": text.get("vocab_size", 49408),
        **_sizes(text, 512, 8),
        "heads": text.get("num_attention_heads", 8),
    }
    eos = text.get("eos_token_id", 2)
    if kind == "metaclip_2":
        text_cfg |= {**_METACLIP_2, "eos_id": eos}
    elif eos not in (2, text_cfg["vocab_size"] - 1):  # 2 stands in older files, whose EOT is the highest id
        text_cfg |= {"pool_type": "eos", "eos_id": eos}
    heads = vision.get("num_attention_heads", 12)
    vision_cfg = {
        "image_size": vision.get("image_size", 224),
        "patch_size": vision.get("patch_size", 32),
        **_sizes(vision, 768, 12),
    }
    vision_cfg["head_width"] = vision_cfg["width"] // heads
    activations = {"vision": vision.get("hidden_act", "quick_gelu"), "text": text.get("hidden_act", "quick_gelu")}
    quick = activations["vision"] == "quick_gelu"
    converted = {
        "embed_dim": config.get("projection_dim", 512),
        "quick_gelu": quick,
        "vision_cfg": vision_cfg,
        "text_cfg": text_cfg,
    }
    if set(activations.values()) not in ({"quick_gelu"}, {"gelu"}):
        converted["activations"] = activations
    return converted


def _sizes(settings: dict[str, Any], default_width: int, default_heads: int) -> dict[str, Any]:
    """Width, depth and the like of a tower; absent keys have CLIP's defaults."""
    width = settings.get("hidden_size", default_width)
    if width % settings.get("num_attention_heads", default_heads):
        raise InputError(f"the configuration's width {width} is no multiple of its number of attention heads")
    hidden = settings.get("intermediate_size", width * 4)
    ratio = hidden / width
    sizes = {
        "width": width,
        "layers": settings.get("num_hidden_layers", 12),
        # Towers take the whole part of width x ratio, which rounding may lower.
        "mlp_ratio": ratio if int(width * ratio) == hidden else (hidden + 0.5) / width,
    }
    if settings.get("layer_norm_eps", 1e-5) != 1e-5:
        sizes["norm_kwargs"] = {"eps": settings["layer_norm_eps"]}
    return sizes
