"""The image-text similarity map: what CLIP's patch tokens say when read as they are."""

from __future__ import annotations

import torch

from ..clip import ExplainableCLIP
from ..towers.patch_features import patch_features
from ..towers.patch_tokens import run_tower
from .base import MapOptions, SimilarityMethod


class ITSM(SimilarityMethod):
    """``M_i = cos(W · norm(x_i), t)`` with patch token ``x_i`` and the tower's own last norm and projection ``W``
    (Li et al. 2022, ECLIP, section 3.1: the image-text similarity map).

    On CLIP it is reversed: background scores higher than the object, because pooling moves what an image is about
    into tokens elsewhere. With attention pooling ``W`` is the pooling's value path; in a ResNet the token is the
    pooling attention's own output at that place.
    """

    name = "itsm"
    order = 60
    needs = "dense features"
    cost = "1 forward pass for all prompts"
    source = "Li et al. 2022 (ECLIP)"

    def patch_features(
        self, clip: ExplainableCLIP, pixels: torch.Tensor, options: MapOptions
    ) -> tuple[torch.Tensor, torch.Tensor]:
        tower = run_tower(clip, pixels)
        return patch_features(clip, tower.tokens), tower.features
