"""Neighbours attend to neighbours."""

from __future__ import annotations

import torch

from ..clip import ExplainableCLIP
from ..towers.attention import AttentionCall
from ..towers.patch_features import patch_features
from ..towers.patch_tokens import run_tower
from .base import MapOptions, SimilarityMethod

_SIGMA = 5.0


class NACLIP(SimilarityMethod):
    """``y = W_o softmax(k kᵀ · scale + ω) v`` in the last block, without residual connection and feed-forward;
    ``ω_ij = exp(-‖place_i - place_j‖² / 2σ²)`` between patches, 0 for other tokens; σ = 5 patches
    (Hajimiri, Ben Ayed, Dolz 2024, "Pay Attention to Your Neighbours", equations 6-8).
    """

    name = "naclip"
    order = 42
    needs = "attention"
    cost = "1 forward pass for all prompts, the last block twice"
    source = "Hajimiri, Ben Ayed, Dolz 2024 (NACLIP)"

    def patch_features(
        self, clip: ExplainableCLIP, pixels: torch.Tensor, options: MapOptions
    ) -> tuple[torch.Tensor, torch.Tensor]:
        def neighbourhood(call: AttentionCall) -> torch.Tensor:
            closeness = torch.zeros_like(call.probs[0, 0])
            closeness[-rows * columns :, -rows * columns :] = patch_closeness(rows, columns).to(closeness.dtype)
            return (call.k @ call.k.transpose(-2, -1) * call.scale + closeness).softmax(dim=-1) @ call.v

        rows, columns = clip.vision.grid
        tower = run_tower(clip, pixels)
        return patch_features(clip, tower.blocks[-1].attention_branch(neighbourhood)), tower.features


def patch_closeness(rows: int, columns: int) -> torch.Tensor:
    """``exp(-distance² / 2σ²)`` between every two places of the grid: ``[rows * columns, rows * columns]``, fp64."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    squared = (y.flatten()[:, None] - y.flatten()) ** 2 + (x.flatten()[:, None] - x.flatten()) ** 2
    return torch.exp(-squared.double() / (2 * _SIGMA**2))
