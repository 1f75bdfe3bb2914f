"""ITSM turned upside down."""

from __future__ import annotations

import torch

from ..clip import ExplainableCLIP
from .base import MapOptions, PatchMaps
from .itsm import ITSM as Itsm


class RCLIP(Itsm):
    """``1 - ITSM`` up to normalisation: the reversed similarity map (Li et al. 2022, ECLIP, section 3.2).

    Given as ``-M``: maps are unnormalised here, and min-max normalisation makes the two equal.
    """

    name = "rclip"
    order = 61
    cost = "1 forward pass for all prompts"
    source = "Li et al. 2022 (ECLIP: reversed CLIP)"

    def patch_maps(
        self,
        clip: ExplainableCLIP,
        pixels: torch.Tensor,
        text_features: torch.Tensor,
        options: MapOptions,
        create_graph: bool = False,
    ) -> PatchMaps:
        maps, features = super().patch_maps(clip, pixels, text_features, options, create_graph)
        return PatchMaps(-maps, features)
