"""CLIPs with random weights in the true architectures, shrunk: small enough to test in milliseconds."""

from __future__ import annotations

import functools
from unittest import mock

import open_clip
import timm
import torch
from clip_explainability.core.clip import ExplainableCLIP

TEXT = {"context_length": 20, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 3}
VISION = {"image_size": 64, "patch_size": 16, "width": 96, "head_width": 32, "layers": 3}

CONFIGS: dict[str, dict] = {
    "vit-cls": {"vision_cfg": VISION, "text_cfg": TEXT},
    "vit-quickgelu": {"vision_cfg": VISION, "text_cfg": TEXT, "quick_gelu": True},
    "vit-mean": {"vision_cfg": {**VISION, "pool_type": "avg"}, "text_cfg": TEXT},
    "vit-attention-pool": {
        "vision_cfg": {**VISION, "attentional_pool": True, "attn_pooler_queries": 6, "attn_pooler_heads": 4},
        "text_cfg": TEXT,
    },
    "resnet": {
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
        "text_cfg": TEXT,
    },
    "custom-blocks": {
        "vision_cfg": {**VISION, "block_type": "custom", "qk_norm": True},
        "text_cfg": {**TEXT, "block_type": "custom"},
    },
}
TIMM_CONFIGS: dict[str, dict] = {
    "siglip": {
        "vision_cfg": {
            "image_size": 64,
            "timm_model_name": "vit_tiny_patch16_224",
            "timm_pool": "map",
            "timm_proj": "none",
        },
        "text_cfg": {**TEXT, "no_causal_mask": True, "pool_type": "last", "proj_bias": True},
        "init_logit_bias": -10,
    },
    "eva": {
        "vision_cfg": {
            "image_size": 56,
            "timm_model_name": "eva02_tiny_patch14_224",
            "timm_pool": "token",
            "timm_proj": "linear",
        },
        "text_cfg": TEXT,
    },
}
# timm's own arguments that shrink a trunk, which open_clip has no way to pass.
DENSE_CONFIGS: dict[str, tuple[dict, dict]] = {
    "convnext": (
        {"image_size": (64, 96), "timm_model_name": "convnext_atto", "timm_pool": "", "timm_proj": "linear"},
        {"depths": (1, 1, 1, 2), "dims": (16, 24, 32, 48)},
    ),
    "convnext-mlp": (
        {"image_size": 96, "timm_model_name": "convnext_atto", "timm_pool": "", "timm_proj": "mlp"},
        {"depths": (1, 1, 1, 1), "dims": (16, 24, 32, 48)},
    ),
    "fastvit": (
        {"image_size": 96, "timm_model_name": "fastvit_mci0", "timm_pool": "avg", "timm_proj": None},
        {"embed_dims": (16, 32, 32, 64), "layers": (1, 1, 1, 1)},
    ),
    "swin": (
        {
            "image_size": (64, 96),
            "timm_model_name": "swin_tiny_patch4_window7_224",
            "timm_pool": "",
            "timm_proj": "linear",
        },
        {"img_size": (64, 96), "window_size": 2, "depths": (1, 1, 1, 2), "embed_dim": 24},
    ),
}
RELPOS: tuple[dict, dict] = (
    {
        "image_size": 64,
        "timm_model_name": "vit_relpos_medium_patch16_cls_224",
        "timm_pool": "",
        "timm_proj": "linear",
    },
    {"img_size": 64, "depth": 3, "embed_dim": 64, "num_heads": 2},
)
COCA = {
    "vision_cfg": {
        **VISION,
        "attentional_pool": True,
        "attn_pooler_queries": 6,
        "attn_pooler_heads": 4,
        "output_tokens": True,
    },
    "text_cfg": {**TEXT, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {"context_length": 20, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
FAMILIES = [*CONFIGS, *TIMM_CONFIGS, "relpos", "coca"]
DENSE_FAMILIES = list(DENSE_CONFIGS)


@functools.cache
def tiny_clip(family: str, seed: int = 0) -> ExplainableCLIP:
    """The random CLIP of a family; the same weights on every call."""
    # Whichever test comes first may be under inference mode, as nodes are.
    with torch.inference_mode(False), torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _build(family)
        for name, parameter in model.named_parameters():
            # Default initialisation leaves attention nearly uniform; sharper weights make a sharper test. The deep
            # timm towers get less: there they would amplify fp32 noise past any tolerance.
            gain = 1.0 if family in TIMM_CONFIGS or family in DENSE_CONFIGS else 2.0
            if parameter.dim() >= 2 and "token_embedding" not in name:
                inputs = parameter[0].numel() if family in DENSE_CONFIGS else parameter.shape[-1]
                torch.nn.init.normal_(parameter, std=gain / inputs**0.5)
            elif "bn3" in name:
                torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return ExplainableCLIP(model, open_clip.SimpleTokenizer(context_length=20), family)


def _build(family: str) -> torch.nn.Module:
    if family == "coca":
        return open_clip.CoCa(embed_dim=48, **COCA)
    if family == "siglip":
        return _timm_at(64, {"embed_dim": 192, **TIMM_CONFIGS[family]})
    if family == "eva":
        return _timm_at(56, {"embed_dim": 48, **TIMM_CONFIGS[family]})
    if family in DENSE_CONFIGS or family == "relpos":
        vision, shrunk = DENSE_CONFIGS.get(family, RELPOS)
        with mock.patch("timm.create_model", functools.partial(timm.create_model, **shrunk)):
            return open_clip.CustomTextCLIP(48, vision, TEXT)
    return open_clip.CLIP(embed_dim=48, **CONFIGS[family])


def _timm_at(size: int, config: dict) -> torch.nn.Module:
    """open_clip leaves a timm tower at its own image size; shrink it to ``size``."""
    model = open_clip.CustomTextCLIP(**config)
    model.visual.trunk.set_input_size((size, size))
    return model
