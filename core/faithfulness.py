"""Does a map name the patches that the score depends on? Deletion and insertion (Petsiuk, Das, Saenko 2018, RISE).

Deletion paints over patches in the order of the map, hottest first, and watches the similarity fall: a faithful map
makes it fall early. Insertion uncovers them on a covered image and watches it rise. Both are the mean similarity over
the way, so that they need no mask of any object.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

from .clip import ExplainableCLIP

_IMAGES_PER_PASS = 64


class Faithfulness(NamedTuple):
    """For n image-text pairs: mean cosine while patches are removed (lower is better) and while they are uncovered
    (higher is better), each ``[n]`` in -1..1."""

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
    """Score n maps by what happens to the similarity when their patches go, or come.

    Args:
        pixels: ``[n, 3, h, w]`` in 0..1 at the tower's size, one image a map.
        patch_maps: ``[n, rows, columns]``; ties are broken in reading order.
        text_features: L2-normalised ``[n, D]``, the text of each map.
        steps: into how many equal shares the patches are cut; the first and the last picture (nothing, everything
            gone) count too.

    Covered patches show the image's mean colour.
    """
    rows, columns = patch_maps.shape[-2:]
    count = rows * columns
    rank = patch_maps.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(dim=1).to(pixels.device)
    plain = pixels.mean(dim=(-2, -1), keepdim=True).expand_as(pixels)
    curves: list[list[torch.Tensor]] = [[], []]
    for step in range(steps + 1):
        hot = (rank < round(step * count / steps)).float().unflatten(1, (rows, columns)).unsqueeze(1)
        hot = F.interpolate(hot, pixels.shape[-2:], mode="nearest-exact")
        for curve, shown in zip(curves, (1 - hot, hot), strict=True):
            curve.append(_similarity(clip, pixels * shown + plain * (1 - shown), text_features))
    deletion, insertion = (torch.stack(curve).mean(dim=0) for curve in curves)
    return Faithfulness(deletion, insertion)


def _similarity(clip: ExplainableCLIP, pixels: torch.Tensor, text_features: torch.Tensor) -> torch.Tensor:
    features = torch.cat(
        [clip.model.encode_image(clip.normalize_pixels(p)).float() for p in pixels.split(_IMAGES_PER_PASS)]
    )
    return (F.normalize(features, dim=-1) * text_features.to(features)).sum(dim=-1).cpu()
