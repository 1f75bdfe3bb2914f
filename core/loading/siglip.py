"""SigLIP and SigLIP 2 (fixed resolution) from Hugging Face's format.

In open_clip's terms: a timm ViT with attention pooling, and a text tower that looks both ways.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection
from typing import Any

import torch

from ..errors import InputError
from .recipes import Recipe, count_layers, renamed, same, stacked_attention, tower_settings
from .weights import StateDict

_ACTIVATION, _EPSILON = "gelu_pytorch_tanh", 1e-6
_HEADS = {768: 12, 1024: 16, 1152: 16, 1536: 16}  # of the published sizes; shapes don't show them
_TOKENIZERS = {32000: "google/siglip-base-patch16-224", 256000: "google/siglip2-base-patch16-224"}
_VISION, _TEXT, _TRUNK = "vision_model", "text_model", "visual.trunk"
_VISION_NAMES = {
    "embeddings.patch_embedding": "patch_embed.proj",
    "post_layernorm": "norm",
    "head.attention.out_proj": "attn_pool.proj",
    "head.layernorm": "attn_pool.norm",
    "head.mlp.fc1": "attn_pool.mlp.fc1",
    "head.mlp.fc2": "attn_pool.mlp.fc2",
}
_VISION_BLOCK = {
    "layer_norm1": "norm1",
    "layer_norm2": "norm2",
    "self_attn.out_proj": "attn.proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
_TEXT_NAMES = {"final_layer_norm": "ln_final", "head": "text_projection"}
_TEXT_BLOCK = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def is_siglip(names: Collection[str]) -> bool:
    return f"{_VISION}.head.probe" in names or f"{_TEXT}.head.weight" in names


def require_fixed_resolution(state: StateDict, file_name: str) -> None:
    """Raise :class:`InputError` for a NaFlex model, or one without SigLIP's pooling head."""
    patches = state.get(f"{_VISION}.embeddings.patch_embedding.weight")
    if patches is not None and patches.dim() == 2:
        raise InputError(
            f"checkpoint {file_name} is a NaFlex SigLIP 2, which takes pictures of any shape as a list of patches and "
            "has no fixed grid to draw a map on; take the fixed-resolution model of its size (such as "
            "google/siglip2-base-patch16-224 or google/siglip2-so400m-patch14-384)"
        )
    if f"{_VISION}.head.probe" not in state:
        raise InputError(
            f"checkpoint {file_name} is a SigLIP without its pooling head; take model.safetensors of the whole model"
        )


def recipes(names: Collection[str]) -> dict[str, Recipe]:
    """What each tensor of the open_clip model is made of; see ``hugging_face``."""
    made: dict[str, Recipe] = {
        f"{_TRUNK}.pos_embed": (lambda table: table[None], (f"{_VISION}.embeddings.position_embedding.weight",)),
        f"{_TRUNK}.attn_pool.latent": (same, (f"{_VISION}.head.probe",)),
        "text.token_embedding.weight": (same, (f"{_TEXT}.embeddings.token_embedding.weight",)),
        "text.positional_embedding": (same, (f"{_TEXT}.embeddings.position_embedding.weight",)),
        "logit_scale": (same, ("logit_scale",)),
        "logit_bias": (same, ("logit_bias",)),
    }
    for kind in ("weight", "bias"):
        pool = f"{_VISION}.head.attention.in_proj_{kind}"
        made[f"{_TRUNK}.attn_pool.q.{kind}"] = (lambda stack: stack.chunk(3)[0], (pool,))
        made[f"{_TRUNK}.attn_pool.kv.{kind}"] = (lambda stack: stack[len(stack) // 3 :], (pool,))
        made |= renamed(_VISION_NAMES, _VISION, _TRUNK, kind) | renamed(_TEXT_NAMES, _TEXT, "text", kind)
        for layer in range(count_layers(names, _VISION)):
            source, target = f"{_VISION}.encoder.layers.{layer}", f"{_TRUNK}.blocks.{layer}"
            made |= renamed(_VISION_BLOCK, source, target, kind)
            made[f"{target}.attn.qkv.{kind}"] = stacked_attention(source, kind)
        for layer in range(count_layers(names, _TEXT)):
            source, target = f"{_TEXT}.encoder.layers.{layer}", f"text.transformer.resblocks.{layer}"
            made |= renamed(_TEXT_BLOCK, source, target, kind)
            made[f"{target}.attn.in_proj_{kind}"] = stacked_attention(source, kind)
    return made


def configuration(state: StateDict, config: dict[str, Any]) -> dict[str, Any]:
    """The open_clip configuration: sizes from the tensors, the rest from ``config.json`` (may be empty)."""
    patches = state[f"{_VISION}.embeddings.patch_embedding.weight"]
    vision, text = tower_settings(config, "vision"), tower_settings(config, "text")
    grid = math.isqrt(len(state[f"{_VISION}.embeddings.position_embedding.weight"]))
    vocabulary, text_width = state[f"{_TEXT}.embeddings.token_embedding.weight"].shape
    image_size, width = grid * patches.shape[-1], len(patches)
    return {
        "embed_dim": len(state[f"{_TEXT}.head.weight"]),
        "custom_text": True,
        "init_logit_bias": -10,
        "activations": {
            "vision": vision.get("hidden_act", _ACTIVATION),
            "text": text.get("hidden_act", _ACTIVATION),
        },
        "vision_cfg": {
            "image_size": image_size,
            "timm_model_name": "vit_base_patch16_siglip_224",
            "timm_pool": "map",
            "timm_proj": "none",
            # No list has every size; these make the tower.
            "trunk": {
                "img_size": image_size,
                "patch_size": patches.shape[-1],
                "embed_dim": width,
                "depth": count_layers(state, _VISION),
                "num_heads": vision.get("num_attention_heads") or _HEADS.get(width, max(1, width // 64)),
                "mlp_ratio": _ratio(state, _VISION, width),
                "epsilon": vision.get("layer_norm_eps", _EPSILON),
            },
        },
        "text_cfg": {
            "context_length": len(state[f"{_TEXT}.embeddings.position_embedding.weight"]),
            "vocab_size": vocabulary,
            "hf_tokenizer_name": _TOKENIZERS.get(vocabulary, config.get("_name_or_path") or _TOKENIZERS[256000]),
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "width": text_width,
            "heads": text.get("num_attention_heads") or _HEADS.get(text_width, max(1, text_width // 64)),
            "layers": count_layers(state, _TEXT),
            "mlp_ratio": _ratio(state, _TEXT, text_width),
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": text.get("layer_norm_eps", _EPSILON)},
        },
    }


def _ratio(state: StateDict, tower: str, width: int) -> float:
    # Towers take the whole part of width x ratio; the half keeps rounding from lowering it.
    return (len(state[f"{tower}.encoder.layers.0.mlp.fc1.weight"]) + 0.5) / width


def build_trunk(trunk: dict[str, Any]) -> torch.nn.Module:
    """The timm ViT of a configuration's ``trunk``."""
    from timm.models.vision_transformer import VisionTransformer

    settings = dict(trunk)
    norm = functools.partial(torch.nn.LayerNorm, eps=settings.pop("epsilon"))
    return VisionTransformer(**settings, num_classes=0, class_token=False, global_pool="map", norm_layer=norm)
