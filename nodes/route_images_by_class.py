"""Route Images by Class."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from . import host
from .category import CLASSIFICATION

if TYPE_CHECKING:
    import torch


class RouteImagesByClass:
    """Sends classified images on their ways: a batch a class, or those of one class and the rest."""

    NODE_ID = "RouteImagesByClass"
    DISPLAY_NAME = "Route Images by Class"
    DESCRIPTION = (
        "Splits the images that Prompt Ensemble Classifier has classified: one batch for each class (nodes after it "
        "run once a class), and besides the images of one class of your choice and all the others."
    )
    SEARCH_ALIASES: ClassVar = ["sort images", "split batch", "filter images", "switch", "if else", "condition"]
    CATEGORY = CLASSIFICATION
    FUNCTION = "route"
    RETURN_TYPES = ("IMAGE", "STRING", "IMAGE", "IMAGE")
    RETURN_NAMES = ("batches", "labels", "matching", "others")
    OUTPUT_IS_LIST = (True, True, False, False)
    OUTPUT_TOOLTIPS = (
        "A list with one batch for each class that images were given, in the order of the classes; unsure ones last.",
        "The class of each of those batches, as a list: '(unsure)' for images below the classifier's threshold.",
        "The images of 'class_name'. Where there are none, nodes after this output don't run (on hosts before August "
        "2024: one black picture).",
        "All other images. Where there are none, the same.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "image": ("IMAGE", {"tooltip": "The batch that was classified."}),
                "selected": (
                    "STRING",
                    {"forceInput": True, "tooltip": "The 'selected' output of Prompt Ensemble Classifier."},
                ),
                "class_name": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "The class that goes to 'matching'. Case doesn't matter; empty: no class does.",
                    },
                ),
            }
        }

    def route(self, image: torch.Tensor, selected: str, class_name: str) -> tuple[Any, ...]:
        try:
            data = json.loads(selected)
        except json.JSONDecodeError:
            data = None
        groups = core.classification.results.read_selection(data, len(image))
        wanted = core.text_files.plain_line(class_name).casefold()
        matching = [i for name, indices in groups.items() if wanted and name.casefold() == wanted for i in indices]
        others = [i for i in range(len(image)) if i not in set(matching)]
        black = image[:1] * 0  # old hosts can't skip nodes, and fail on an empty batch
        return (
            [image[indices] for indices in groups.values()],
            list(groups),
            image[matching] if matching else host.nothing(black),
            image[others] if others else host.nothing(black),
        )
