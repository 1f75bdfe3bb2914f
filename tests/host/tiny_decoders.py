"""Decoders of the host, shrunken and with random weights: every kind that the host at hand has.

Runs inside the host's own Python (either host), so it imports nothing of the pack.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

_KL = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 64,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 32,
    "ch_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "attn_resolutions": [],
    "dropout": 0.0,
}
_LTX = {
    "_class_name": "CausalVideoAutoencoder",
    "dims": 3,
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 128,
    "encoder_blocks": [["res_x", {"num_layers": 1}], ["compress_all", {}]],
    "encoder_base_channels": 16,
    "decoder_base_channels": 16,
    "norm_layer": "pixel_norm",
    "patch_size": 4,
    "latent_log_var": "uniform",
    "causal_decoder": False,
}
_LTX_BLOCKS = [
    ["res_x", {"num_layers": 1, "inject_noise": True}],
    ["compress_all", {"residual": True, "multiplier": 2}],
    ["res_x", {"num_layers": 1, "inject_noise": False}],
]
_WAN = {"dim": 16, "dim_mult": [1, 2, 2, 2], "num_res_blocks": 1, "temperal_downsample": [False, True, True]}
_HUNYUAN = {
    "block_out_channels": [32, 64, 64],
    "in_channels": 3,
    "out_channels": 3,
    "num_res_blocks": 1,
    "ffactor_spatial": 8,
    "ffactor_temporal": 4,
    "downsample_match_channel": True,
    "upsample_match_channel": True,
    "z_channels": 32,
}
_COSMOS = {
    "z_channels": 16,
    "latent_channels": 16,
    "z_factor": 1,
    "resolution": 64,
    "in_channels": 3,
    "out_channels": 3,
    "channels": 16,
    "channels_mult": [1, 2, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [4],
    "dropout": 0.0,
    "patch_size": 4,
    "num_groups": 1,
    "temporal_compression": 8,
    "spacial_compression": 8,
}
_MOCHI = {
    "out_channels": 3,
    "base_channels": 32,
    "channel_multipliers": [1, 1, 2, 2],
    "temporal_expansions": [1, 2, 3],
    "spatial_expansions": [2, 2, 2],
    "num_res_blocks": [1, 1, 1, 1, 1],
    "latent_dim": 12,
    "has_attention": [False] * 5,
    "padding_mode": "replicate",
    "output_norm": False,
    "nonlinearity": "silu",
    "output_nonlinearity": "silu",
    "causal": True,
}


def _host(module: str) -> Any:
    return importlib.import_module(f"comfy.{module}")


def _kl(**changes: Any) -> Any:
    settings = {**_KL, **changes}
    return _host("ldm.models.autoencoder").AutoencoderKL(ddconfig=settings, embed_dim=settings["z_channels"])


def _engine(decoder: str, settings: dict[str, Any]) -> Any:
    module, name = decoder.rsplit(".", 1)
    return _only_decodes(getattr(_host(module), name)(**settings))


def _only_decodes(decoder: torch.nn.Module) -> torch.nn.Module:
    """A network whose ``decode`` is this module, as that of the host's engines is."""
    network = torch.nn.Module()
    network.decoder = decoder
    network.decode = lambda x, **others: decoder(x, **others)
    return network


def _ltx(**changes: Any) -> Any:
    config = {**_LTX, "decoder_blocks": _LTX_BLOCKS, **changes}
    return _host("ldm.lightricks.vae.causal_video_autoencoder").VideoVAE(config=config)


def _mochi() -> Any:
    model = _host("ldm.genmo.vae.model")
    network = _only_decodes(model.Decoder(**_MOCHI))
    network.decode = lambda x: model.VideoVAE.decode(network, x)
    return network


def _taehv(channels: int, **changes: Any) -> Any:
    return _host("taesd.taehv").TAEHV(latent_channels=channels, latent_format=None, **changes)


def _seedvr() -> Any:
    return _host("ldm.seedvr.vae").VideoAutoencoderKLWrapper()


# Name: how it is built, channels of its latents, whether it decodes video, its two-point process_output.
_SIGNED, _PLAIN = (lambda x: (x + 1) / 2), (lambda x: x)
KINDS: dict[str, tuple[Callable[[], Any], int, bool, Callable[[Any], Any]]] = {
    "AutoencoderKL": (_kl, 4, False, _SIGNED),
    "AutoencoderKL, 16 channels": (lambda: _kl(z_channels=16), 16, False, _SIGNED),
    "AutoencoderKL, packed (Flux.2)": (lambda: _kl(z_channels=4, batch_norm_latent=True), 16, False, _SIGNED),
    "AutoencoderKL, 3-D (HunyuanVideo)": (lambda: _kl(conv3d=True, time_compress=4), 4, True, _SIGNED),
    "VideoDecoder (SVD)": (
        lambda: _engine("ldm.modules.temporal_ae.VideoDecoder", {**_KL, "video_kernel_size": [3, 1, 1], "alpha": 0.0}),
        4,
        False,
        _SIGNED,
    ),
    "TAESD": (lambda: _host("taesd.taesd").TAESD(), 4, False, _SIGNED),
    "TAESD, 16 channels": (lambda: _host("taesd.taesd").TAESD(latent_channels=16), 16, False, _SIGNED),
    "TAESD, Flux.2": (lambda: _host("taesd.taesd").TAESD(latent_channels=128), 128, False, _SIGNED),
    "TAEHV": (lambda: _taehv(16), 16, True, _PLAIN),
    "TAEHV, Wan 2.2": (lambda: _taehv(48), 48, True, _PLAIN),
    "TAEHV, LTX-2": (lambda: _taehv(128), 128, True, _PLAIN),
    "TAEHV, HunyuanVideo 1.5": (lambda: _taehv(32), 32, True, _PLAIN),
    "TAEHV, MiniMax": (lambda: _taehv(24), 24, True, _PLAIN),
    "Wan 2.1": (lambda: _host("ldm.wan.vae").WanVAE(z_dim=16, **_WAN), 16, True, _SIGNED),
    "Wan 2.1, RGBA": (
        lambda: _host("ldm.wan.vae").WanVAE(z_dim=16, image_channels=4, conv_out_channels=4, **_WAN),
        16,
        True,
        _SIGNED,
    ),
    "Wan 2.2": (lambda: _host("ldm.wan.vae2_2").WanVAE(z_dim=48, dec_dim=32, **_WAN), 48, True, _SIGNED),
    "LTXV": (_ltx, 128, True, _SIGNED),
    "LTXV, timestep": (lambda: _ltx(timestep_conditioning=True), 128, True, _SIGNED),
    "HunyuanImage": (
        lambda: _engine("ldm.hunyuan_video.vae.Decoder", {**_HUNYUAN, "ffactor_temporal": 1}),
        32,
        False,
        _SIGNED,
    ),
    "HunyuanVideo 1.5": (
        lambda: _engine("ldm.hunyuan_video.vae_refiner.Decoder", {**_HUNYUAN, "refiner_vae": True}),
        32,
        True,
        _SIGNED,
    ),
    "HunyuanImage refiner": (
        lambda: _engine("ldm.hunyuan_video.vae_refiner.Decoder", {**_HUNYUAN, "refiner_vae": False}),
        32,
        True,
        _SIGNED,
    ),
    "Cosmos 1": (lambda: _host("ldm.cosmos.vae").CausalContinuousVideoTokenizer(**_COSMOS), 16, True, _SIGNED),
    "Mochi": (_mochi, 12, True, _SIGNED),
    "CogVideoX": (
        lambda: _host("ldm.cogvideo.vae").AutoencoderKLCogVideoX(
            block_out_channels=(32, 32, 64, 64), latent_channels=16, layers_per_block=1
        ),
        16,
        True,
        _SIGNED,
    ),
    "Cascade, stage A": (
        lambda: _host("ldm.cascade.stage_a").StageA(bottleneck_blocks=2, c_hidden=32, codebook_size=16),
        4,
        False,
        _PLAIN,
    ),
    "Cascade, stage C previewer": (
        lambda: _only_decodes(_host("ldm.cascade.stage_c_coder").Previewer(c_hidden=32)),
        16,
        False,
        _SIGNED,
    ),
    "pixel space": (lambda: _host("pixel_space_convert").PixelspaceConversionVAE(), 3, False, _SIGNED),
}


def tiny_decoder(kind: str, dtype: torch.dtype = torch.float32) -> Any:
    """As much of the host's VAE as guidance uses, around a decoder of that kind; None where the host has none."""
    build, channels, of_video, process_output = KINDS[kind]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            network = build()
        except (ImportError, AttributeError, TypeError):
            return None
        _randomize(network)
    network = network.to(dtype).eval()
    return SimpleNamespace(
        first_stage_model=network,
        device=torch.device("cpu"),
        vae_dtype=dtype,
        latent_channels=channels,
        latent_dim=3 if of_video else 2,
        process_output=process_output,
        patcher=None,
        memory_used_decode=lambda shape, dtype: 0,
    )


def _randomize(network: torch.nn.Module) -> None:
    """The host leaves weights uninitialised, for they come from a file: norms become 1, what scales a branch .5."""
    for name, weight in network.named_parameters():
        if sum(side > 1 for side in weight.shape) > 1:
            torch.nn.init.normal_(weight, std=(1.5 / weight[0].numel()) ** 0.5)
        elif name.endswith("bias"):
            torch.nn.init.zeros_(weight)
        else:
            torch.nn.init.constant_(weight, 1.0 if name.endswith(("weight", "gamma", "vae_scale")) else 0.5)
    for name, buffer in network.named_buffers():
        if "per_channel_statistics" in name:
            buffer.fill_(float("std" in name))
