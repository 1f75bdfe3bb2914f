"""Grounding everything: an ensemble of self-self attentions in a parallel stream."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP
from ..towers.attention import AttentionCall, Rewrite
from ..towers.parallel_stream import parallel_blocks, parallel_stream
from ..towers.patch_features import patch_features
from ..towers.patch_tokens import LayerCall, run_tower
from .base import MapOptions, SimilarityMethod


class GEM(SimilarityMethod):
    """A parallel residual stream through the last blocks, ``x' ← x' + W_o mean_{p in q, k, v}(S(p) v)`` without
    feed-forward, where q, k, v come from the original stream and ``S`` is normalised self-self attention

        p ← p / ‖p‖;   p ← softmax(p pᵀ / τ) p;   p ← p / ‖p‖;   S(p) = softmax(p pᵀ / τ)

    with the temperature ``1 / τ = scale · mean_i ‖x_i‖`` of the attention's input (Bousselham et al. 2024, "Grounding
    Everything: Emerging Localization Properties in Vision-Language Transformers", equations 2-6; one iteration).

    Last blocks: 6.
    """

    name = "gem"
    order = 44
    needs = "attention"
    cost = "1 forward pass for all prompts, the attention of the last 6 blocks twice"
    source = "Bousselham et al. 2024 (GEM)"

    def patch_features(
        self, clip: ExplainableCLIP, pixels: torch.Tensor, options: MapOptions
    ) -> tuple[torch.Tensor, torch.Tensor]:
        tower = run_tower(clip, pixels, options.blocks or parallel_blocks(clip))
        return patch_features(clip, parallel_stream(tower, _self_self)), tower.features


def _self_self(block: LayerCall) -> Rewrite:
    def ensemble(call: AttentionCall) -> torch.Tensor:
        inverse_temperature = block.attention_input.norm(dim=-1).mean(dim=-1).view(-1, 1, 1, 1) * call.scale
        attentions = (_normalised_attention(p, inverse_temperature) for p in (call.q, call.k, call.v))
        return sum(attentions) / 3 @ call.v  # type: ignore[operator]

    return ensemble


def _normalised_attention(p: torch.Tensor, inverse_temperature: torch.Tensor) -> torch.Tensor:
    p = F.normalize(p, dim=-1)
    p = (p @ p.transpose(-2, -1) * inverse_temperature).softmax(dim=-1) @ p
    p = F.normalize(p, dim=-1)
    return (p @ p.transpose(-2, -1) * inverse_temperature).softmax(dim=-1)
