"""CLIP Surgery: a parallel stream of v-v attention, and what all prompts have in common taken out."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP
from ..errors import UnsupportedFamilyError
from ..precision import unit
from ..towers.attention import AttentionCall
from ..towers.parallel_stream import parallel_blocks, parallel_stream
from ..towers.patch_features import patch_features
from ..towers.patch_tokens import run_tower
from ..towers.text import encode_tokens
from ..towers.tokens import tokenize
from .base import MapMethod, MapOptions, PatchMaps


class Surgery(MapMethod):
    """Architecture surgery: ``x' ← x' + W_o softmax(v vᵀ · scale) v`` beside the last blocks, without feed-forward, v
    from the original stream, which also gives CLS. Feature surgery: with patch features ``f``, texts ``t_c`` and

        w = softmax_c(2 cos(CLS, t_c)) / mean_c,   F_c = f ⊙ t_c · w_c,   S_c = Σ_d (F_c - mean_c F)

    the map of text c is ``S_c`` (Li et al. 2023, "CLIP Surgery for Better Explainability with Enhancement in
    Open-Vocabulary Tasks", equations 4-9). What is common to all prompts is removed, so maps depend on which prompts
    are asked together; a single prompt is contrasted with the empty one.

    Last blocks: 6. In a ResNet v is normalised and the scale 8 times larger, as in the released
    code.
    """

    name = "surgery"
    order = 20
    needs = "dense features"
    differentiable = True
    cost = "1 forward pass for all prompts, the attention of the last 6 blocks twice"
    backward_passes = 0.0
    source = "Li et al. 2023 (CLIP Surgery)"

    def patch_maps(
        self,
        clip: ExplainableCLIP,
        pixels: torch.Tensor,
        text_features: torch.Tensor,
        options: MapOptions,
        create_graph: bool = False,
    ) -> PatchMaps:
        attention = _normalised_value_value if clip.vision.family == "resnet" else _value_value
        with torch.set_grad_enabled(create_graph):
            tower = run_tower(clip, pixels, options.blocks or parallel_blocks(clip))
            patches = patch_features(clip, parallel_stream(tower, lambda block: attention))
            texts = text_features.to(patches)
            if len(texts) == 1:
                texts = torch.cat([texts, empty_prompt_features(clip).to(texts)])
            maps = feature_surgery(patches, texts, tower.features)[: len(text_features)]
            return PatchMaps(maps.unflatten(-1, clip.vision.grid), tower.features)


def feature_surgery(patches: torch.Tensor, texts: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """``S`` ``[K, B, N]`` of patch features ``[B, N, D]``, texts ``[K, D]`` and image features ``[B, D]``.

    ``Σ_d`` is linear, so the mean over texts of ``F`` is taken after the sum: no ``[K, B, N, D]`` is needed.
    """
    probability = (2 * features @ texts.T).softmax(dim=-1)
    weight = probability / probability.mean(dim=-1, keepdim=True)
    weighted = torch.einsum("bnd,kd,bk->kbn", patches, texts, weight)
    return weighted - weighted.mean(dim=0, keepdim=True)


def empty_prompt_features(clip: ExplainableCLIP) -> torch.Tensor:
    """L2-normalised text feature ``[1, D]`` of the empty prompt: what CLIP says of no text at all."""
    tokens = tokenize(clip, [""])
    try:
        features = encode_tokens(clip, tokens)[0]
    except UnsupportedFamilyError:  # a Hugging Face text tower
        features = clip.model.encode_text(tokens.ids)
    return unit(features)


def _value_value(call: AttentionCall) -> torch.Tensor:
    return (call.v @ call.v.transpose(-2, -1) * call.scale).softmax(dim=-1) @ call.v


def _normalised_value_value(call: AttentionCall) -> torch.Tensor:
    values = F.normalize(call.v, dim=-1)
    return (values @ values.transpose(-2, -1) * (8 * call.scale)).softmax(dim=-1) @ call.v
