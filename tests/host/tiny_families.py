"""Every model family of the host, shrunken from its own configuration, with random weights.

A family's own ``unet_config`` stands; what it leaves open is read off the constructor of its network and made small by
the names of the parameters. Nothing here lists families: one that is new is built like the others.

Runs inside the host's own Python (either host), so it imports nothing of the pack.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable
from typing import Any

import torch

WIDTH, HEADS, HEAD = 64, 2, 32
_MOST_WEIGHTS = 150_000_000
_AXES = {2: (16, 16), 3: (8, 12, 12), 4: (8, 8, 8, 8)}
_SECTIONS = {3: (6, 5, 5)}

_UNET = {
    "image_size": 16,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": (1, 2),
    "transformer_depth": [1, 1],
    "transformer_depth_output": [1, 1, 1, 1],
    "transformer_depth_middle": 1,
    "context_dim": WIDTH,
    "num_heads": HEADS,
    "num_head_channels": -1,
    "use_spatial_transformer": True,
    "legacy": False,
    "disable_self_attentions": None,
}

# By the names of parameters, the first that fits; the value may be a function of the default.
_BY_NAME: list[tuple[str, Any]] = [
    (r"^(dtype|device|operations|image_model|audio_model|stable_cascade_stage)$", None),
    (r"axes_dims?|axes_dims?_rope|axes_dim_rope|rope_axes_dim|rope_dim_list", lambda d: _like(d, _AXES)),
    (r"mrope_section", lambda d: _like(d, _SECTIONS)),
    (r"axes_lens", lambda d: d if d is not None else (64, 64, 64)),
    (r"rope_dim$", HEAD),
    (r"^(qk_rope_head_dim|.*head_dim|num_head_channels)$", HEAD),
    (r"(kv_?heads|heads|nhead)$", lambda d: [HEADS] * len(d) if isinstance(d, list) else HEADS),
    (r"^(heads|num_heads|n_heads)$", HEADS),
    (r"num_groups$", HEADS),
    (r"multiple_of|adaln_dim|adaln_lora_dim|pixel_attn_hidden_size|lq_hidden_dim", 64),
    (r"ffn_dim|ff_dim|ffn_hidden_size|intermediate_size", 2 * WIDTH),
    (r"mlp_ratio|mlp_width_ratio", lambda d: 2.0),
    (r"^(theta|rope_theta)$", lambda d: d if d is not None else 10000),
    (r"patch_size|patch_spatial|patch_temporal|^patch$", lambda d: 2 if d is None else d),
    (r"pos_emb_cls", "rope3d"),
    (r"vace_layers", 1),
    (r"vace_in_dim", 96),
    (r"llama_layers", lambda d: [0, 1]),
    (r"caption_channels", lambda d: [WIDTH] * 2 if d is None else WIDTH),
    (r"visual_embed_dim", lambda d: d),
    (r"c_clip_img", lambda d: d),
    (r"c_hidden$", lambda d: [WIDTH] * len(d)),
    (r"^blocks$|block_repeat", lambda d: [[1 for _ in each] for each in d]),
    (r"(_depth|depth|layers|blocks|depth_single_blocks)$", lambda d: d if not isinstance(d, int) else min(d, 2)),
    (r"audio_inject_layers", lambda d: [0]),
    (
        r"^((lq_|audio_)?(in|out)_channels|c_(in|out)|(in|out)_dim|channels|(audio_)?latents_dim|.*latent_channels)$",
        lambda d: d,
    ),
    (r"(text_len|max_length|max_seq|text_len_t5|freq_dim|tdim|c_r|time_dim)$", lambda d: d),
    (
        r"(dim|size|width|features|channels|hidden_size_x|hidden_size_y|txtdim|c_cond|c_clip.*|c_effnet|text_dim.*|dim_t5|"
        r"context_size|embed_dim|emb_channels|global_conddim|text_emb_dim|enc_hidden_dim)$",
        lambda d: WIDTH if d is None or (isinstance(d, int) and d >= 100) else d,
    ),
]
# For parameters without a default, by name.
_NEEDED: list[tuple[str, Any]] = [
    (r"patch_spatial", 2), (r"patch_temporal", 1), (r"max_img|max_frames", 240), (r"patch_size", 2),
    (r"depth|layers|blocks", 2), (r"vision_in_dim", None), (r"txt_ids_dims", ()), (r"theta", 10000),
    (r"mlp_ratio", 2.0), (r"eps", 1e-6), (r"mlp_type", "swiglu"), (r"heads", HEADS), (r"bias", True),
    (r"context_processor_layers", None), (r"resolution", 8),
]  # fmt: skip


class NotShrunken(Exception):
    """A family that can't be built here, and why."""


def families() -> list[type]:
    """All of the host's, each once."""
    from comfy import supported_models

    return list(dict.fromkeys(supported_models.models))


def makes_pictures(family: Any) -> bool:
    """Whether its latents are pictures or video; others are sound, shapes, or no latents at all."""
    from comfy import latent_formats

    latents = family.latent_format
    sound = "audio_model" in family.unet_config
    return not sound and latents is not latent_formats.LatentFormat and getattr(latents, "latent_dimensions", 2) != 1


def _like(default: Any, by_length: dict[int, tuple[int, ...]]) -> Any:
    length = len(default) if default is not None else 3
    return type(default or [])(by_length[length])


def _network_class(family: Any) -> type | None:
    """The class of a family's network, as its model asks for it; None for the host's UNet."""
    from comfy import model_base

    found: dict[str, Any] = {}

    class Found(Exception):
        pass

    def note(self: Any, model_config: Any, *args: Any, **others: Any) -> None:
        found["network"] = others.get("unet_model") or (args[2] if len(args) > 2 else None)
        raise Found

    original, model_base.BaseModel.__init__ = model_base.BaseModel.__init__, note
    try:
        own = dict(family.unet_config)
        channels = family.latent_format().latent_channels
        state = {"cc_projection.weight": torch.zeros(WIDTH, WIDTH), "cc_projection.bias": torch.zeros(WIDTH)}
        family({**own, "in_channels": own.get("in_channels", channels), "hidden_size": WIDTH}).get_model(
            state, "", None
        )
    except Found:
        pass
    finally:
        model_base.BaseModel.__init__ = original
    return found.get("network")


def _parameters(network: type) -> dict[str, tuple[Any, Any]]:
    """Names of a constructor's parameters (also its parents', and a ``*Params`` dataclass's), default, annotation."""
    found: dict[str, tuple[Any, Any]] = {}
    for owner in network.__mro__:
        signature = inspect.signature(owner.__init__) if "__init__" in vars(owner) else None
        if signature is None or owner in (torch.nn.Module, object):
            continue
        for name, each in list(signature.parameters.items())[1:]:
            if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
                found.setdefault(name, (each.default, each.annotation))
        if not any(each.kind == each.VAR_KEYWORD for each in signature.parameters.values()):
            return found
    module = vars(sys.modules[network.__module__])
    for value in list(module.values()):
        if dataclasses.is_dataclass(value) and getattr(value, "__name__", "").endswith("Params"):
            for field in dataclasses.fields(value):
                default = field.default if field.default is not dataclasses.MISSING else inspect.Parameter.empty
                found.setdefault(field.name, (default, field.type))
    return found


def shrunken(family: Any, factor: int = 1, more: int = 0) -> dict[str, Any]:
    """A small configuration of a family's network.

    Args:
        factor, more: channels that the network takes beside the latents' own, ``factor * channels + more``, where its
            configuration does not say (patches that are folded into channels, masks and images joined to them).
    """
    own = dict(family.unet_config)
    latents = family.latent_format()
    channels = latents.latent_channels
    network = _network_class(family)
    if network is None or network.__name__ == "UNetModel":
        config = {**_UNET, "in_channels": channels, "out_channels": channels}
        config |= {k: v for k, v in own.items() if k not in ("model_channels", "context_dim", "transformer_depth")}
        if config.get("adm_in_channels") and "num_classes" not in config:
            config["num_classes"] = "sequential"
        if own.get("use_temporal_attention"):
            config |= {"extra_ff_mix_layer": True, "use_spatial_context": True, "merge_strategy": "learned_with_images",
                       "merge_factor": 0.0, "video_kernel_size": [3, 1, 1], "num_classes": "sequential"}  # fmt: skip
        return config
    config: dict[str, Any] = {}
    of_video = getattr(latents, "latent_dimensions", 2) == 3
    for name, (default, annotation) in _parameters(network).items():
        if name in ("dtype", "device", "operations", "self"):
            continue
        if default is inspect.Parameter.empty:
            config[name] = _needed(name, annotation, channels, of_video)
            continue
        if re.fullmatch("(in|out)_(channels|dim)", name) and isinstance(default, int) and default % channels:
            config[name] = channels
        value = _small(name, default)
        if value is not default and not isinstance(default, bool):
            config[name] = value
    # What tells a family apart stays; a size that does so is as good when it is small.
    kept = {}
    for name, value in own.items():
        small_channels = re.search("channels|in_dim$|out_dim$", name) and value and value < 128
        kept[name] = value if small_channels else _small(name, value)
    if (factor, more) != (1, 0) and "in_channels" in config:
        config["in_channels"] = factor * channels + more
    return {**config, **kept, **{k: v for k, v in own.items() if isinstance(v, str | bool | None)}}


def _small(name: str, value: Any) -> Any:
    for pattern, small in _BY_NAME:
        if re.search(pattern, name):
            if value is None and not re.search("patch|vace|axes|rope_dim_list|llama|caption", name):
                return value
            return small(value) if callable(small) else small
    return value


def _needed(name: str, annotation: Any, channels: int, of_video: bool) -> Any:
    if re.fullmatch(r"in_channels|out_channels|in_dim|out_dim", name):
        return channels
    if annotation is bool or annotation == "bool":
        return False
    for pattern, value in _NEEDED:
        if re.search(pattern, name):
            if name == "patch_size" and (annotation is list or annotation == "list" or of_video):
                return [1, value, value] if of_video else [value, value]
            return value
    for pattern, small in _BY_NAME:
        if re.search(pattern, name) and (value := small(None) if callable(small) else small) is not None:
            return value
    return WIDTH


def tiny_family(family: Any, factor: int = 1, more: int = 0, seed: int = 0) -> Any:
    """A ModelPatcher around a family's shrunken network.

    Raises:
        NotShrunken: it can't be built.
    """
    from comfy import model_patcher

    try:
        small = shrunken(family, factor, more)
        config = family({**small, "dtype": torch.float32})
        for name, value in (getattr(family, "unet_extra_config", None) or {}).items():
            if name in ("num_heads", "num_head_channels") and "model_channels" in family.unet_config:
                config.unet_config[name] = {"num_heads": HEADS, "num_head_channels": -1}[name]
            elif name in small:
                config.unet_config[name] = small[name]
            else:
                config.unet_config.setdefault(name, value)
        config.unet_config["dtype"] = torch.float32
        config.manual_cast_dtype = None
        state = {"cc_projection.weight": torch.zeros(WIDTH, WIDTH), "cc_projection.bias": torch.zeros(WIDTH)}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            if (size := _size(family, config)) > _MOST_WEIGHTS:
                raise NotShrunken(f"{size / 1e6:.0f} million weights")
            model = config.get_model(state, "", None)
            _randomize(model, seed)
    except Exception as error:
        raise NotShrunken(f"{type(error).__name__}: {error}") from error
    cpu = torch.device("cpu")
    return model_patcher.ModelPatcher(model.eval(), load_device=cpu, offload_device=cpu)


def _size(family: Any, config: Any) -> int:
    """Number of weights, before they take memory; 0 where it can't be told."""
    from comfy import ops

    network = _network_class(family)
    if network is None:
        return 0
    try:
        built = network(**{**config.unet_config, "device": "meta", "operations": ops.disable_weight_init})
        return sum(each.numel() for each in built.parameters())
    except Exception:
        return 0


def _randomize(network: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, weight in network.named_parameters():
        if weight.dim() > 1:
            values = torch.randn(weight.shape, generator=generator) / weight[0].numel() ** 0.5
        else:
            ones = name.endswith(("weight", "scale", "gamma"))
            values = torch.ones(weight.shape) if ones else torch.zeros(weight.shape)
        weight.data.copy_(values)


def tiny_latents(family: Any, batch: int = 2) -> dict[str, Any]:
    """Empty latents of a family, as nodes give them to a sampler."""
    latents = family.latent_format()
    channels = latents.latent_channels
    side = 32 if channels == 3 else 8
    frames = (2,) if getattr(latents, "latent_dimensions", 2) == 3 else ()
    return {"samples": torch.zeros(batch, channels, *frames, side, side)}


def ready(family: Any, predict: Callable[[Any, Any, Any], Any]) -> tuple[Any, Any, dict[str, Any]]:
    """A family's model with a CONDITIONING and latents that it runs with.

    Args:
        predict: samples one step with model, conditioning and latents; raises where they don't fit.

    Raises:
        NotShrunken: nothing that was tried runs.
    """
    problems: list[str] = []
    for factor, more in ((1, 0), (4, 0), (2, 0), (2, 1)):
        model = tiny_family(family, factor, more)
        for batch in (2, 1):
            latents = tiny_latents(family, batch)
            for conditioning in tiny_conditionings(model):
                try:
                    predict(model, conditioning, latents)
                except Exception as error:
                    problems.append(f"{type(error).__name__}: {error}")
                else:
                    return model, conditioning, latents
        if "in_channels" not in shrunken(family):
            break
    raise NotShrunken("; ".join(dict.fromkeys(each.splitlines()[0][:90] for each in problems)))


def tiny_conditionings(model: Any, seed: int = 2) -> list[Any]:
    """CONDITIONINGs to try: what a family wants beside the text differs."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    adm = getattr(model.model, "adm_channels", 0) or 0
    found: list[Any] = []
    for pooled in dict.fromkeys([WIDTH, *(adm - other for other in (0, 1536, 1280) if adm > other), 1280, 2048, 768]):
        found.append([[random(1, 7, WIDTH), {"pooled_output": random(1, pooled)}]])
    for width, length in ((WIDTH, 7), (2 * WIDTH, 7), (4 * WIDTH, 7), (WIDTH, 77)):
        others = {
            "pooled_output": random(1, WIDTH),
            "attention_mask": torch.ones(1, length),
            "attention_mask_mt5xl": torch.ones(1, 256),
            "conditioning_mt5xl": random(1, 256, WIDTH),
            "conditioning_llama3": random(1, 2, 7, WIDTH),
        }
        text = random(1, length, width)
        found += [[[text, {}]], [[text, {k: v for k, v in others.items() if "mt5" not in k and "llama" not in k}]]]
        found += [[[text, others]]]
    return found
