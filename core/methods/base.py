"""What a map method is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch

from ..clip import ExplainableCLIP
from ..errors import UnsupportedFamilyError


@dataclass(frozen=True)
class MapOptions:
    """Choices that methods may heed.

    Attributes:
        blocks: read the last n blocks; None: the method's own choice of all of them.
        score: explain the cosine or the logit (logit scale x cosine).
    """

    blocks: int | None = None
    score: Literal["cosine", "logit"] = "cosine"


class PatchMaps(NamedTuple):
    """Maps ``[K, B, rows, columns]``, unnormalised, higher meaning "more of this text here"; and the L2-normalised
    image features ``[B, D]`` of the unmodified tower, which every method computes on its way."""

    maps: torch.Tensor
    features: torch.Tensor


class MapMethod(ABC):
    """Text-conditioned maps over the patch grid.

    Attributes:
        name: key in workflows; never changed once released.
        order: place in the list that users see.
        families: the :data:`.vision_tower.Family` values that the method applies to.
        differentiable: whether gradients flow from the map to the image (with ``create_graph=True``).
        cost: in words, for the tooltip: what it needs beyond one forward pass.
        source: paper.
    """

    name: ClassVar[str]
    order: ClassVar[int] = 100
    families: ClassVar[frozenset[str]]
    differentiable: ClassVar[bool]
    cost: ClassVar[str]
    source: ClassVar[str]

    def require_family(self, clip: ExplainableCLIP) -> None:
        """Raise an error that names the methods that can, where this one can't explain the CLIP's family."""
        from . import METHODS

        if clip.vision.family in self.families:
            return
        able = [name for name, method in METHODS.items() if clip.vision.family in method.families]
        raise UnsupportedFamilyError(
            f"method {self.name!r} does not apply to {clip.name} (image tower: {clip.vision.family}); "
            f"methods that do: {', '.join(able)}"
        )

    @abstractmethod
    def patch_maps(
        self,
        clip: ExplainableCLIP,
        pixels: torch.Tensor,
        text_features: torch.Tensor,
        options: MapOptions,
        create_graph: bool = False,
    ) -> PatchMaps:
        """Maps of B images for K texts.

        Called inside :func:`.grad_mode.gradients`.

        Args:
            pixels: ``[B, 3, h, w]`` in 0..1 at the tower's size.
            text_features: L2-normalised ``[K, D]``.
        """
