"""What a map method is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch

from ..clip import ExplainableCLIP
from ..errors import UnsupportedFamilyError
from ..towers.vision import Offer, VisionTower

if TYPE_CHECKING:
    from ..eclip.projection import EclipProjection


@dataclass(frozen=True)
class MapOptions:
    """Choices that methods may heed.

    Attributes:
        blocks: read the last n blocks; None: the method's own choice of all of them.
        score: explain the cosine or the logit (logit scale x cosine).
        projection: a trained projection, which ECLIP needs.
    """

    blocks: int | None = None
    score: Literal["cosine", "logit"] = "cosine"
    projection: EclipProjection | None = None


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
        needs: what it reads of an image tower (:data:`.towers.vision.Offer`).
        differentiable: whether gradients flow from the map to the image (with ``create_graph=True``).
        cost: in words, for the tooltip: what it needs beyond one forward pass.
        source: paper.
        backward_passes: what each text costs, in backward passes through the whole tower.
    """

    name: ClassVar[str]
    order: ClassVar[int] = 100
    needs: ClassVar[Offer]
    differentiable: ClassVar[bool]
    cost: ClassVar[str]
    backward_passes: ClassVar[float] = 1.0
    source: ClassVar[str]

    def applies_to(self, tower: VisionTower) -> bool:
        """Whether the tower offers what the method reads."""
        return tower.offers(self.needs)

    def require_family(self, clip: ExplainableCLIP) -> None:
        """Raise an error that names the methods that can, where this one can't explain the CLIP's family."""
        from . import METHODS

        if self.applies_to(clip.vision):
            return
        able = [name for name, method in METHODS.items() if method.applies_to(clip.vision)]
        raise UnsupportedFamilyError(
            f"method {self.name!r} does not apply to {clip.name}: it needs {self.needs} over the whole picture, which "
            f"the image tower ({clip.vision.architecture}) does not have; methods that do: {', '.join(able)}"
        )

    def require(self, clip: ExplainableCLIP, options: MapOptions) -> None:
        """Raise an :class:`InputError` where the method can't explain this CLIP with these options."""
        self.require_family(clip)

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


class SimilarityMethod(MapMethod):
    """A method whose map is ``cos(patch feature, text feature)``; a subclass says what the patch features are.

    Forward passes only, so all prompts together cost no more than one.
    """

    differentiable = True
    backward_passes = 0.0

    @abstractmethod
    def patch_features(
        self, clip: ExplainableCLIP, pixels: torch.Tensor, options: MapOptions
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """L2-normalised patch features ``[B, rows * columns, D]`` and image features ``[B, D]``, fp32 at least."""

    def patch_maps(
        self,
        clip: ExplainableCLIP,
        pixels: torch.Tensor,
        text_features: torch.Tensor,
        options: MapOptions,
        create_graph: bool = False,
    ) -> PatchMaps:
        with torch.set_grad_enabled(create_graph):
            patches, features = self.patch_features(clip, pixels, options)
            maps = torch.einsum("bnd,kd->kbn", patches, text_features.to(patches))
            return PatchMaps(maps.unflatten(-1, clip.vision.grid), features)
