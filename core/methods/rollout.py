"""Attention rollout: attention followed through all blocks, whatever the text."""

from __future__ import annotations

import torch

from ..clip import ExplainableCLIP
from ..precision import at_least_single
from ..relevancy import trace_images
from .base import MapMethod, MapOptions, PatchMaps
from .raw_attention import pooled_attention, text_free_maps


class Rollout(MapMethod):
    """``(½ A_L + ½ I) … (½ A_1 + ½ I)``, A the mean over heads; the map is the pooled token's row
    (Abnar, Zuidema 2020, "Quantifying Attention Flow in Transformers", equation 1).

    The same map for every prompt. In a ResNet, whose only attention is its pooling, it equals raw attention.
    """

    name = "rollout"
    order = 90
    needs = "attention"
    differentiable = True
    cost = "1 forward pass; the same map for every prompt"
    backward_passes = 0.0
    source = "Abnar, Zuidema 2020; without text"

    def patch_maps(
        self,
        clip: ExplainableCLIP,
        pixels: torch.Tensor,
        text_features: torch.Tensor,
        options: MapOptions,
        create_graph: bool = False,
    ) -> PatchMaps:
        with torch.set_grad_enabled(create_graph):
            trace = trace_images(clip, pixels, options.blocks)
            row = pooled_attention(trace)
            for attention in reversed(trace.attention):
                row = (row + (row.unsqueeze(-2) @ at_least_single(attention).mean(dim=1)).squeeze(-2)) / 2
            return text_free_maps(clip, trace, row, len(text_features))
