"""The networks of the demo diffusion model, in the classes of ComfyUI itself: what is trained is what the host runs.

Needs ComfyUI: the folder in COMFYUI_PATH, or else the package `comfyui` of the environment. The one on PyPI
(0.0.1) can't be trained with: its attention blocks add in place.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import torch

if os.environ.get("COMFYUI_PATH"):
    sys.path.insert(0, os.environ["COMFYUI_PATH"])

from comfy.cli_args import args  # type: ignore[import-not-found, unused-ignore]

args.cpu = True

import comfy.ops  # noqa: E402
from comfy.ldm.models.autoencoder import AutoencoderKL  # noqa: E402
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel  # noqa: E402

LATENT_CHANNELS = 8
CONTEXT = 128
TOKENS = 16

VAE_PARAMS: dict[str, Any] = {
    "embed_dim": LATENT_CHANNELS,
    "ddconfig": {
        "double_z": True,
        "z_channels": LATENT_CHANNELS,
        "resolution": 96,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 32,
        "ch_mult": [1, 1, 2, 2],
        "num_res_blocks": 1,
        "attn_resolutions": [],
        "dropout": 0.0,
    },
}

UNET_CONFIG: dict[str, Any] = {
    "image_size": 12,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "model_channels": 64,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "num_heads": -1,
    "num_head_channels": 32,
    "use_spatial_transformer": True,
    "transformer_depth": [0, 1],
    "transformer_depth_output": [0, 0, 1, 1],
    "transformer_depth_middle": 1,
    "context_dim": CONTEXT,
    "use_linear_in_transformer": False,
    "legacy": False,
    "adm_in_channels": None,
}

TEXT_CONFIG: dict[str, Any] = {
    "hidden_size": CONTEXT,
    "intermediate_size": 4 * CONTEXT,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "max_position_embeddings": TOKENS,
    "hidden_act": "quick_gelu",
    "vocab_size": 49408,
    "projection_dim": CONTEXT,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "layer_norm_eps": 1e-5,
    "model_type": "clip_text_model",
}


def initialise(network: torch.nn.Module) -> torch.nn.Module:
    """Start values; the host leaves its weights undefined, for they come from a file."""
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_uniform_(module.weight, a=5**0.5)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
        elif isinstance(module, (torch.nn.GroupNorm, torch.nn.LayerNorm)) and module.weight is not None:
            torch.nn.init.ones_(module.weight)
            torch.nn.init.zeros_(module.bias)
        elif isinstance(module, torch.nn.Embedding):
            torch.nn.init.normal_(module.weight, std=0.02)
    return network


def build_autoencoder() -> Any:
    """An untrained AutoencoderKL: 8 channels, an eighth of the side."""
    return initialise(AutoencoderKL(**VAE_PARAMS))


def encode(autoencoder: Any, images: torch.Tensor) -> torch.Tensor:
    """Mean latents [B, 8, S/8, S/8] of images [B, 3, S, S] in -1..1."""
    return autoencoder.quant_conv(autoencoder.encoder(images))[:, :LATENT_CHANNELS]


def decode(autoencoder: Any, latents: torch.Tensor) -> torch.Tensor:
    """Images [B, 3, S, S], about -1..1, of latents [B, 8, S/8, S/8]."""
    return autoencoder.decoder(autoencoder.post_quant_conv(latents))


def build_unet() -> Any:
    """An untrained UNet; every residual path starts at zero."""
    unet = initialise(
        UNetModel(**UNET_CONFIG, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init)
    )
    for name, module in unet.named_modules():
        if name.endswith(("out_layers.3", "proj_out", "out.2", "ff.net.2", "to_out.0")):
            torch.nn.init.zeros_(module.weight)
    return unet


def build_text_encoder(rows: int) -> Any:
    """An untrained CLIP text model with `rows` word embeddings.

    Transformers' own, whose weights bear the same names: the host's adds in place and can't be trained.
    """
    from transformers import CLIPTextConfig, CLIPTextModel

    settings = {name: value for name, value in TEXT_CONFIG.items() if name != "model_type"}
    return CLIPTextModel(CLIPTextConfig(**{**settings, "vocab_size": rows, "bos_token_id": 0, "eos_token_id": 1}))
