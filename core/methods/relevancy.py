"""Relevancy propagation as a map method; the equations are in :mod:`core.relevancy`."""

from __future__ import annotations

import torch

from ..clip import ExplainableCLIP
from ..relevancy import image_relevancy, trace_images
from .base import MapMethod, MapOptions, PatchMaps


class Relevancy(MapMethod):
    """``R = (I + C_L) … (I + C_1)``, ``C_l = mean_heads((∂s/∂A_l ⊙ A_l)⁺)``; the map is the pooled token's row of R
    (Chefer et al. 2021, equations 5-7; NTLB section 3)."""

    name = "relevancy"
    order = 0
    needs = "attention"
    differentiable = True
    cost = "1 forward pass for all prompts, 1 backward pass a prompt"
    source = "Chefer, Gur, Wolf 2021; Paiss et al. 2022 (No Token Left Behind)"

    def patch_maps(
        self,
        clip: ExplainableCLIP,
        pixels: torch.Tensor,
        text_features: torch.Tensor,
        options: MapOptions,
        create_graph: bool = False,
    ) -> PatchMaps:
        scale = clip.logit_scale if options.score == "logit" else 1.0
        trace = trace_images(clip, pixels, options.blocks)
        return PatchMaps(image_relevancy(trace, text_features, scale, create_graph), trace.features)
