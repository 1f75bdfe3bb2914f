"""The last attention alone, query to query."""

from __future__ import annotations

import torch

from ..clip import ExplainableCLIP
from ..towers.attention import AttentionCall
from ..towers.patch_features import patch_features
from ..towers.patch_tokens import run_tower
from .base import MapOptions, SimilarityMethod


class ClearCLIP(SimilarityMethod):
    """``y = W_o softmax(q qᵀ · scale) v`` in the last block, without its residual connection and feed-forward
    (Lan et al. 2024, "ClearCLIP: Decomposing CLIP Representations for Dense Vision-Language Inference", section 3.3).
    """

    name = "clearclip"
    order = 43
    needs = "attention"
    cost = "1 forward pass for all prompts, the last block twice"
    source = "Lan et al. 2024 (ClearCLIP)"

    def patch_features(
        self, clip: ExplainableCLIP, pixels: torch.Tensor, options: MapOptions
    ) -> tuple[torch.Tensor, torch.Tensor]:
        tower = run_tower(clip, pixels)
        return patch_features(clip, tower.blocks[-1].attention_branch(_query_query)), tower.features


def _query_query(call: AttentionCall) -> torch.Tensor:
    return (call.q @ call.q.transpose(-2, -1) * call.scale).softmax(dim=-1) @ call.v
