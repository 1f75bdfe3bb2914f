"""Inputs that the guidance nodes share."""

from __future__ import annotations

from typing import Any

from .hosted_clip import EXPLAINABLE_CLIP

CLIP: Any = (EXPLAINABLE_CLIP, {"tooltip": "From Load Explainable CLIP; not the CLIP of the diffusion checkpoint."})
PROMPT: Any = (
    "STRING",
    {
        "multiline": True,
        "default": "a cat and a dog",
        "placeholder": "what the picture shall show",
        "tooltip": "What the picture shall show, in plain words; usually the positive prompt. Emphasis like (word:1.3) "
        "is ignored. Square brackets mark [words] for the choice 'marked'.",
    },
)
WORDS: Any = (
    ["neglected", "all", "marked"],
    {
        "default": "neglected",
        "tooltip": "Which words are strengthened. neglected: content words whose relevancy is below the threshold at "
        "the moment. all: every content word, always. marked: those in [square brackets] in the prompt.",
    },
)
WORD_WEIGHT: Any = (
    "FLOAT",
    {
        "default": 0.1,
        "min": 0.0,
        "max": 10.0,
        "step": 0.01,
        "tooltip": "Weight λ of the words beside the similarity (0.1 in the paper); 0 turns the words off.",
    },
)
BOX_WEIGHT: Any = (
    "FLOAT",
    {
        "default": 1.0,
        "min": 0.0,
        "max": 20.0,
        "step": 0.05,
        "tooltip": "Weight of the paper's box term, the overlap of each object's relevancy with its box; 1 is the "
        "paper's 0.15 / √area for each. 0 turns this term off.",
    },
)
CUTOUTS: Any = (
    "INT",
    {
        "default": 8,
        "min": 1,
        "max": 64,
        "tooltip": "Random windows through which CLIP looks at the picture. More of them make the gradient steadier; "
        "time and memory of the CLIP part grow with them.",
    },
)
SEED: Any = (
    "INT",
    {
        "default": 0,
        "min": 0,
        "max": 2**63 - 1,
        "tooltip": "Of the windows; the sampler's noise is its own. Same seeds, same picture.",
    },
)
CONSTRAINTS: Any = (
    "EXPLAINABILITY_CONSTRAINTS",
    {"tooltip": "Objects and their boxes, from Box Spatial Constraint. Left out, only similarity and words guide."},
)
NEGLECT_THRESHOLD: Any = (
    "FLOAT",
    {
        "default": 0.7,
        "min": 0.0,
        "max": 1.0,
        "step": 0.05,
        "advanced": True,
        "tooltip": "Words whose relevancy, relative to the strongest word, is lower count as neglected (paper: 0.7).",
    },
)
BOX_FILL: Any = (
    "FLOAT",
    {
        "default": 0.0,
        "min": 0.0,
        "max": 1.0,
        "step": 0.05,
        "advanced": True,
        "tooltip": "How much an unfilled box counts. 0 is the paper's term, which only punishes relevancy outside the "
        "box; 1 also wants the box filled to its edges.",
    },
)
BOX_BLOCKS: Any = (
    "INT",
    {
        "default": 1,
        "min": 0,
        "max": 48,
        "advanced": True,
        "tooltip": "How many of CLIP's last blocks the boxes read. 1 is the paper's, the cheapest, and best for "
        "ViT-B/16 and larger. 0: all, which small CLIPs like the embedded one need.",
    },
)

BOX_CONTRAST: Any = (
    "FLOAT",
    {
        "default": 0.0,
        "min": 0.0,
        "max": 10.0,
        "step": 0.05,
        "advanced": True,
        "tooltip": "How much it counts what CLIP reads in each box: this object, and not another one or the rest of "
        "the picture. Not in the paper; the example 06 Each object in its box uses it alone, with box_weight 0. 0 "
        "turns it off.",
    },
)

VIDEO_FRAMES: Any = (
    "INT",
    {
        "default": 3,
        "min": 1,
        "max": 64,
        "advanced": True,
        "tooltip": "Of a video: how many of its latent frames CLIP looks at, spread from the first to the last; the "
        "others follow. 1: the first only. Time and memory of CLIP and decoder grow with it. Pictures ignore it.",
    },
)


def with_default(widget: Any, default: float) -> Any:
    """A widget that starts at another value."""
    kind, options = widget
    return kind, {**options, "default": default}
