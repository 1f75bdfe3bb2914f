"""The demo CLIP: small, trained on pictogram scenes, shipped with the pack, built by open_clip itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from .art import ASSETS

if TYPE_CHECKING:
    from open_clip.model import CLIP

    from ..clip import ExplainableCLIP

WEIGHTS = ASSETS / "demo_clip.safetensors"

Tokenizer = Callable[[str | list[str]], torch.Tensor]


@dataclass(frozen=True)
class DemoClipConfig:
    """What the weights file says about itself.

    Attributes:
        embed_dim, vision_cfg, text_cfg: as `open_clip.model.CLIP` takes them.
        image_mean, image_std: of each channel, for pixels in 0..1.
        training: how the weights came about (scenes seen, seed, vendors...).
    """

    embed_dim: int
    vision_cfg: dict[str, Any]
    text_cfg: dict[str, Any]
    image_mean: tuple[float, float, float]
    image_std: tuple[float, float, float]
    training: dict[str, Any]


def read_config() -> DemoClipConfig:
    """The demo CLIP's architecture, preprocessing and training facts, without loading its weights."""
    from safetensors import safe_open

    with safe_open(str(WEIGHTS), framework="pt") as weights:
        stored = json.loads(weights.metadata()["config"])
    stored["image_mean"], stored["image_std"] = tuple(stored["image_mean"]), tuple(stored["image_std"])
    return DemoClipConfig(**stored)


def load_demo_clip() -> tuple[CLIP, Tokenizer]:
    """Build the demo CLIP.

    Returns:
        The model, fp32 on the CPU in eval mode, and its tokenizer (text or list of K texts -> ids [K, 32]).
        Ids are those of every open_clip BPE model. Words that the demo world lacks share one embedding.
    """
    from open_clip.model import CLIP
    from open_clip.tokenizer import SimpleTokenizer
    from safetensors.torch import load_file

    config = read_config()
    state = {name: tensor.float() for name, tensor in load_file(str(WEIGHTS)).items() if name != "token_ids"}
    token_ids = load_file(str(WEIGHTS))["token_ids"].long()
    rows = state["token_embedding.weight"]
    table = rows[-1:].repeat(config.text_cfg["vocab_size"], 1)
    table[token_ids] = rows[:-1]
    state["token_embedding.weight"] = table
    model = CLIP(config.embed_dim, config.vision_cfg, config.text_cfg)
    missing = model.load_state_dict(state, strict=False).missing_keys
    if set(missing) - {"attn_mask"}:
        raise RuntimeError(f"{WEIGHTS.name} lacks {', '.join(missing)}; fetch the file from the repository again.")
    return model.eval(), SimpleTokenizer(context_length=config.text_cfg["context_length"])


def load_demo(dtype: torch.dtype = torch.float32) -> ExplainableCLIP:
    """The demo CLIP as the rest of the pack takes it."""
    from ..clip import ExplainableCLIP
    from ..loading.weights import fingerprint

    config = read_config()
    model, tokenizer = load_demo_clip()
    name = fingerprint(model.state_dict())
    return ExplainableCLIP(model.to(dtype), tokenizer, "demo", config.image_mean, config.image_std, name)
