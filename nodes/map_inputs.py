"""Inputs that the map nodes share."""

from __future__ import annotations

from typing import Any

from .. import core
from .hosted_clip import EXPLAINABLE_CLIP

CLIP: Any = (EXPLAINABLE_CLIP, {"tooltip": "From Load Explainable CLIP."})
IMAGE: Any = ("IMAGE", {"tooltip": "One image or a batch, any size."})
TEXT: Any = (
    "STRING",
    {
        "multiline": True,
        "default": "a photo of a cat\na photo of a dog",
        "placeholder": "one prompt a line: a photo of a cat",
        "tooltip": "What to look for: one prompt a line, each gets a map of its own.",
    },
)
LAST_BLOCKS: Any = (
    "INT",
    {
        "default": 0,
        "min": 0,
        "max": 64,
        "tooltip": "Methods that read several blocks of the image tower read the last n; 0: each method's own choice "
        "(relevancy: all). 1 is faster and less noisy on ViT-B/16 and larger.",
    },
)
FIT: Any = (
    ["stretch", "crop", "tile"],
    {
        "default": "stretch",
        "tooltip": "How an image that is not square meets CLIP: stretched whole, its centre only, or in overlapping "
        "tiles that are blended (finer, slower).",
    },
)
SHIFTED: Any = (
    "BOOLEAN",
    {
        "default": False,
        "tooltip": "Average the maps of five patch grids that lie half a patch apart: finer and less noisy, five times "
        "the time. Scores and words stay those of the picture as it is.",
    },
)
FOLLOW_EDGES: Any = (
    "BOOLEAN",
    {
        "default": False,
        "tooltip": "Let the heat follow the picture's edges (joint bilateral upsampling): masks fit the object instead "
        "of the patch grid. Works best where things differ in colour from what is around them.",
    },
)
OPACITY: Any = (
    "FLOAT",
    {
        "default": 0.55,
        "min": 0.0,
        "max": 1.0,
        "step": 0.05,
        "tooltip": "How much the colours cover the image where it is hot; less elsewhere, so that cold places stay the "
        "image as it is. 0 shows the image alone, 1 the colours alone.",
    },
)


def colormap() -> Any:
    """The widget for the colours of the heat; a function, as the list of them is loaded on first use."""
    return (
        list(core.drawing.colormap.COLORMAPS),
        {"default": "turbo", "tooltip": "Colours of the heat, from cold to hot."},
    )


def prompts_of(text: str) -> list[str]:
    """The prompts that stand in ``text``, one a line, without notation: what CLIP reads of them.

    Raises:
        InputError: there is none.
    """
    lines = core.text_files.plain_lines(text)
    parsed = [core.guidance.prompt.parse_prompt(line).text for line in lines]
    return [line for line in parsed if line] or [core.guidance.prompt.readable_prompt(text, "text").text]


def missing_text(text: str | None) -> str | None:
    """What to tell before the run where the text is known and empty, else None."""
    return "text is empty; write at least one prompt (one a line)" if text is not None and not text.strip() else None
