"""Grad-CAM: the last tokens that still have a place, weighted by their mean gradient."""

from __future__ import annotations

from typing import Any

import torch

from ..clip import ExplainableCLIP
from ..precision import at_least_single, unit
from ..towers.attention import AttentionTap
from ..towers.patch_features import patch_tokens
from ..towers.patch_tokens import hooks, run_tower, transformer_blocks
from ..towers.score_gradients import score_gradients
from .base import MapMethod, MapOptions, PatchMaps


class GradCAM(MapMethod):
    """``M_i = (Σ_c α_c x_ic)⁺`` with ``α_c = mean_i ∂s/∂x_ic`` over the patches
    (Selvaraju et al. 2017, "Grad-CAM", equations 1-2).

    ``x`` is what the last attention reads: in a ResNet the feature map of layer 4, in a ViT the tokens that enter the
    last block, in towers with attention pooling those that enter the pooling; without attention (ConvNeXt, say) the
    feature map that is averaged. Some maps are zero everywhere.
    """

    name = "grad_cam"
    order = 80
    needs = "dense features"
    differentiable = True
    cost = "1 forward pass for all prompts, 1 backward pass through the last layer a prompt"
    backward_passes = 0.3
    source = "Selvaraju et al. 2017 (Grad-CAM)"

    def patch_maps(
        self,
        clip: ExplainableCLIP,
        pixels: torch.Tensor,
        text_features: torch.Tensor,
        options: MapOptions,
        create_graph: bool = False,
    ) -> PatchMaps:
        entered, features = (_run_dense if clip.vision.family == "dense" else _run)(clip, pixels)
        gradients = score_gradients(features, [entered], text_features, create_graph=create_graph)[0]
        tokens, gradients = (_token_rows(clip, at_least_single(x)) for x in (entered, gradients))
        heat = torch.einsum("kbc,bnc->kbn", gradients.mean(dim=-2), tokens).clamp(min=0)
        return PatchMaps(heat.unflatten(-1, clip.vision.grid), features)


def _run_dense(clip: ExplainableCLIP, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    tower = run_tower(clip, pixels)
    return tower.tokens, tower.features


def _run(clip: ExplainableCLIP, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What the last attention reads, and the image features ``[B, D]`` that come of it."""
    entered: list[torch.Tensor] = []

    def watch(module: Any, arguments: tuple[torch.Tensor, ...]) -> None:
        entered.append(arguments[0] if arguments[0].requires_grad else arguments[0].requires_grad_())

    handle = _last_attention(clip).register_forward_pre_hook(watch)
    with hooks([handle]), AttentionTap(keep=clip.vision.attention_calls(1)):
        features = clip.model.encode_image(clip.normalize_pixels(pixels), normalize=False)
    return entered[0], unit(features)


def _last_attention(clip: ExplainableCLIP) -> torch.nn.Module:
    """The module whose first argument the last attention reads."""
    visual = clip.model.visual
    if clip.vision.family == "resnet":
        return visual.attnpool
    if clip.vision.pooling == "attention":
        return visual.trunk.attn_pool if hasattr(visual, "trunk") else visual.attn_pool
    return transformer_blocks(clip)[-1]


def _token_rows(clip: ExplainableCLIP, x: torch.Tensor) -> torch.Tensor:
    """``[..., C, rows, columns]`` or ``[..., N, C]`` to the patches ``[..., rows * columns, C]``."""
    return x.flatten(-2).transpose(-2, -1) if clip.vision.family == "resnet" else patch_tokens(clip, x)
