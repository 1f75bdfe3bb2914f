"""Demo Scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host
from .category import CATEGORY

if TYPE_CHECKING:
    import torch

_BYTES_PER_PICTURE, _BYTES_PER_MASK = 64, 9  # a pixel, amid the drawing


class DemoScene:
    """Draws pictures of the demo world with their ground truth, so that every workflow runs without a file."""

    NODE_ID = "DemoScene"
    DISPLAY_NAME = "Demo Scene"
    DESCRIPTION = (
        "Draws scenes of pictograms that the embedded demo CLIP knows, in drawings it never saw in training, with the "
        "exact mask of every object: something to try the other nodes on, and to measure them by."
    )
    SEARCH_ALIASES: ClassVar = ["test image", "sample image", "ground truth", "example picture"]
    CATEGORY = CATEGORY
    FUNCTION = "draw"
    RETURN_TYPES = ("IMAGE", "MASK", "STRING", "STRING")
    RETURN_NAMES = ("image", "masks", "prompts", "captions")
    OUTPUT_TOOLTIPS = (
        "The scenes.",
        "Where each object is: all scenes for the first object, then for the second (the order of a heatmap).",
        "A prompt for each object, one a line: 'a photo of a cat'.",
        "A caption for each scene, one a line, as captions on the web are: some objects left out, other things said.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "objects": (
                    "STRING",
                    {
                        "default": "cat, guitar",
                        "tooltip": "Up to 6 objects, separated by commas, drawn from back to front. Empty: random "
                        "ones. The help page lists all that are known.",
                    },
                ),
                "random_objects": (
                    "INT",
                    {"default": 2, "min": 1, "max": 3, "tooltip": "How many, where 'objects' is empty."},
                ),
                "width": (
                    "INT",
                    {"default": 512, "min": 16, "max": 4096, "step": 8, "tooltip": "Width of each scene in pixels."},
                ),
                "height": (
                    "INT",
                    {"default": 512, "min": 16, "max": 4096, "step": 8, "tooltip": "Height of each scene in pixels."},
                ),
                "scenes": (
                    "INT",
                    {"default": 1, "min": 1, "max": 64, "tooltip": "Scenes in the batch: the same objects elsewhere."},
                ),
                "clutter": (
                    "FLOAT",
                    {
                        "default": 0.3,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.05,
                        "tooltip": "Plain shapes strewn over the background: 0 none, 1 busy.",
                    },
                ),
                "seed": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 0xFFFFFFFFFFFFFFFF,
                        "tooltip": "The same seed draws the same scenes, at any size.",
                    },
                ),
            },
            "optional": {
                "apart": (
                    "BOOLEAN",
                    {
                        "default": False,
                        "tooltip": "Draw each object alone, in scenes of its own: labelled pictures to classify. Any "
                        "number of objects may then be named.",
                    },
                ),
            },
        }

    def draw(
        self,
        objects: str,
        random_objects: int,
        width: int,
        height: int,
        scenes: int,
        clutter: float,
        seed: int,
        apart: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor, str, str]:
        names, size = _names(objects), (height, width)
        count = len(names) or random_objects
        pictures, masks = (scenes * count, 1) if apart else (scenes, count)
        wanted = pictures * height * width * (_BYTES_PER_PICTURE + _BYTES_PER_MASK * masks)
        host.require_memory(wanted, "width, height and scenes: drawing this many")
        batch = core.demo.batch.draw_batch(names, random_objects, size, scenes, clutter, seed, apart)
        return batch.images, batch.masks.flatten(0, 1), "\n".join(batch.prompts), "\n".join(batch.captions)


def _names(objects: str) -> list[str]:
    return [name.strip().lower() for name in objects.split(",") if name.strip()]
