"""Map Metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from .category import MAPS

if TYPE_CHECKING:
    import torch


class MapMetrics:
    """Scores maps by the true masks of what they should find."""

    NODE_ID = "MapMetrics"
    DISPLAY_NAME = "Map Metrics"
    DESCRIPTION = (
        "Scores heatmaps by true masks: mIoU, mean score contrast (mSC), pointing game, AUC and the share of the heat "
        "in the object's box. Demo Scene gives images with masks to try it on."
    )
    SEARCH_ALIASES: ClassVar = ["miou", "pointing game", "evaluate heatmap", "segmentation metric", "auc", "msc"]
    CATEGORY = MAPS
    FUNCTION = "score"
    RETURN_TYPES = ("FLOAT", "FLOAT", "FLOAT", "FLOAT", "FLOAT", "STRING")
    RETURN_NAMES = ("miou", "msc", "pointing", "auc", "in_box", "report")
    OUTPUT_TOOLTIPS = (
        "Mean intersection over union of the true masks and the maps cut at 'threshold', 0..1.",
        "Mean score contrast: mean heat on the object minus mean heat elsewhere, -1..1. Negative: reversed maps.",
        "Pointing game: share of the maps whose hottest pixel lies on the object, 0..1.",
        "Mean area under the ROC curve of heat as a detector of object pixels, 0..1; 0.5 is chance.",
        "Mean share of the heat inside the smallest box around the object, 0..1.",
        "JSON: the means with 95 % intervals, and the scores of every map.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "maps": ("MASK", {"tooltip": "Heatmaps, from CLIP Relevancy Map or Compare Methods."}),
                "masks": (
                    "MASK",
                    {
                        "tooltip": "The true mask of each map, in the same order; fewer masks than maps are repeated "
                        "in turn (the maps of several methods). Other sizes are resampled to the maps'."
                    },
                ),
                "threshold": (
                    "FLOAT",
                    {
                        "default": 0.3,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.01,
                        "tooltip": "Heat from which a pixel belongs to the predicted mask, for the mIoU.",
                    },
                ),
            }
        }

    def score(self, maps: torch.Tensor, masks: torch.Tensor, threshold: float) -> tuple[Any, ...]:
        maps, masks = _aligned(maps, masks)
        scores = core.evaluation.metrics.score_maps(maps, masks, threshold)
        found = {
            "miou": scores.iou,
            "msc": scores.contrast,
            "pointing": scores.pointing,
            "auc": scores.auc,
            "in_box": scores.in_box,
        }
        reasons = core.evaluation.metrics.why_undefined(maps, masks)
        left_out = [
            core.left_out.LeftOut(f"map {number}", reason)
            for number, reason in enumerate(reasons, start=1)
            if reason is not None
        ]
        core.left_out.warn("Map Metrics", left_out)
        means = {name: core.evaluation.metrics.mean_with_interval(values) for name, values in found.items()}
        report = {
            "maps": len(maps),
            "threshold": threshold,
            "mean": {name: _number(mean) for name, (mean, _, _) in means.items()},
            "interval": {name: [_number(low), _number(high)] for name, (_, low, high) in means.items()},
            "left_out": core.left_out.report(left_out),
            "each": {name: [_number(value) for value in values.tolist()] for name, values in found.items()},
        }
        return (*(mean for mean, _, _ in means.values()), core.report.to_json(report))


def _aligned(maps: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps and masks as ``[n, H, W]`` of one size and number."""
    import torch.nn.functional as F

    maps, masks = (x.unsqueeze(0) if x.dim() == 2 else x for x in (maps, masks))
    if maps.dim() != 3 or masks.dim() != 3 or len(maps) % max(len(masks), 1):
        raise core.errors.InputError(
            f"maps are {tuple(maps.shape)} and masks {tuple(masks.shape)}; give a mask for each map, or a number of "
            "masks that goes evenly into the number of maps"
        )
    if masks.shape[1:] != maps.shape[1:]:
        masks = F.interpolate(masks.float().unsqueeze(1), maps.shape[1:], mode="area")[:, 0]
    return maps, masks.repeat(len(maps) // len(masks), 1, 1)


def _number(value: float) -> float | None:
    """Rounded, and None for NaN, which JSON does not know."""
    return None if value != value else round(value, 4)
