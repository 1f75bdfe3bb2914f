"""ECLIP: the similarity map through a projection that was trained for patches."""

from __future__ import annotations

import torch

from ..clip import ExplainableCLIP
from ..eclip.projection import EclipProjection, find_projection
from ..errors import InputError
from ..towers.patch_tokens import run_tower
from .base import MapOptions, SimilarityMethod


class ECLIP(SimilarityMethod):
    """``M_i = cos(W' · norm(x_i), t)``: ITSM with the tower's projection ``W`` replaced by ``W'``, trained with the
    contrastive loss through masked max pooling (Li et al. 2022, ECLIP, section 3.3; see :mod:`core.eclip.training`).

    The tower stays frozen: similarities are unchanged, only maps differ.
    """

    name = "eclip"
    order = 30
    needs = "dense features"
    cost = "1 forward pass for all prompts; needs a projection trained for the CLIP (Train ECLIP Projection)"
    source = "Li et al. 2022 (ECLIP)"

    def require(self, clip: ExplainableCLIP, options: MapOptions) -> None:
        super().require(clip, options)
        _projection_for(clip, options)

    def patch_features(
        self, clip: ExplainableCLIP, pixels: torch.Tensor, options: MapOptions
    ) -> tuple[torch.Tensor, torch.Tensor]:
        projection = _projection_for(clip, options)
        tower = run_tower(clip, pixels)
        return projection.patch_features(clip, tower.tokens), tower.features


def _projection_for(clip: ExplainableCLIP, options: MapOptions) -> EclipProjection:
    projection = options.projection or find_projection(clip)
    if projection is None:
        raise InputError(
            f"method 'eclip' needs a projection trained for {clip.name}; make one with Train ECLIP Projection and "
            "connect it, or choose another method"
        )
    projection.require_clip(clip)
    return projection
