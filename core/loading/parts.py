"""A CLIP of two towers that somebody else holds: their weights are read where they lie, at every use, never kept.

Whoever owns the towers may move, patch and free their weights between two uses. The open_clip model made here has
none of its own: each of its parameters is a property that follows its recipe (see ``hugging_face``) on what the owner
has at that moment. It computes in fp32, whatever the weights are held in.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..clip import OPENAI_MEAN, OPENAI_STD, ExplainableCLIP
from ..errors import InputError
from ..guidance.borrowed_weights import normal_alias
from .architecture import build_model
from .hugging_face import clip_recipes
from .recipes import Recipe, count_layers, same
from .weights import fingerprint

_LOGIT_SCALE = math.log(100)  # where CLIP's training stops it, and where every published one has arrived
_EMBEDDING = "token_embedding"


@dataclass(frozen=True)
class Parts:
    """The two towers of a CLIP, in the hands of their owner.

    Attributes:
        read: gives a tensor by its name in Hugging Face's format, on any device, in any dtype.
        names: of all tensors.
        device: where to compute.
        vision_heads, text_heads: attention heads of the towers.
        vision_activation, text_activation: by Hugging Face's names.
        mean, std: of the pixels, per RGB channel.
    """

    read: Callable[[str], torch.Tensor]
    names: frozenset[str]
    device: torch.device
    vision_heads: int
    text_heads: int
    vision_activation: str
    text_activation: str
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD

    def usable(self, name: str) -> torch.Tensor:
        """A tensor as arithmetic here takes it; the same memory where the owner holds it that way."""
        return _usable(self.read(name), self.device)


def join(parts: Parts, name: str) -> ExplainableCLIP:
    """The CLIP that two towers make.

    Raises:
        InputError: they give features of different widths, or a tower has none of the shapes of a CLIP's.
    """
    import open_clip

    config = _configuration(parts)
    with torch.device("meta"):
        model: Any = build_model(config)
    recipes = {new: recipe for new, recipe in clip_recipes(parts.names).items() if new != "logit_scale"}
    strangers = sorted({new for new, _ in model.named_parameters()} ^ {*recipes, "logit_scale"})
    if strangers:
        raise InputError(f"these towers make no CLIP: {', '.join(strangers[:3])} fits on one side only")
    for module_name, module in list(model.named_modules()):
        own = {new for new, _ in module.named_parameters(recurse=False)} - {"logit_scale"}
        sources = {key: recipes[f"{module_name}.{key}" if module_name else key] for key in own}
        if isinstance(module, torch.nn.MultiheadAttention):
            sources = _unstacked(module, sources)
        if sources:
            _lend(module, parts, sources)
    embedding = clip_recipes(parts.names)[f"{_EMBEDDING}.weight"][1][0]
    model.token_embedding.forward = lambda ids: _usable(_rows(parts.read(embedding), ids), parts.device)
    model.logit_scale = torch.nn.Parameter(torch.tensor(_LOGIT_SCALE, device=parts.device), requires_grad=False)
    places = model.context_length
    causal = torch.full((places, places), float("-inf"), device=parts.device).triu_(1)
    model.register_buffer("attn_mask", causal, persistent=False)
    return ExplainableCLIP(
        model,
        open_clip.SimpleTokenizer(context_length=places),
        name,
        parts.mean,
        parts.std,
        fingerprint({each: parts.read(each) for each in parts.names}),
    )


def _configuration(parts: Parts) -> dict[str, Any]:
    shapes = {name: tuple(parts.read(name).shape) for name in parts.names}
    vision_width, _, patch, _ = shapes["vision_model.embeddings.patch_embedding.weight"]
    image_out, text_out = shapes["visual_projection.weight"][0], shapes["text_projection.weight"][0]
    if image_out != text_out:
        raise InputError(
            f"clip_vision gives features of {image_out} numbers and the text tower of clip of {text_out}, so they are "
            "not of one CLIP"
        )
    vocabulary, text_width = shapes["text_model.embeddings.token_embedding.weight"]
    places = shapes["vision_model.embeddings.position_embedding.weight"][0] - 1

    def sizes(tower: str, width: int) -> dict[str, Any]:
        hidden = shapes[f"{tower}.encoder.layers.0.mlp.fc1.weight"][0]
        # Towers take the whole part of width x ratio; the half keeps rounding from lowering it.
        return {"width": width, "layers": count_layers(parts.names, tower), "mlp_ratio": (hidden + 0.5) / width}

    return {
        "embed_dim": image_out,
        "activations": {"vision": parts.vision_activation, "text": parts.text_activation},
        "vision_cfg": {
            **sizes("vision_model", vision_width),
            "image_size": math.isqrt(places) * patch,
            "patch_size": patch,
            "head_width": vision_width // parts.vision_heads,
        },
        "text_cfg": {
            **sizes("text_model", text_width),
            "heads": parts.text_heads,
            "vocab_size": vocabulary,
            "context_length": shapes["text_model.embeddings.position_embedding.weight"][0],
        },
    }


def _unstacked(module: torch.nn.MultiheadAttention, sources: dict[str, Recipe]) -> dict[str, Recipe]:
    """Have the module take query, key and value weights one by one, as the owner has them: stacking would copy."""
    _, stack = sources.pop("in_proj_weight")
    module._qkv_same_embed_dim = False
    module.register_parameter("in_proj_weight", None)
    return sources | {f"{kind}_proj_weight": (same, (name,)) for kind, name in zip("qkv", stack, strict=True)}


def _lend(module: Any, parts: Parts, sources: dict[str, Recipe]) -> None:
    """Turn parameters of a module into properties that read the owner's weights."""
    for key in sources:
        del module._parameters[key]
    module._lent = (parts, sources)
    kind: Any = type(module)
    module.__class__ = _lender(kind, tuple(sorted(sources)))


@functools.cache
def _lender(kind: Any, keys: tuple[str, ...]) -> Any:
    def read(key: str) -> property:
        def follow(self: Any) -> torch.Tensor:
            parts, sources = self._lent
            make, names = sources[key]
            return make(*(parts.usable(name) for name in names))

        return property(follow)

    return type(kind.__name__, (kind,), {key: read(key) for key in keys} | {"__module__": kind.__module__})


def _usable(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    moved = tensor.detach().to(device, torch.float32)
    if moved.is_inference() and not torch.is_inference_mode_enabled():
        return normal_alias(moved)  # autograd may not save a tensor that was made under inference mode
    return moved


def _rows(table: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Rows of a table of which the whole would be much to move and to cast."""
    return table.detach()[ids.to(table.device)]
