"""Which CLIP a checkpoint is, from nothing but its tensors' names and shapes.

open_clip's own list of configurations comes first: one whose tensors match exactly is taken. A size that is not on
the list is described from its tensors (plain ViT and ResNet towers).
"""

from __future__ import annotations

import copy
import functools
import math
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from . import siglip
from .activation import Activation, known_activation, set_activation
from .kinds import require_clip
from .preprocessing import read_json
from .weights import StateDict

# Heads are not visible in shapes; these widths of OpenCLIP's large models depart from 64 a head.
_HEAD_WIDTH = {1280: 80, 1408: 88, 1664: 104, 1792: 112}


def build_model(config: dict[str, Any], folder: Path | None = None) -> torch.nn.Module:
    """The open_clip model of a configuration (the content of one of open_clip's model_configs), random weights.

    Beside open_clip's keys it may have ``activations``, of each tower by Hugging Face's names, and in its vision part
    ``trunk``, the sizes of a SigLIP tower that timm has no name for. Never asks a hub for anything.

    Args:
        folder: where the configuration of a text tower from Hugging Face is looked for.

    Raises:
        InputError: it names a model on a hub whose configuration is not there.
    """
    import open_clip

    config = {key: copy.copy(value) for key, value in config.items() if key not in ("custom_text", "hf_tokenizer_name")}
    activations, trunk = config.pop("activations", {}), config["vision_cfg"].pop("trunk", None)
    _keep_local(config, folder)
    custom_text = _is_custom_text(config)
    if trunk:  # whatever open_clip builds in its place is thrown away; this is timm's smallest
        config["vision_cfg"]["timm_model_name"] = "test_vit"
    if "multimodal_cfg" in config:
        return open_clip.CoCa(**config)
    model = open_clip.CustomTextCLIP(**config) if custom_text else open_clip.CLIP(**config)
    if trunk:
        model.visual.trunk = siglip.build_trunk(trunk)
    if activations:
        set_activation(model.visual, activations["vision"])
        set_activation(getattr(model, "text", None) or model.transformer, activations["text"])
    return model


def _keep_local(config: dict[str, Any], folder: Path | None) -> None:
    """Point everything that would be fetched from a hub at ``folder``: the weights come from the checkpoint anyway."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    if vision.get("timm_model_pretrained"):
        vision["timm_model_pretrained"] = False
    if ":" in str(vision.get("timm_model_name") or ""):
        raise InputError(
            f"its timm_model_name is {vision['timm_model_name']!r}, a model on a hub; name one of timm's own "
            "architectures in its place"
        )
    name = text.get("hf_model_name")
    if not name:
        return
    text["hf_model_pretrained"] = False
    places = [] if folder is None else [folder / str(name).rsplit("/", 1)[-1], folder]
    found = next((place for place in places if _is_text_config(place / "config.json")), None)
    if found is None:
        raise InputError(
            f"its text tower is Hugging Face's {name}, whose configuration is not here; put config.json of "
            f"huggingface.co/{name} into {places[0] if places else 'the folder of the checkpoint'}"
        )
    text["hf_model_name"] = str(found)


def _is_text_config(path: Path) -> bool:
    content = read_json(path)
    return "model_type" in content and "text_config" not in content


def _is_custom_text(config: dict[str, Any]) -> bool:
    vision, text = config["vision_cfg"], config["text_cfg"]
    special_text = ("no_causal_mask", "embed_cls", "proj_bias", "pool_type", "hf_model_name", "use_pad_mask")
    return bool(vision.get("timm_model_name")) or any(text.get(key) for key in special_text)


def infer_config(state: StateDict, file_name: str = "", activation: Activation = "auto") -> dict[str, Any]:
    """Configuration of an open_clip state dict.

    Args:
        file_name: hints at the activation function where ``activation`` is "auto"; GELU where it says nothing.

    Raises:
        InputError: the tensors are not those of a CLIP, or of one that can't be inferred.
    """
    require_clip(state, file_name)
    config = _known_config(state) or _described_config(state, file_name)
    known = known_activation([Path(file_name).stem]) if activation == "auto" else activation
    config["quick_gelu"] = known == "quick_gelu"
    return config


def _text_shape(state: StateDict) -> tuple[str, tuple[int, ...]]:
    """Prefix of the text tower's keys, and (vocabulary, context, width, layers)."""
    prefix = "" if "token_embedding.weight" in state else "text."
    if prefix + "token_embedding.weight" not in state:
        return prefix, ()
    vocabulary, width = state[prefix + "token_embedding.weight"].shape
    context = state[prefix + "positional_embedding"].shape[0] - (prefix + "cls_emb" in state)
    return prefix, (vocabulary, context, width, _count(state, prefix + "transformer.resblocks."))


def _count(state: StateDict, prefix: str) -> int:
    """Number of consecutively numbered modules below a prefix."""
    return len({key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix)})


def _known_config(state: StateDict) -> dict[str, Any] | None:
    import open_clip

    _, text_shape = _text_shape(state)
    if not text_shape:
        return None
    shapes = {key: tuple(value.shape) for key, value in state.items() if not key.startswith("logit_")}
    kind = _vision_kind(state)
    for name in sorted(open_clip.list_models(), key=lambda name: ("quickgelu" in name, len(name), name)):
        config = open_clip.get_model_config(name)
        text, vision = config["text_cfg"], config["vision_cfg"]
        configured = (
            text.get("vocab_size", 49408),
            text.get("context_length", 77),
            text.get("width", 512),
            text.get("layers", 12),
        )
        if "hf_model_name" in text or configured != text_shape or _configured_kind(config) != kind:
            continue
        if kind == "vit" and vision["width"] != state["visual.conv1.weight"].shape[0]:
            continue
        with torch.device("meta"):
            model = build_model(config)
        built = {key: tuple(value.shape) for key, value in model.state_dict().items() if not key.startswith("logit_")}
        if _same_model(shapes, built):
            return config
    return None


def _same_model(shapes: dict[str, tuple[int, ...]], built: dict[str, tuple[int, ...]]) -> bool:
    """Equal shapes, whether the text tower's keys carry the prefix ``text.`` or not."""

    def plain(items: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        return {key.removeprefix("text."): shape for key, shape in items.items() if not key.endswith("attn_mask")}

    return plain(shapes) == plain(built)


def _vision_kind(state: StateDict) -> str:
    if any(key.startswith("text_decoder.") for key in state):
        return "coca"
    if any(key.startswith("visual.trunk.") for key in state):
        return "timm"
    return "resnet" if any(key.startswith("visual.attnpool.") for key in state) else "vit"


def _configured_kind(config: dict[str, Any]) -> str:
    vision = config["vision_cfg"]
    if "multimodal_cfg" in config:
        return "coca"
    if vision.get("timm_model_name"):
        return "timm"
    return "resnet" if isinstance(vision.get("layers"), list) else "vit"


def _described_config(state: StateDict, file_name: str) -> dict[str, Any]:
    prefix, text_shape = _text_shape(state)
    kind = _vision_kind(state)
    if kind not in ("vit", "resnet") or not text_shape:
        raise InputError(
            f"the architecture of checkpoint {file_name or 'given'} can't be inferred from its tensors; put its "
            "open_clip_config.json beside it"
        )
    vocabulary, context, width, layers = text_shape
    text = {"vocab_size": vocabulary, "context_length": context, "width": width, "layers": layers}
    text["heads"] = max(1, width // 64)
    text |= _text_settings(vocabulary)
    projection = state.get(prefix + "text_projection", state.get(prefix + "text_projection.weight"))
    if projection is None:
        raise InputError(f"checkpoint {file_name or 'given'} has no text projection; it is not a whole CLIP")
    embed_dim = projection.shape[1] if prefix + "text_projection" in state else projection.shape[0]
    vision = _describe_vit(state) if kind == "vit" else _describe_resnet(state)
    return {"embed_dim": embed_dim, "vision_cfg": vision, "text_cfg": text}


@functools.cache
def _text_settings(vocabulary: int) -> dict[str, Any]:
    """Tokenizer and pooling that go with a vocabulary (of the multilingual CLIPs), from open_clip's configurations."""
    import open_clip

    keys = ("hf_tokenizer_name", "tokenizer_kwargs", "pool_type", "eos_id")
    for name in open_clip.list_models():
        text = open_clip.get_model_config(name)["text_cfg"]
        causal = not text.get("no_causal_mask") and not text.get("hf_model_name")
        if causal and text.get("vocab_size") == vocabulary and text.get("hf_tokenizer_name"):
            return {key: text[key] for key in keys if key in text}
    return {}


def _describe_vit(state: StateDict) -> dict[str, Any]:
    width, _, patch, _ = state["visual.conv1.weight"].shape
    grid = math.isqrt(state["visual.positional_embedding"].shape[0] - 1)
    return {
        "image_size": grid * patch,
        "patch_size": patch,
        "width": width,
        "head_width": _HEAD_WIDTH.get(width, 64),
        "layers": _count(state, "visual.transformer.resblocks."),
        "mlp_ratio": state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0] / width,
        "no_ln_pre": "visual.ln_pre.weight" not in state,
    }


def _describe_resnet(state: StateDict) -> dict[str, Any]:
    grid = math.isqrt(state["visual.attnpool.positional_embedding"].shape[0] - 1)
    return {
        "image_size": grid * 32,
        "width": state["visual.layer1.0.conv1.weight"].shape[0],
        "layers": [_count(state, f"visual.layer{stage}.") for stage in (1, 2, 3, 4)],
        "patch_size": None,
    }
