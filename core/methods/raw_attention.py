"""Raw attention: what the image feature attends to, whatever the text."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP
from ..precision import at_least_single
from ..relevancy import ImageTrace, trace_images
from .base import MapMethod, MapOptions, PatchMaps


class RawAttention(MapMethod):
    """``M = mean_heads A[pooled token, patches]`` of the last attention: CLS's row of the last block, the mean row of
    the patches where the feature is their mean, or the pooling's row (Caron et al. 2021 show it for DINO).

    The same map for every prompt: a baseline that any method worth its cost must beat.
    """

    name = "raw_attention"
    order = 91
    needs = "attention"
    differentiable = True
    cost = "1 forward pass; the same map for every prompt"
    backward_passes = 0.0
    source = "baseline, without text"

    def patch_maps(
        self,
        clip: ExplainableCLIP,
        pixels: torch.Tensor,
        text_features: torch.Tensor,
        options: MapOptions,
        create_graph: bool = False,
    ) -> PatchMaps:
        with torch.set_grad_enabled(create_graph):
            trace = trace_images(clip, pixels, 0 if clip.vision.pooling == "attention" else 1)
            row = pooled_attention(trace)
            if trace.pooling is None:
                row = (row.unsqueeze(-2) @ at_least_single(trace.attention[-1]).mean(dim=1)).squeeze(-2)
            return text_free_maps(clip, trace, row, len(text_features))


def pooled_attention(trace: ImageTrace) -> torch.Tensor:
    """How the image feature is read from the tokens after the last block: weights ``[B, N]``, fp32 at least."""
    tower, count = trace.tower, len(trace.features)
    tokens = tower.prefix + tower.grid[0] * tower.grid[1]
    if trace.pooling is not None:
        rows = at_least_single(trace.pooling).mean(dim=1)
        row = rows[:, 0] if tower.pool_queries == "first" else rows.mean(dim=1)
        return F.pad(row, (tokens - row.shape[-1], 0))  # where the pooling attends to the patch tokens alone
    row = trace.features.new_zeros(count, tokens)
    if tower.pooling == "cls":
        row[:, 0] = 1
    else:
        row[:, tower.prefix :] = 1 / (tokens - tower.prefix)
    return row


def text_free_maps(clip: ExplainableCLIP, trace: ImageTrace, row: torch.Tensor, prompts: int) -> PatchMaps:
    """One row over all tokens ``[B, N]`` as the map of every prompt."""
    maps = row[:, clip.vision.prefix :].unflatten(-1, clip.vision.grid)
    return PatchMaps(maps.expand(prompts, -1, -1, -1), trace.features)
