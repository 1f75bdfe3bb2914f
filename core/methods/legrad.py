"""LeGrad: where the attention of each layer would have to grow for that layer's own score to rise."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP
from ..precision import at_least_single, unit
from ..towers.attention import AttentionTap
from ..towers.patch_features import head_input, head_projection, patch_tokens, pooled_features
from ..towers.patch_tokens import PoolingCall, run_tower
from ..towers.score_gradients import score_gradients
from .base import MapMethod, MapOptions, PatchMaps


class LeGrad(MapMethod):
    """``M = mean over layers, heads and queries of (∂s_l / ∂A_l)⁺`` where ``s_l`` is the score of layer l's own tokens
    (Bousselham et al. 2024, "LeGrad: An Explainability Method for Vision Transformers via Feature Formation
    Sensitivity", equations 4-8).

    ``s_l`` is the cosine of the text with the mean of the layer's tokens passed through the tower's head, as in the
    released code. In towers that pool by attention (SigLIP, CoCa), ``s_l`` is what the pooling makes of the layer's
    tokens, ``A_l`` the pooling's attention to them, and the query the pooled one. A ResNet has that layer alone.
    """

    name = "legrad"
    order = 10
    needs = "attention"
    differentiable = True
    cost = "1 forward pass for all prompts, 1 short backward pass a prompt and layer"
    source = "Bousselham et al. 2024 (LeGrad)"

    def patch_maps(
        self,
        clip: ExplainableCLIP,
        pixels: torch.Tensor,
        text_features: torch.Tensor,
        options: MapOptions,
        create_graph: bool = False,
    ) -> PatchMaps:
        per_layer = _pooling_maps if clip.vision.pooling == "attention" else _block_maps
        layers, features = per_layer(clip, pixels, text_features, options.blocks, create_graph)
        maps = patch_tokens(clip, torch.stack(layers).mean(dim=0).unsqueeze(-1)).squeeze(-1)
        return PatchMaps(maps.unflatten(-1, clip.vision.grid), features)


def _block_maps(
    clip: ExplainableCLIP, pixels: torch.Tensor, texts: torch.Tensor, blocks: int | None, create_graph: bool
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """For each layer ``[K, B, N]``, from the gradient of its score with respect to its self-attention."""
    with AttentionTap(keep=clip.vision.attention_calls(blocks)) as tap:
        tower = run_tower(clip, pixels, blocks or clip.vision.blocks)
    weight, bias = head_projection(clip)
    maps = []
    for call, block in zip(tap.calls, tower.blocks, strict=True):
        feature = head_input(clip, block.output.mean(dim=1))
        if weight is not None:
            feature = F.linear(feature, weight, bias)
        feature = unit(feature)
        gradient = score_gradients(feature, [call.probs], texts, create_graph=create_graph)[0]
        maps.append(at_least_single(gradient).clamp(min=0).mean(dim=(-3, -2)))
    return maps, tower.features


def _pooling_maps(
    clip: ExplainableCLIP, pixels: torch.Tensor, texts: torch.Tensor, blocks: int | None, create_graph: bool
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """For each layer ``[K, B, N]``, from the gradient of its pooled score with respect to the pooling's attention."""
    resnet = clip.vision.family == "resnet"
    with torch.set_grad_enabled(create_graph or resnet):
        tower = run_tower(clip, pixels, blocks or clip.vision.blocks)
    scored = []
    for block in tower.blocks:
        if isinstance(block, PoolingCall):
            scored.append((tower.features, block.call.probs))
            continue
        with AttentionTap() as tap:
            features = pooled_features(clip, block.output)
        scored.append((features, tap.calls[-1].probs))
    maps = []
    for features, probs in scored:
        gradient = score_gradients(features, [probs], texts, create_graph=create_graph)[0]
        rows = at_least_single(gradient).clamp(min=0).mean(dim=-3)
        maps.append(rows[..., 0, :] if clip.vision.pool_queries == "first" else rows.mean(dim=-2))
    return maps, tower.features
