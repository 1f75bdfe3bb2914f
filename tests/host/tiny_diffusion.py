"""Real diffusion models and autoencoders of the host, with random weights and a few thousand parameters.

Runs inside the host's own Python (either host), so it imports nothing of the pack.
"""

from __future__ import annotations

from typing import Any

import torch

KINDS = ("eps", "v", "flow")
CHANNELS = (4, 16)
CONTEXT = 32


def tiny_model(kind: str = "eps", channels: int = 4, seed: int = 0, operations: Any = None) -> Any:
    """A ModelPatcher around a UNet that predicts epsilon, v or flow on latents of 4 or 16 channels.

    Args:
        operations: the host's class of layers, where it is not to choose.
    """
    from comfy import latent_formats, model_base, model_patcher, supported_models_base

    unet = {
        "image_size": 16,
        "in_channels": channels,
        "out_channels": channels,
        "model_channels": 32,
        "num_res_blocks": [1, 1],
        "channel_mult": (1, 2),
        "num_heads": 2,
        "num_head_channels": -1,
        "use_spatial_transformer": True,
        "transformer_depth": [1, 1],
        "transformer_depth_output": [1, 1, 1, 1],
        "transformer_depth_middle": 1,
        "context_dim": CONTEXT,
        "use_linear_in_transformer": False,
        "legacy": False,
        "adm_in_channels": None,
        "dtype": torch.float32,
    }

    class Config(supported_models_base.BASE):
        unet_config: dict[str, Any] = {}
        unet_extra_config: dict[str, Any] = {}
        sampling_settings = {"shift": 3.0} if kind == "flow" else {}
        latent_format = latent_formats.SD15 if channels == 4 else latent_formats.SD3
        manual_cast_dtype = None
        custom_operations = operations
        memory_usage_factor = 1.0

    kinds = {
        "eps": model_base.ModelType.EPS,
        "v": model_base.ModelType.V_PREDICTION,
        "flow": model_base.ModelType.FLOW,
    }
    config = Config(unet)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = model_base.BaseModel(config, model_type=kinds[kind])
        _randomize(model.diffusion_model, seed)
    cpu = torch.device("cpu")
    return model_patcher.ModelPatcher(model.eval(), load_device=cpu, offload_device=cpu)


def tiny_vae(channels: int = 4, seed: int = 1) -> Any:
    """The host's VAE with a small decoder; eight times as many pixels as latents each way."""
    from comfy import sd
    from comfy.ldm.models.autoencoder import AutoencoderKL

    config = {
        "double_z": True,
        "z_channels": channels,
        "resolution": 64,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 32,
        "ch_mult": [1, 1, 1, 1],
        "num_res_blocks": 1,
        "attn_resolutions": [],
        "dropout": 0.0,
    }
    params = {"ddconfig": config, "embed_dim": channels}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = AutoencoderKL(**params)
        _randomize(network, seed)
    return sd.VAE(sd=network.state_dict(), config={"params": params}, dtype=torch.float32)


def conditioning(batch: int = 1, seed: int = 2) -> list[Any]:
    """A CONDITIONING of random text embeddings."""
    generator = torch.Generator().manual_seed(seed)
    return [[torch.randn(batch, 7, CONTEXT, generator=generator), {}]]


def _randomize(network: torch.nn.Module, seed: int) -> None:
    """The host leaves weights uninitialised, for they come from a file."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in network.named_parameters():
        if weight.dim() > 1:
            fan_in = weight[0].numel()
            values = torch.randn(weight.shape, generator=generator) / fan_in**0.5
        else:
            values = torch.ones(weight.shape) if name.endswith("weight") else torch.zeros(weight.shape)
        weight.data.copy_(values)
