"""Correlative self-attention in the last block."""

from __future__ import annotations

import torch

from ..clip import ExplainableCLIP
from ..towers.attention import AttentionCall
from ..towers.patch_features import patch_features
from ..towers.patch_tokens import run_tower
from .base import MapOptions, SimilarityMethod


class SCLIP(SimilarityMethod):
    """``A = softmax(q qᵀ · scale) + softmax(k kᵀ · scale)`` in the last block; residual and feed-forward stay
    (Wang, Mei, Yuille 2023, "SCLIP: Rethinking Self-Attention for Dense Vision-Language Inference", equation 3)."""

    name = "sclip"
    order = 41
    needs = "attention"
    cost = "1 forward pass for all prompts, the last block twice"
    source = "Wang, Mei, Yuille 2023 (SCLIP)"

    def patch_features(
        self, clip: ExplainableCLIP, pixels: torch.Tensor, options: MapOptions
    ) -> tuple[torch.Tensor, torch.Tensor]:
        tower = run_tower(clip, pixels)
        return patch_features(clip, tower.blocks[-1].rerun(_correlative)), tower.features


def _correlative(call: AttentionCall) -> torch.Tensor:
    queries = (call.q @ call.q.transpose(-2, -1) * call.scale).softmax(dim=-1)
    keys = (call.k @ call.k.transpose(-2, -1) * call.scale).softmax(dim=-1)
    return (queries + keys) @ call.v
