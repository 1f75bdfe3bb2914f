"""Does a map name the patches that the score depends on? Deletion and insertion (Petsiuk, Das, Saenko 2018, RISE).

Deletion paints over patches in the order of the map, hottest first, and watches the similarity fall: a faithful map
makes it fall early. Insertion uncovers them on a covered image and watches it rise. Both are the mean similarity over
the way, so that they need no mask of any object.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP

_IMAGES_PER_PASS = 64


class Faithfulness(NamedTuple):
    """Mean cosine while patches are removed (lower is better) and while they are uncovered (higher is better), in
    -1..1, each in the shape of the maps without rows and columns."""

    deletion: torch.Tensor
    insertion: torch.Tensor


@torch.no_grad()
def deletion_and_insertion(
    clip: ExplainableCLIP,
    pixels: torch.Tensor,
    patch_maps: torch.Tensor,
    text_features: torch.Tensor,
    steps: int = 8,
) -> Faithfulness:
    """Score maps by what happens to the similarity when their patches go, or come.

    Args:
        pixels: ``[n, 3, h, w]`` in 0..1 at the tower's size.
        patch_maps: ``[n, rows, columns]``, or ``[m, n, rows, columns]`` for m maps of each image-text pair; ties are
            broken in reading order.
        text_features: L2-normalised ``[n, D]``.
        steps: into how many equal shares the patches are cut; the whole and the empty picture count too.

    Covered patches show the image's mean colour.
    """
    plain = pixels.mean(dim=(-2, -1), keepdim=True).expand_as(pixels)
    ends = _similarity(clip, pixels, text_features) + _similarity(clip, plain, text_features)
    found = [
        _between(clip, pixels, plain, maps, text_features, steps)
        for maps in patch_maps.reshape(-1, *patch_maps.shape[-3:])
    ]
    deletion, insertion = (
        (torch.stack(part) + ends).div(steps + 1).reshape(patch_maps.shape[:-2]) for part in zip(*found, strict=True)
    )
    return Faithfulness(deletion, insertion)


def _between(
    clip: ExplainableCLIP,
    pixels: torch.Tensor,
    plain: torch.Tensor,
    maps: torch.Tensor,
    text_features: torch.Tensor,
    steps: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums of the similarity over the pictures between the whole and the empty one, for deletion and insertion."""
    rows, columns = maps.shape[-2:]
    rank = maps.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(dim=1).to(pixels.device)
    deletion, insertion = torch.zeros(len(pixels)), torch.zeros(len(pixels))
    for step in range(1, steps):
        hot = (rank < round(step * rows * columns / steps)).float().unflatten(1, (rows, columns)).unsqueeze(1)
        hot = F.interpolate(hot, pixels.shape[-2:], mode="nearest-exact")
        deletion += _similarity(clip, pixels * (1 - hot) + plain * hot, text_features)
        insertion += _similarity(clip, pixels * hot + plain * (1 - hot), text_features)
    return deletion, insertion


def _similarity(clip: ExplainableCLIP, pixels: torch.Tensor, text_features: torch.Tensor) -> torch.Tensor:
    features = torch.cat(
        [clip.model.encode_image(clip.normalize_pixels(p)).float() for p in pixels.split(_IMAGES_PER_PASS)]
    )
    return (F.normalize(features, dim=-1) * text_features.to(features)).sum(dim=-1).cpu()
