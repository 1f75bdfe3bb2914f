"""Agreement: where relevancy and Grad-ECLIP both see the text."""

from __future__ import annotations

import torch

from ..clip import ExplainableCLIP
from .base import MapMethod, MapOptions, PatchMaps
from .grad_eclip import GradECLIP
from .relevancy import Relevancy


class Agreement(MapMethod):
    """``M = √(R ⊙ H)``: the geometric mean of relevancy ``R`` and Grad-ECLIP's ``H``. No paper's: this pack's.

    One reads the attention of all blocks, the other the last block's values. The two err in different places, and
    a product is hot only where both are.
    """

    name = "agreement"
    order = 1
    needs = "attention"
    differentiable = True
    cost = "2 forward passes for all prompts, 2 backward passes a prompt"
    backward_passes = 1.5
    source = "this pack: relevancy x Grad-ECLIP"

    def patch_maps(
        self,
        clip: ExplainableCLIP,
        pixels: torch.Tensor,
        text_features: torch.Tensor,
        options: MapOptions,
        create_graph: bool = False,
    ) -> PatchMaps:
        relevancy = Relevancy().patch_maps(clip, pixels, text_features, options, create_graph)
        by_values = GradECLIP().patch_maps(clip, pixels, text_features, options, create_graph)
        product = relevancy.maps * by_values.maps
        # The root's gradient is infinite at 0.
        return PatchMaps(product.clamp(min=torch.finfo(product.dtype).tiny).sqrt(), relevancy.features)
