"""The last block's value path."""

from __future__ import annotations

import torch

from ..clip import ExplainableCLIP
from ..towers.patch_features import patch_features
from ..towers.patch_tokens import run_tower
from .base import MapOptions, SimilarityMethod


class MaskCLIP(SimilarityMethod):
    """``y_i = x_i + W_o v_i``, then the block's feed-forward: the last attention sees only its own patch, ``A = I``
    (Zhou, Loy, Dai 2022, "Extract Free Dense Labels from CLIP", section 3.2, as in the released code)."""

    name = "maskclip"
    order = 40
    needs = "dense features"
    cost = "1 forward pass for all prompts, the last block twice"
    source = "Zhou, Loy, Dai 2022 (MaskCLIP)"

    def patch_features(
        self, clip: ExplainableCLIP, pixels: torch.Tensor, options: MapOptions
    ) -> tuple[torch.Tensor, torch.Tensor]:
        tower = run_tower(clip, pixels)
        tokens = tower.blocks[-1].rerun(lambda call: call.v)
        return patch_features(clip, tokens), tower.features
