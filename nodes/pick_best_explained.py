"""Pick Best Explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from .category import GUIDANCE
from .guidance_inputs import CLIP, CONSTRAINTS, NEGLECT_THRESHOLD
from .hosted_clip import HostedClip
from .tensors import image_to_core

if TYPE_CHECKING:
    import torch

    from ..core.boxes.constraint import Constraints
    from ..core.ranking import Ranking


class PickBestExplained:
    """Ranks a batch of pictures by words not neglected and boxes kept."""

    NODE_ID = "PickBestExplained"
    DISPLAY_NAME = "Pick Best Explained"
    DESCRIPTION = (
        "Ranks pictures by how many content words of the prompt count for CLIP on them and how many boxes "
        "hold their object; gives back the best. Make a batch, keep the one that shows it all."
    )
    SEARCH_ALIASES: ClassVar = ["best of n", "rank images", "clip score", "select best", "rejection sampling"]
    CATEGORY = GUIDANCE
    FUNCTION = "pick"
    RETURN_TYPES = ("IMAGE", "INT", "FLOAT", "STRING")
    RETURN_NAMES = ("best", "index", "score", "report")
    OUTPUT_TOOLTIPS = (
        "The best pictures, best first.",
        "Place of the best picture in the batch, from 0 (for Latent From Batch).",
        "Score of the best picture, 0..1.",
        "JSON: every picture's score, words and boxes, best first.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "clip": CLIP,
                "images": ("IMAGE", {"tooltip": "A batch of pictures made of one prompt."}),
                "prompt": (
                    "STRING",
                    {"multiline": True, "default": "a cat and a dog", "tooltip": "What the pictures shall show."},
                ),
                "count": (
                    "INT",
                    {"default": 1, "min": 1, "max": 4096, "tooltip": "How many pictures to give back, at most."},
                ),
                "neglect_threshold": NEGLECT_THRESHOLD,
            },
            "optional": {"constraints": CONSTRAINTS},
        }

    def pick(
        self,
        clip: HostedClip,
        images: torch.Tensor,
        prompt: str,
        count: int,
        neglect_threshold: float,
        constraints: Constraints = (),
    ) -> tuple[torch.Tensor, int, float, str]:
        checked = core.explain.check_images(image_to_core(images), "images")
        ranking = core.ranking.rank_images(clip.ready(), checked, prompt, constraints, neglect_threshold)
        first = ranking.order[0]
        report = core.report.to_json(_report(ranking, constraints))
        return images[ranking.order[:count]], first, float(ranking.score[first]), report


def _report(ranking: Ranking, constraints: Constraints) -> dict[str, Any]:
    words = ranking.words
    return {
        "prompt": words.prompt,
        "warnings": [words.warning] if words.warning else [],
        "images": [
            {
                "index": index,
                "score": round(float(ranking.score[index]), 4),
                "similarity": round(float(words.similarity[index]), 5),
                **({"contrast": round(float(ranking.contrast[index]), 4)} if constraints else {}),
                "neglected": [w for w, flag in zip(words.words, words.neglected[index], strict=True) if flag],
                "boxes": [
                    {"label": constraint.label, "inside": round(float(inside), 4), "kept": bool(kept)}
                    for constraint, inside, kept in zip(
                        constraints, ranking.inside[index], ranking.kept[index], strict=True
                    )
                ],
            }
            for index in ranking.order
        ],
    }
