"""Hugging Face CLIP checkpoints (``vision_model.…``, ``text_model.…``) as open_clip state dicts."""

from __future__ import annotations

from typing import Any

import torch

from .weights import StateDict

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


def is_hugging_face_clip(state: StateDict) -> bool:
    return "text_model.embeddings.token_embedding.weight" in state and (
        "vision_model.embeddings.class_embedding" in state
    )


def convert(state: StateDict) -> StateDict:
    """Rename the tensors, stack q, k and v, and transpose the projections. Unknown keys (position ids) are dropped."""
    converted = {new: state[old] for old, new in _NAMES.items() if old in state}
    converted["text_projection"] = state["text_projection.weight"].T.contiguous()
    converted["visual.proj"] = state["visual_projection.weight"].T.contiguous()
    for source, target in (("text_model", "transformer"), ("vision_model", "visual.transformer")):
        prefix = f"{source}.encoder.layers."
        for layer in sorted({key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix)}, key=int):
            converted |= _convert_block(state, prefix + layer, f"{target}.resblocks.{layer}")
    return converted


def _convert_block(state: StateDict, source: str, target: str) -> StateDict:
    block = {
        f"{target}.attn.in_proj_{kind}": torch.cat([state[f"{source}.self_attn.{x}_proj.{kind}"] for x in "qkv"])
        for kind in ("weight", "bias")
    }
    for old, new in _BLOCK_NAMES.items():
        for kind in ("weight", "bias"):
            block[f"{target}.{new}.{kind}"] = state[f"{source}.{old}.{kind}"]
    return block


def convert_config(config: dict[str, Any]) -> dict[str, Any]:
    """A Hugging Face ``config.json`` of a CLIP as an open_clip configuration."""
    # Older files keep both a short and a complete form of each tower's section; absent keys have CLIP's defaults.
    vision = {**(config.get("vision_config") or {}), **(config.get("vision_config_dict") or {})}
    text = {**(config.get("text_config") or {}), **(config.get("text_config_dict") or {})}
    vision_width, text_width = vision.get("hidden_size", 768), text.get("hidden_size", 512)
    return {
        "embed_dim": config.get("projection_dim", 512),
        "quick_gelu": vision.get("hidden_act", "quick_gelu") == "quick_gelu",
        "vision_cfg": {
            "image_size": vision.get("image_size", 224),
            "patch_size": vision.get("patch_size", 32),
            "width": vision_width,
            "layers": vision.get("num_hidden_layers", 12),
            "head_width": vision_width // vision.get("num_attention_heads", 12),
            "mlp_ratio": vision.get("intermediate_size", vision_width * 4) / vision_width,
        },
        "text_cfg": {
            "context_length": text.get("max_position_embeddings", 77),
            "vocab_size": text.get("vocab_size", 49408),
            "width": text_width,
            "heads": text.get("num_attention_heads", 8),
            "layers": text.get("num_hidden_layers", 12),
            "mlp_ratio": text.get("intermediate_size", text_width * 4) / text_width,
        },
    }
