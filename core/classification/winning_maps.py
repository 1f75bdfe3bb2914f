"""Why an image was given its class: the relevancy map of its winning class."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..clip import ExplainableCLIP
from ..explain import check_images
from ..grad_mode import gradients, normal
from ..methods import MapOptions, find_method
from ..views import Fit, cut_view, merge_maps
from .zero_shot import single_view

_IMAGES_PER_PASS = 8


def winning_maps(
    clip: ExplainableCLIP,
    images: torch.Tensor,
    winners: torch.Tensor,
    class_vectors: torch.Tensor,
    method: str = "relevancy",
    options: MapOptions | None = None,
    fit: Fit = "crop",
    report: Callable[[int, int], None] | None = None,
) -> torch.Tensor:
    """Map of each image for the class that it was given.

    Images of one class share a pass; each costs what one prompt costs in :func:`..explain.explain`.

    Args:
        images: ``[B, 1, 3 or 4, H, W]`` in 0..1.
        winners: class index of each image ``[B]``. class_vectors: L2-normalised ``[C, D]``.
        method: a key of :data:`..methods.METHODS`.
        report: called with (images done, B); may raise to stop.

    Returns:
        ``[B, H, W]``, unnormalised, on the CPU; outside a centre crop the lowest value inside.
    """
    checked = check_images(images)
    size: tuple[int, int] = tuple(checked.shape[-2:])  # type: ignore[assignment]
    view = single_view(size, clip, fit)
    chosen, options = find_method(method), options or MapOptions()
    chosen.require(clip, options)
    with gradients():
        maps, done = torch.zeros(len(checked), *size), 0
        pixels, vectors = normal(checked), normal(class_vectors).to(clip.device)
        for winner in winners.unique().tolist():
            for indices in (winners == winner).nonzero().flatten().split(_IMAGES_PER_PASS):
                window = cut_view(pixels[indices].to(clip.device), view, clip.image_size, clip.interpolation)
                found = chosen.patch_maps(clip, window, vectors[winner : winner + 1], options)
                maps[indices] = merge_maps([found.maps.detach()], (view,), size)[0]
                done += len(indices)
                if report is not None:
                    report(done, len(checked))
    return maps
