"""Why an image was given its class: the relevancy map of its winning class, and of those that came next."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..clip import ExplainableCLIP
from ..explain import check_images, longest_coarse_side
from ..grad_mode import gradients, normal
from ..methods import MapOptions, find_method
from ..views import Fit, coarse_views, cut_view, merge_maps
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
    """Map of each image for the class that it was given: the first of :func:`class_maps`, ``[B, H, W]``."""
    return class_maps(clip, images, winners.unsqueeze(1), class_vectors, method, options, fit, report)[0]


def class_maps(
    clip: ExplainableCLIP,
    images: torch.Tensor,
    classes: torch.Tensor,
    class_vectors: torch.Tensor,
    method: str = "relevancy",
    options: MapOptions | None = None,
    fit: Fit = "crop",
    report: Callable[[int, int], None] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps of each image for n classes of its own.

    Images with the same classes share a pass; each class costs what one prompt costs in :func:`..explain.explain`.

    Args:
        images: ``[B, 1, 3 or 4, H, W]`` in 0..1.
        classes: class indices of each image ``[B, n]``. class_vectors: L2-normalised ``[C, D]``.
        method: a key of :data:`..methods.METHODS`.
        report: called with (images done, B); may raise to stop.

    Returns:
        The map of the first class ``[B, H, W]``; and all maps ``[n, B, rows, columns]``, as coarse as those of
        :class:`..explain.Explanation`. Unnormalised, on the CPU; outside a centre crop the lowest value inside.
    """
    checked = check_images(images)
    size: tuple[int, int] = tuple(checked.shape[-2:])  # type: ignore[assignment]
    view = single_view(size, clip, fit)
    chosen, options = find_method(method), options or MapOptions()
    chosen.require(clip, options)
    with gradients():
        side = longest_coarse_side(classes.numel())
        coarse_view, coarse_size = coarse_views((view,), size, clip.vision.grid, side)
        maps, done = torch.zeros(len(checked), *size), 0
        coarse = torch.zeros(classes.shape[1], len(checked), *coarse_size)
        pixels, vectors = normal(checked), normal(class_vectors).to(clip.device)
        for row in classes.unique(dim=0):
            for indices in (classes == row).all(dim=1).nonzero().flatten().split(_IMAGES_PER_PASS):
                window = cut_view(pixels[indices].to(clip.device), view, clip.image_size, clip.interpolation)
                found = chosen.patch_maps(clip, window, vectors[row], options)
                maps[indices] = merge_maps([found.maps[:1].detach()], (view,), size)[0]
                coarse[:, indices] = merge_maps([found.maps.detach()], coarse_view, coarse_size)
                done += len(indices)
                if report is not None:
                    report(done, len(checked))
    return maps, coarse
