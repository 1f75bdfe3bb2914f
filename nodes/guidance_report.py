"""Guidance Report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host
from .category import GUIDANCE
from .explainability_guidance import GUIDANCE_RECORD

if TYPE_CHECKING:
    import torch

    from ..core.guidance.record import GuidanceRecord


class GuidanceReport:
    """Shows what guidance saw and did in the run that made a picture."""

    NODE_ID = "GuidanceReport"
    DISPLAY_NAME = "Guidance Report"
    DESCRIPTION = (
        "Loss curves by term, relevancy of every word and box before and after, and previews of the guided steps, for "
        "the last run of Explainability Guidance or Optimize Latent."
    )
    SEARCH_ALIASES: ClassVar = ["loss curve", "guidance plot", "clip guidance report"]
    CATEGORY = GUIDANCE
    FUNCTION = "report"
    OUTPUT_NODE = True  # it shows a picture of its own
    RETURN_TYPES = ("IMAGE", "IMAGE", "STRING")
    RETURN_NAMES = ("curves", "steps", "report")
    OUTPUT_TOOLTIPS = (
        "Curves over the guided calls: loss by term, relevancy of the strengthened words, overlap of boxes.",
        "What CLIP looked at in the guided steps, with the boxes drawn (first picture of the batch).",
        "JSON: settings, first and last value of everything for each picture, and every guided call.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "record": (GUIDANCE_RECORD, {"tooltip": "From Explainability Guidance or Optimize Latent."}),
                "image": (
                    "IMAGE",
                    {"tooltip": "The picture that the run made: connecting it makes the report wait for the sampler."},
                ),
            }
        }

    def report(self, record: GuidanceRecord, image: torch.Tensor) -> dict[str, Any]:
        if not record.steps:
            raise core.errors.InputError(
                "record is empty: no call was guided in the last run; connect the guided model to the sampler that "
                "made the image, and check start_percent, end_percent and denoise"
            )
        curves = core.guidance.report.plot_curves(record).unsqueeze(0)
        steps = core.guidance.report.step_pictures(record).unsqueeze(0)
        data = core.report.to_json(core.guidance.report.report_data(record))
        return {
            "ui": {**host.preview_images(curves), **host.show_lens(lambda: core.lens.steps_lens(record))},
            "result": (curves, steps, data),
        }
