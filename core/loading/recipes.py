"""What conversions from Hugging Face's format share: recipes for tensors, and how its files describe towers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch

# How a tensor of an open_clip model is made, and the tensors that it is made of, in Hugging Face's names.
Recipe = tuple[Callable[..., torch.Tensor], tuple[str, ...]]


def renamed(names: dict[str, str], source: str, target: str, kind: str) -> dict[str, Recipe]:
    """Recipes of tensors that only have another name: ``{old: new}`` below two prefixes."""
    return {f"{target}.{new}.{kind}": (same, (f"{source}.{old}.{kind}",)) for old, new in names.items()}


def stacked_attention(source: str, kind: str) -> Recipe:
    """Query, key and value of a layer in one."""
    return stacked, tuple(f"{source}.self_attn.{x}_proj.{kind}" for x in "qkv")


def same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def stacked(*tensors: torch.Tensor) -> torch.Tensor:
    return torch.cat(tensors)


def count_layers(names: Collection[str], tower: str) -> int:
    """Number of encoder layers of ``vision_model`` or ``text_model``."""
    prefix = f"{tower}.encoder.layers."
    return len({name[len(prefix) :].split(".")[0] for name in names if name.startswith(prefix)})


def tower_settings(config: dict[str, Any], tower: str) -> dict[str, Any]:
    """A tower's section of a ``config.json``; older files keep both a short and a complete form of it."""
    section, complete = config.get(f"{tower}_config") or {}, config.get(f"{tower}_config_dict") or {}
    return {**section, **complete}
