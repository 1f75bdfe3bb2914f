"""How well a map finds an object, given the object's true mask.

All take maps and masks ``[..., H, W]`` and give one number a map. Pixels outside ``valid`` count for nothing (VOC's
object borders, for instance). Numbers are NaN where the mask holds no valid pixel or all of them (nothing to find), or
map or mask hold values that are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..errors import InputError
from ..maps import normalize_map


@dataclass(frozen=True)
class MapScores:
    """Scores of n maps, each ``[n]`` fp32.

    Attributes:
        iou: intersection over union of mask and thresholded map, 0..1. Its mean is the mIoU.
        contrast: mean heat on the object minus mean heat elsewhere, -1..1. Its mean is the mSC of Li et al. 2022.
        pointing: 1 where the hottest pixel lies on the object, else 0; 0 for a map without any heat.
        auc: area under the ROC curve of heat as a detector of object pixels, 0..1; 0.5 is chance.
        in_box: share of the heat inside the smallest box around the object, 0..1.
    """

    iou: torch.Tensor
    contrast: torch.Tensor
    pointing: torch.Tensor
    auc: torch.Tensor
    in_box: torch.Tensor


def score_maps(
    maps: torch.Tensor, masks: torch.Tensor, threshold: float = 0.5, valid: torch.Tensor | None = None
) -> MapScores:
    """Score n maps.

    Args:
        maps: ``[n, H, W]``, unnormalised; each is min-max normalised over its valid pixels.
        masks: ``[n, H, W]``; values above 0.5 are the object.
        threshold: heat from which a pixel belongs to the predicted mask, for the IoU.
        valid: ``[n, H, W]`` or ``[H, W]`` bool, or None: every pixel.

    Raises:
        InputError: shapes that don't fit, or a threshold outside 0..1.
    """
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold is {threshold}; choose a value in 0..1")
    heat, objects, others = _prepare(maps, masks, valid)
    undefined = torch.tensor([reason is not None for reason in why_undefined(maps, masks, valid)], dtype=torch.bool)

    def defined(scores: torch.Tensor) -> torch.Tensor:
        return scores.masked_fill(undefined, float("nan"))

    return MapScores(
        iou=defined(_iou(heat, objects, others, threshold)),
        contrast=defined(_mean(heat, objects) - _mean(heat, others)),
        pointing=defined(_pointing(heat, objects)),
        auc=defined(_auc(heat, objects, others)),
        in_box=defined(_in_box(heat, objects)),
    )


def why_undefined(maps: torch.Tensor, masks: torch.Tensor, valid: torch.Tensor | None = None) -> tuple[str | None, ...]:
    """For each of n maps the reason why it can't be scored, None where it can; arguments as of :func:`score_maps`."""
    _, objects, others = _prepare(maps, masks, valid)
    checks = {
        "the map has NaN or infinite values": ~maps.flatten(1).isfinite().all(dim=1).cpu(),
        "the mask has NaN or infinite values": ~masks.flatten(1).isfinite().all(dim=1).cpu(),
        "the mask is empty: nothing to find": ~objects.flatten(1).any(dim=1),
        "the mask covers everything: nothing beside it": ~others.flatten(1).any(dim=1),
    }
    return tuple(
        next((reason for reason, found in checks.items() if found[number]), None) for number in range(len(maps))
    )


def best_threshold(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]], steps: int = 50) -> float:
    """The one threshold with the highest mean IoU: to be chosen on other images than those reported.

    Args:
        pairs: maps and masks ``[n, H, W]`` of any number of images; sizes may differ from pair to pair.
    """
    candidates = [step / steps for step in range(1, steps)]
    totals = torch.zeros(len(candidates))
    for maps, masks in pairs:
        heat, objects, others = _prepare(maps, masks, None)
        totals += torch.stack([_iou(heat, objects, others, threshold).sum() for threshold in candidates])
    return candidates[int(totals.argmax())]


def mean_with_interval(
    values: torch.Tensor, groups: torch.Tensor | None = None, resamples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """Mean and its 95 % bootstrap interval ``(mean, low, high)``; NaN values are left out.

    Args:
        values: ``[n]``.
        groups: ``[n]`` integers: values of one group (objects of one scene) are drawn together.
    """
    kept = ~values.isnan()
    values = values[kept].double()
    if not len(values):
        return (float("nan"),) * 3
    groups = torch.arange(len(values)) if groups is None else groups[kept]
    _, index = groups.unique(return_inverse=True)
    count = int(index.max()) + 1
    sums = torch.zeros(count, dtype=torch.double).index_add_(0, index, values)
    sizes = torch.zeros(count, dtype=torch.double).index_add_(0, index, torch.ones_like(values))
    drawn = torch.randint(count, (resamples, count), generator=torch.Generator().manual_seed(seed))
    means = (sums[drawn].sum(dim=1) / sizes[drawn].sum(dim=1)).sort().values
    edge = int(resamples * 0.025)
    return float(values.mean()), float(means[edge]), float(means[resamples - 1 - edge])


def _prepare(
    maps: torch.Tensor, masks: torch.Tensor, valid: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Heat in 0..1, object pixels and other pixels, each ``[n, H, W]``."""
    if maps.dim() != 3 or maps.shape != masks.shape:
        raise InputError(
            f"maps are {tuple(maps.shape)} and masks {tuple(masks.shape)}; both must be [n, H, W] of the same size"
        )
    maps, objects = maps.detach().float().cpu(), masks.detach().cpu() > 0.5
    valid = torch.ones_like(objects) if valid is None else valid.cpu().bool().expand_as(objects)
    lowest = maps.masked_fill(~valid, float("inf")).amin(dim=(-2, -1), keepdim=True)
    heat = normalize_map(torch.where(valid, maps, lowest))  # what is not valid is cold, so never the hottest
    return heat, objects & valid, ~objects & valid


def _mean(heat: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    return (heat * where).sum(dim=(-2, -1)) / where.sum(dim=(-2, -1)).clamp(min=1)


def _iou(heat: torch.Tensor, objects: torch.Tensor, others: torch.Tensor, threshold: float) -> torch.Tensor:
    predicted = (heat >= threshold) & (heat.amax(dim=(-2, -1), keepdim=True) > 0)
    hit = (predicted & objects).sum(dim=(-2, -1))
    union = objects.sum(dim=(-2, -1)) + (predicted & others).sum(dim=(-2, -1))
    return hit / union.clamp(min=1)


def _pointing(heat: torch.Tensor, objects: torch.Tensor) -> torch.Tensor:
    hottest = heat.flatten(1).max(dim=1)
    on_object = objects.flatten(1).gather(1, hottest.indices.unsqueeze(1)).squeeze(1)
    return (on_object & (hottest.values > 0)).float()


def _auc(heat: torch.Tensor, objects: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Mann-Whitney: the chance that an object pixel is hotter than another one, ties counting half."""
    scores = []
    for values, positive, negative in zip(heat, objects, others, strict=True):
        positives, negatives = values[positive], values[negative].sort().values
        below = torch.searchsorted(negatives, positives, side="left")
        not_above = torch.searchsorted(negatives, positives, side="right")
        pairs = max(len(positives) * len(negatives), 1)
        scores.append((below + not_above).double().sum() / (2 * pairs))
    return torch.stack(scores).float() if scores else heat.new_zeros(0)


def _in_box(heat: torch.Tensor, objects: torch.Tensor) -> torch.Tensor:
    rows, columns = objects.any(dim=-1), objects.any(dim=-2)
    box = _span(rows).unsqueeze(-1) & _span(columns).unsqueeze(-2)
    total = heat.sum(dim=(-2, -1))
    return (heat * box).sum(dim=(-2, -1)) / total.clamp(min=torch.finfo(heat.dtype).tiny)


def _span(hit: torch.Tensor) -> torch.Tensor:
    """From the first to the last True of ``[..., n]``, inclusive."""
    return (hit.cumsum(dim=-1) > 0) & (hit.flip(-1).cumsum(dim=-1) > 0).flip(-1)
