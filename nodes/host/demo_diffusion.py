"""The demo diffusion model as the host's own MODEL, CLIP and VAE."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...core.demo.diffusion import DiffusionConfig, DiffusionWeights


def build_diffusion(config: DiffusionConfig, weights: DiffusionWeights) -> tuple[Any, Any, Any]:
    """MODEL, CLIP and VAE, managed by the host like those of any checkpoint."""
    import torch

    # Weights made under inference mode could never guide; some of the host's classes write on theirs as they start.
    with torch.inference_mode(False), torch.no_grad():
        return _model(config, weights), _text_encoder(config, weights), _autoencoder(config, weights)


def _model(config: DiffusionConfig, weights: DiffusionWeights) -> Any:
    import torch
    from comfy import latent_formats, model_base, model_management, model_patcher, supported_models_base

    class DemoLatents(latent_formats.LatentFormat):
        latent_channels = config.channels
        scale_factor = config.latent_scale
        latent_rgb_factors = config.rgb_factors
        latent_rgb_factors_bias = config.rgb_bias

        def process_in(self, latent: torch.Tensor) -> torch.Tensor:
            return (latent - config.latent_shift) * config.latent_scale

        def process_out(self, latent: torch.Tensor) -> torch.Tensor:
            return latent / config.latent_scale + config.latent_shift

    class DemoDiffusion(supported_models_base.BASE):
        unet_config: dict[str, Any] = {}
        unet_extra_config: dict[str, Any] = {}
        sampling_settings = {
            "linear_start": config.beta_ends[0],
            "linear_end": config.beta_ends[1],
            "beta_schedule": "linear",  # the host's name for linear in the square root
        }
        latent_format = DemoLatents
        manual_cast_dtype = None
        memory_usage_factor = 1.0

    network = {**config.unet, "dtype": torch.float32, "transformer_depth": list(config.unet["transformer_depth"])}
    network["transformer_depth_output"] = list(config.unet["transformer_depth_output"])  # the host empties both lists
    model = model_base.BaseModel(DemoDiffusion(network), model_type=model_base.ModelType.V_PREDICTION)
    model.diffusion_model.load_state_dict(weights.unet)
    return model_patcher.ModelPatcher(
        model.eval(),
        load_device=model_management.get_torch_device(),
        offload_device=model_management.unet_offload_device(),
    )


def _text_encoder(config: DiffusionConfig, weights: DiffusionWeights) -> Any:
    import torch
    from comfy import sd, sd1_clip

    def tower(**settings: Any) -> Any:
        # Hosts differ in what they pass on; the tower needs its own architecture whatever they do.
        settings = {name: value for name, value in settings.items() if name in ("device", "model_options")}
        return sd1_clip.SDClipModel(
            **settings, dtype=torch.float32, max_length=config.tokens, textmodel_json_config=dict(config.text)
        )

    def tokenizer(**settings: Any) -> Any:
        return sd1_clip.SDTokenizer(**settings, max_length=config.tokens, embedding_size=config.text["hidden_size"])

    target = SimpleNamespace(
        params={"clip_model": tower},
        clip=sd1_clip.SD1ClipModel,
        tokenizer=lambda **settings: sd1_clip.SD1Tokenizer(**settings, tokenizer=tokenizer),
    )
    clip = sd.CLIP(target=target)
    transformer = clip.cond_stage_model.clip_l.transformer
    # Hosts of 2024 make 77 positions whatever the settings say.
    embeddings = transformer.text_model.embeddings
    if len(embeddings.position_embedding.weight) != config.tokens:
        embeddings.position_embedding = torch.nn.Embedding(config.tokens, config.text["hidden_size"])
    transformer.load_state_dict(weights.text)
    return clip


def _autoencoder(config: DiffusionConfig, weights: DiffusionWeights) -> Any:
    import torch
    from comfy import sd

    vae = sd.VAE(sd=weights.vae, config={"params": config.vae}, dtype=torch.float32)
    vae.latent_channels = config.channels
    return vae
