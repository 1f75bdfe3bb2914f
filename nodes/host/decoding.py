"""The host's decoders with gradients: from latents to pixels, or to the colours of its linear preview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


_TINY_NETWORK = 10_000_000  # weights; TAESD has 2.4 million, the autoencoder of SD 1.5 84 million


def latent_colours(model: Any) -> tuple[Any, Any, Any] | None:
    """Factors ``[C][3]``, bias and reshape of the model's linear latent preview, or None where the host has none."""
    latent_format = model.model.latent_format
    factors = getattr(latent_format, "latent_rgb_factors", None)
    reshape = getattr(latent_format, "latent_rgb_factors_reshape", None)
    if factors is None or (reshape is None and len(factors) != latent_format.latent_channels):
        return None
    return factors, getattr(latent_format, "latent_rgb_factors_bias", None), reshape


def is_tiny_vae(vae: Any) -> bool:
    """Whether decoding costs little beside a sampling step, as with TAESD; full autoencoders are ten times larger."""
    return is_tiny(vae.first_stage_model)


def is_tiny(network: torch.nn.Module) -> bool:
    """Whether all that a network computes on the way may be kept for gradients: what is larger is checkpointed."""
    return sum(weight.numel() for weight in network.parameters()) <= _TINY_NETWORK


def decode_bytes(vae: Any, latent_shape: tuple[int, ...]) -> int:
    """The host's own estimate of what decoding such latents takes."""
    return int(vae.memory_used_decode(tuple(latent_shape), vae.vae_dtype))


def decode_latents(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents as a VAE takes them to pixels ``[B, 3, H, W]``, not clamped and with gradients.

    The host's own ``decode`` clamps (which stops gradients) and falls back to tiles, which have none. Of a video the
    first frame is decoded.
    """
    import torch

    dimensions = getattr(vae, "latent_dim", 2)
    if latents.dim() == 5:
        latents = latents[:, :, :1] if dimensions == 3 else latents[:, :, 0]
    elif dimensions == 3:
        latents = latents.unsqueeze(2)
    pixels = vae.first_stage_model.decode(latents.to(vae.device, vae.vae_dtype)).float()
    if pixels.dim() == 5:
        pixels = pixels[:, :, 0]
    # process_output is linear between its clamps; two points tell which line.
    low, high = (float(vae.process_output(torch.tensor([value]))) for value in (-0.5, 0.5))
    return pixels * (high - low) + (high + low) / 2
