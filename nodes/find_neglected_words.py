"""Find Neglected Words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host
from .category import GUIDANCE
from .guidance_inputs import CLIP, NEGLECT_THRESHOLD
from .hosted_clip import HostedClip
from .tensors import image_to_core

if TYPE_CHECKING:
    import torch

    from ..core.words.neglected import NeglectedWords


class FindNeglectedWords:
    """Tells which words of a prompt a picture neglects, and emphasises exactly those."""

    NODE_ID = "FindNeglectedWords"
    DISPLAY_NAME = "Find Neglected Words"
    DESCRIPTION = (
        "Reads which content words of the prompt count little for CLIP on this picture, and gives the prompt back "
        "with emphasis (word:1.3) on exactly those. Needs no gradients through the diffusion model: sample, find, "
        "sample again."
    )
    SEARCH_ALIASES: ClassVar = ["missing words", "prompt weight", "prompt emphasis", "no token left behind"]
    CATEGORY = GUIDANCE
    FUNCTION = "find"
    OUTPUT_NODE = True  # it shows a picture of its own
    RETURN_TYPES = ("STRING", "STRING", "IMAGE", "STRING")
    RETURN_NAMES = ("prompt", "neglected", "words", "report")
    OUTPUT_TOOLTIPS = (
        "The prompt with emphasis on the neglected words.",
        "The neglected words, separated by commas (those that most pictures of the batch neglect).",
        "The words of each picture, tinted by relevancy; dashed frames mark low ones.",
        "JSON: similarity and every word's relevancy for each picture.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "clip": CLIP,
                "image": ("IMAGE", {"tooltip": "The picture that was made of the prompt, or a batch of them."}),
                "prompt": (
                    "STRING",
                    {
                        "multiline": True,
                        "default": "a cat and a dog",
                        "placeholder": "the prompt that the picture was made of",
                        "tooltip": "The prompt that was used. Embeddings, LoRA tags, wildcards, schedules and comments "
                        "stay as they are; a weight that a word has is replaced.",
                    },
                ),
                "emphasis": (
                    "FLOAT",
                    {
                        "default": 1.3,
                        "min": 0.0,
                        "max": 10.0,
                        "step": 0.05,
                        "tooltip": "Weight that neglected words get in the prompt.",
                    },
                ),
                "neglect_threshold": NEGLECT_THRESHOLD,
            }
        }

    def find(
        self, clip: HostedClip, image: torch.Tensor, prompt: str, emphasis: float, neglect_threshold: float
    ) -> dict[str, Any]:
        images = core.explain.check_images(image_to_core(image))
        found = core.words.neglected.find_neglected(clip.ready(), images, prompt, neglect_threshold)
        words = found.neglected_on_average
        pictures = core.drawing.words.stack_pictures(
            [
                core.drawing.words.words_picture(found.prompt, found.words, row, neglect_threshold)
                for row in found.scores
            ]
        )
        result = (
            core.words.neglected.emphasize_at(prompt, found.spans_on_average, emphasis),
            ", ".join(words),
            pictures,
            core.report.to_json(_report(found)),
        )
        return {"ui": {**host.preview_images(pictures), "text": [result[0]]}, "result": result}


def _report(found: NeglectedWords) -> dict[str, Any]:
    images = [
        {
            "similarity": round(float(similarity), 5),
            "words": [
                {"word": word, "relevancy": round(float(score), 4), "content": content, "neglected": bool(neglected)}
                for word, content, score, neglected in zip(found.words, found.content, scores, flags, strict=True)
            ],
        }
        for similarity, scores, flags in zip(found.similarity, found.scores, found.neglected, strict=True)
    ]
    return {"prompt": found.prompt, "warnings": [found.warning] if found.warning else [], "images": images}
