"""The towers of the host's own CLIP_VISION and CLIP objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError

if TYPE_CHECKING:
    import torch

    from ...core.loading.parts import Parts

_NO_TEXT = (
    "connect a CLIP whose text encoder is a CLIP's with its projection: CLIP-L as a full text encoder file (such as "
    "ViT-L-14-TEXT-detail-improved-hiT-GmP-TE-only-HF.safetensors), CLIP-G of SDXL (clip_g.safetensors, or an SDXL "
    "checkpoint), or use Load Explainable CLIP with a whole model"
)
_NO_VISION = (
    "connect Load CLIP Vision with an image encoder of CLIP (CLIP-ViT-H-14, CLIP-ViT-bigG-14, clip_vision_l or "
    "clip-vit-large-patch14), or use Load Explainable CLIP with a whole model"
)


def clip_parts(clip_vision: Any, clip: Any) -> tuple[Parts, list[Any]]:
    """Both towers, and the patchers that own them.

    Of several text encoders (SDXL has CLIP-L and CLIP-G) the one whose features are as wide as the image tower's.

    Raises:
        InputError: either is no tower of a CLIP, lacks its projection, or they don't belong together.
    """
    import torch

    from ...core.clip import OPENAI_MEAN, OPENAI_STD
    from ...core.loading.parts import Parts

    vision = _image_tower(clip_vision)
    width = vision.visual_projection.weight.shape[0]
    text, name = _text_tower(clip, width)
    _require_projection(clip, text, name, width)
    towers = {"vision_model": vision, "visual_projection": vision, "text_model": text, "text_projection": text}
    modules: dict[str, tuple[torch.nn.Module, str]] = {}
    for prefix, tower in towers.items():
        for path, module in getattr(tower, prefix).named_modules():
            for key in module._parameters:
                if module._parameters[key] is not None:
                    modules[".".join(filter(None, (prefix, path, key)))] = (module, key)

    vision_layer, text_layer = vision.vision_model.encoder.layers[0], text.text_model.encoder.layers[0]
    # Hosts of 2024 know one mean and one deviation, those of every CLIP.
    mean, std = getattr(clip_vision, "image_mean", OPENAI_MEAN), getattr(clip_vision, "image_std", OPENAI_STD)
    parts = Parts(
        read=lambda name: _weight(*modules[name]),
        names=frozenset(modules),
        device=torch.device(clip_vision.patcher.load_device),
        vision_heads=vision_layer.self_attn.heads,
        text_heads=text_layer.self_attn.heads,
        vision_activation=_activation(vision_layer),
        text_activation=_activation(text_layer),
        mean=tuple(mean),
        std=tuple(std),
    )
    return parts, [clip_vision.patcher, clip.patcher]


def _weight(module: torch.nn.Module, key: str) -> torch.Tensor:
    """A weight as the host would use it now."""
    tensor: Any = module._parameters[key]
    if hasattr(tensor, "dequantize") and type(tensor).__name__ == "QuantizedTensor":
        tensor = tensor.dequantize()
    # What is kept off the device for want of room is patched on its way there: one function, or a list of them.
    patches = getattr(module, f"{key}_function", None) or []
    for patch in patches if isinstance(patches, list) else [patches]:
        tensor = patch(tensor)
    return tensor


def _activation(layer: Any) -> str:
    from comfy.clip_model import ACTIVATIONS

    return next(name for name, function in ACTIVATIONS.items() if function is layer.mlp.activation)


def _image_tower(clip_vision: Any) -> Any:
    model: Any = getattr(clip_vision, "model", None)
    tower = getattr(model, "vision_model", None)
    kind = getattr(clip_vision, "model_type", "clip_vision_model")
    if "siglip" in kind:
        raise InputError(
            "clip_vision is the image tower of a SigLIP, and ComfyUI has no SigLIP text encoder to go with it; load "
            "the whole SigLIP with Load Explainable CLIP (its model.safetensors and tokenizer.json in "
            "models/open_clip), or " + _NO_VISION
        )
    if tower is None or not hasattr(getattr(tower, "embeddings", None), "class_embedding"):
        raise InputError(f"clip_vision is a {type(model).__name__}, not the image tower of a CLIP; {_NO_VISION}")
    if not hasattr(model.visual_projection, "weight"):
        raise InputError(
            "clip_vision has no projection into the space that CLIP's image and text share (it was made for another "
            f"model to read); {_NO_VISION}"
        )
    return model


def _text_tower(clip: Any, width: int) -> tuple[Any, str]:
    """The text encoder that gives features of that width, and its name in the CLIP object."""
    found = dict(_text_towers(clip))
    fitting = {name: tower for name, tower in found.items() if tower.text_projection.weight.shape[0] == width}
    if fitting:
        name, tower = next(iter(fitting.items()))
        return tower, name
    if not found:
        names = ", ".join(type(child).__name__ for child in clip.cond_stage_model.children()) or "nothing"
        raise InputError(f"clip has no text tower of a CLIP (it has {names}); {_NO_TEXT}")
    widths = ", ".join(f"{name} {tower.text_projection.weight.shape[0]}" for name, tower in found.items())
    raise InputError(
        f"clip_vision and clip don't belong together: the image tower gives features of {width} numbers, the text "
        f"tower of {widths}. {_partner(width)}"
    )


def _partner(width: int) -> str:
    partners = {
        768: "With this image tower goes CLIP-L's text encoder (ViT-L/14)",
        1024: "With this image tower goes OpenCLIP ViT-H/14's text encoder with its last layer",
        1280: "With this image tower goes CLIP-G, of SDXL (clip_g.safetensors, or an SDXL checkpoint's CLIP)",
    }
    other = "; with CLIP-L go clip-vit-large-patch14's image tower, with CLIP-G CLIP-ViT-bigG-14's"
    return partners.get(width, "Connect the two towers of one CLIP") + other


def _text_towers(clip: Any) -> Iterator[tuple[str, Any]]:
    for name, encoder in clip.cond_stage_model.named_children():
        tower = getattr(encoder, "transformer", None)
        if hasattr(tower, "text_model") and hasattr(getattr(tower, "text_projection", None), "weight"):
            yield name, tower


def _require_projection(clip: Any, text: Any, name: str, width: int) -> None:
    """Raise where the text encoder has come without projection or last layer: the host makes something up for it."""
    import torch

    files = _files_of(clip)
    layers = len(text.text_model.encoder.layers)
    missing = None if not files else _missing_in(files, width, layers)
    weight = text.text_projection.weight.detach().float()
    if missing is None:
        blank = not bool(weight.isfinite().all()) or not bool(weight.any())
        missing = "projection" if blank or torch.equal(weight.cpu(), torch.eye(len(weight))) else ""
    if missing:
        raise InputError(
            f"the text encoder {name} of clip has no {missing}: text encoders that were cut for diffusion (clip_l of "
            "SD 1.5, SDXL and Flux) come without what compares texts with images; " + _NO_TEXT
        )


def _files_of(clip: Any) -> list[Path]:
    """The files that a CLIP was loaded from, where the host remembers them and they can be looked into."""
    made = getattr(clip.patcher, "cached_patcher_init", None)
    paths = made[1][0] if made else []
    paths = [Path(each) for each in ([paths] if isinstance(paths, str) else paths)]
    return paths if all(each.suffix in (".safetensors", ".sft") and each.is_file() for each in paths) else []


def _missing_in(files: list[Path], width: int, layers: int) -> str | None:
    from safetensors import SafetensorError, safe_open

    has_projection, deepest = False, -1
    try:
        for path in files:
            with safe_open(str(path), framework="pt") as file:
                for key in file.keys():  # noqa: SIM118
                    if key.endswith(("text_projection", "text_projection.weight")):
                        has_projection |= tuple(file.get_slice(key).get_shape()) == (width, width)
                    if match := re.search(r"(?:text_model\.encoder\.layers|transformer\.resblocks)\.(\d+)\.", key):
                        deepest = max(deepest, int(match[1]))
    except (OSError, SafetensorError):
        return None
    if not has_projection:
        return "projection"
    return f"layer {layers}" if deepest + 1 < layers else ""
