"""GELU or QuickGELU: the tensors don't show what a CLIP was trained with, so the names under which it goes around must.

open_clip's list of pretrained models comes first, by the names of its repositories and files.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any, Literal

import torch

from ..errors import InputError

Activation = Literal["auto", "gelu", "quick_gelu"]

# Names outside that list, tried in turn on a name in lower case with "-" for every other mark.
_KNOWN: tuple[tuple[str, bool], ...] = (
    (r"quick-?gelu", True),
    # OpenAI's own files, and its repositories at Hugging Face.
    (r"^(vit-(b-16|b-32|l-14|l-14-336(px)?)|rn(50|101|50x4|50x16|50x64))$", True),
    (r"clip-vit-(base|large)-patch(14|16|32)", True),
    # Fine-tunes of OpenAI's weights: zer0int's CLIP-L (GmP, SAE, …), Long-CLIP, and others that are widely used.
    (r"gmp|text-detail|best-smooth|long-?clip|clip-sae|clip-ko-|reg-(gated-)?clip|clip-reg", True),
    (r"street-?clip|geo-?rsclip|^plip|pubmed-?clip|clip-rsicd|neg-?clip", True),
    (r"laion|datacomp|commonpool|clipa|mobileclip|vitamin|altogether|worldwide|s39b|-39b|eva0|coca|comm-pool", False),
    (r"openai|metaclip|dfn", True),
)  # fmt: skip


def known_activation(names: Iterable[str]) -> Literal["gelu", "quick_gelu"] | None:
    """What weights under one of these names (of a file, a folder, a repository) were trained with; None: unknown."""
    for name in map(_plain, names):
        listed = [(len(known), quick) for known, quick in _listed().items() if known in name]
        if listed:
            return "quick_gelu" if max(listed)[1] else "gelu"
        for pattern, quick in _KNOWN:
            if re.search(pattern, name):
                return "quick_gelu" if quick else "gelu"
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@functools.cache
def _listed() -> dict[str, bool]:
    """Names of open_clip's pretrained weights, and whether those want QuickGELU."""
    import open_clip

    listed = {}
    for model, tag in open_clip.list_pretrained():
        entry = open_clip.pretrained.get_pretrained_cfg(model, tag)
        quick = bool(entry.get("quick_gelu"))
        repository = (entry.get("hf_hub") or "").strip("/").split("/")[1:2]
        file = re.sub(r"\.pth?$", "", (entry.get("url") or "").rsplit("/", 1)[-1])
        for name in (*repository, file, f"{model}.{tag}"):
            # Short names of files ("RN50", "b32_400m") are part of too many others.
            if len(_plain(name)) > 12:
                listed[_plain(name)] = quick
    return listed


def make_activation(name: str) -> torch.nn.Module:
    """An activation by the name that Hugging Face's configurations give it.

    Raises:
        InputError: no CLIP is known to use it.
    """
    from open_clip.transformer import QuickGELU

    made: dict[str, Any] = {
        "quick_gelu": QuickGELU,
        "gelu": torch.nn.GELU,
        "gelu_python": torch.nn.GELU,
        "gelu_pytorch_tanh": lambda: torch.nn.GELU(approximate="tanh"),
        "gelu_new": lambda: torch.nn.GELU(approximate="tanh"),
        "gelu_fast": lambda: torch.nn.GELU(approximate="tanh"),
        "relu": torch.nn.ReLU,
        "silu": torch.nn.SiLU,
        "swish": torch.nn.SiLU,
    }
    if name not in made:
        raise InputError(f"the configuration asks for the activation {name!r}; known are {', '.join(made)}")
    return made[name]()


def set_activation(tower: torch.nn.Module, name: str) -> None:
    """Replace the activation in every block of a tower."""
    for module in list(tower.modules()):
        for slot in ("gelu", "act"):  # open_clip's name for it, and timm's
            if isinstance(getattr(module, slot, None), torch.nn.Module):
                setattr(module, slot, make_activation(name))
