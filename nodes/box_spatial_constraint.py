"""Box Spatial Constraint: draw where each object should be."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from .. import core
from ..core.errors import InputError
from . import host
from .category import BOXES

if TYPE_CHECKING:
    import torch

    from ..core.boxes.constraint import Constraints

BOXES_WIDGET = "CLIP_EXPLAINABILITY_BOXES"
EXPLAINABILITY_CONSTRAINTS = "EXPLAINABILITY_CONSTRAINTS"
LARGEST_SIDE = 16384
LATENT_DOWNSCALE = 8
BACKGROUND_SIDE = 1024  # the editor needs no larger picture
_BYTES_PER_OBJECT, _BYTES_PER_PICTURE = 8, 64  # a pixel: the mask twice; the preview amid its drawing


class BoxSpatialConstraint:
    """Where objects belong, drawn in an editor or taken from a detector or masks."""

    NODE_ID = "BoxSpatialConstraint"
    DISPLAY_NAME = "Box Spatial Constraint"
    DESCRIPTION = (
        "Draw a box for each object and type what it is. The boxes steer Explainability Guidance and serve as "
        "region masks, regional prompts and bounding boxes. Detectors and masks of any shape can be connected too."
    )
    SEARCH_ALIASES: ClassVar = [
        "draw boxes",
        "box editor",
        "layout",
        "bounding box",
        "bbox",
        "region",
        "area",
        "regional prompt",
        "draw layout",
    ]
    CATEGORY = BOXES
    FUNCTION = "constrain"
    INPUT_IS_LIST = True  # labels and boxes may come as lists; one run takes them all
    RETURN_TYPES = (EXPLAINABILITY_CONSTRAINTS, "MASK", "BOUNDING_BOX", "IMAGE", "STRING")
    RETURN_NAMES = ("constraints", "masks", "bboxes", "preview", "prompts")
    OUTPUT_IS_LIST = (False, False, False, False, True)
    OUTPUT_TOOLTIPS = (
        "All objects with their places, for Explainability Guidance and Pick Spatial Constraint.",
        "One mask for each object, in the order of the list.",
        "The boxes in pixels (for a mask, the box around it), as detectors give them: a list for one frame.",
        "The boxes with their labels, over the image if one is connected.",
        "The text of each object, as a list: CLIP Text Encode encodes every one of them.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "width": ("INT", _side("Width of the picture and of the masks.")),
                "height": ("INT", _side("Height of the picture and of the masks.")),
                "template": (
                    "STRING",
                    {
                        "default": "a photo of {}",
                        "tooltip": "The text for each object; the pair of braces stands for its label.",
                    },
                ),
            },
            "optional": {
                "image": (
                    "IMAGE",
                    {"tooltip": "Picture behind the boxes; its size is used instead of width and height."},
                ),
                "latent": ("LATENT", {"tooltip": "Its size is used instead of width and height."}),
                "bboxes": (
                    "BOUNDING_BOX",
                    {
                        "forceInput": True,
                        "tooltip": "More boxes, in pixels, as from a detector: one, a list, or a list for each frame.",
                    },
                ),
                "masks": (
                    "MASK",
                    {
                        "tooltip": "More objects, of any shape: one mask for each, named by labels. Without labels: "
                        "the shapes of the drawn boxes, one for each, in order.",
                    },
                ),
                "constraints": (
                    EXPLAINABILITY_CONSTRAINTS,
                    {"tooltip": "Constraints of another node, put before the ones made here."},
                ),
                "frame": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 100_000,
                        "advanced": True,
                        "tooltip": "Which frame to take where bboxes has a list for each frame.",
                    },
                ),
                "boxes": (
                    BOXES_WIDGET,
                    {
                        "default": "",
                        "socketless": True,
                        "tooltip": "Drag to draw a box, type what belongs in it. The help page lists every key.",
                    },
                ),
                # Last: hosts of 2024 keep a value for it, which must not shift those of the widgets above.
                "labels": (
                    "STRING",
                    {
                        "forceInput": True,
                        "tooltip": "What the objects in bboxes and masks are: one a line (or a list), boxes first.",
                    },
                ),
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, boxes: Any = None) -> bool | str:
        """Errors in what was drawn, before anything runs.

        Only of boxes: hosts lay one message at the door of every input that is asked for here.
        """
        try:
            core.boxes.editor_state.read(_only(boxes))
        except InputError as error:
            return str(error)
        return True

    def constrain(
        self,
        width: list[int],
        height: list[int],
        template: list[str],
        image: list[torch.Tensor] | None = None,
        latent: list[dict[str, Any]] | None = None,
        bboxes: list[Any] | None = None,
        masks: list[torch.Tensor] | None = None,
        labels: list[str] | None = None,
        constraints: list[Constraints] | None = None,
        frame: list[int] | None = None,
        boxes: list[str] | None = None,
    ) -> dict[str, Any]:
        picture = image[0] if image else None
        rows, columns = _size(picture, latent[0] if latent else None, height[0], width[0])
        which = frame[0] if frame else 0
        drawn = boxes[0] if boxes else ""
        detected = [
            box for value in bboxes or [] for box in core.boxes.sources.read_detected(value, rows, columns, which)
        ]
        visible = core.boxes.editor_state.read(drawn)
        shapes = [mask for batch in masks or [] for mask in _masks(batch)]
        chained = [each for chain in constraints or [] for each in chain]
        objects = len(visible) + len(detected) + len(shapes) + len(chained)
        pictures = 1 if picture is None else len(picture)
        wanted = rows * columns * (_BYTES_PER_OBJECT * objects + _BYTES_PER_PICTURE * pictures)
        host.require_memory(wanted, "width, height and boxes: keeping this many masks")
        found = core.boxes.sources.gather(
            visible,
            rows,
            columns,
            template=template[0],
            detected=detected,
            masks=shapes,
            labels=[line for text in labels or [] for line in core.text_files.plain_lines(text)],
            chained=chained,
        )
        if not found:
            hidden = core.boxes.editor_state.hidden_count(drawn)
            why = f"all {hidden} boxes are hidden" if hidden else "nothing is drawn"
            raise InputError(f"boxes: {why}, and nothing else is connected; draw a box, or bypass this node")
        warnings = core.boxes.sources.warnings(found)
        for warning in warnings:
            logging.warning("Box Spatial Constraint: %s", warning)

        ground = picture if picture is not None else core.drawing.box_layout.empty_picture(rows, columns)
        preview = core.drawing.box_layout.draw(found, ground[..., :3])
        pixel_boxes = [
            {**core.boxes.geometry.to_pixels(each.bounds, rows, columns), "label": each.label} for each in found
        ]
        ui: dict[str, Any] = {"box_editor_size": [columns, rows], "box_editor_warnings": warnings}
        if picture is not None:
            ui |= host.preview_images(_small(picture[:1, ..., :3]), key="box_editor_image")
        masks_out = core.boxes.constraint.masks(found)
        return {"ui": ui, "result": (found, masks_out, [pixel_boxes], preview, [each.prompt for each in found])}


def _side(tooltip: str) -> dict[str, Any]:
    return {
        "default": 512,
        "min": 16,
        "max": LARGEST_SIDE,
        "step": 8,
        "tooltip": tooltip + " Not used while an image or a latent is connected.",
    }


def _only(value: Any) -> Any:
    """A constant as VALIDATE_INPUTS sees it: hosts wrap it in a list where the node takes lists."""
    return value[0] if isinstance(value, list) and value else value


def _size(image: torch.Tensor | None, latent: dict[str, Any] | None, height: int, width: int) -> tuple[int, int]:
    """Height and width of the picture: the image's, the latent's, or the widgets'."""
    if image is not None:
        if image.ndim != 4:
            raise InputError(f"image has the shape {tuple(image.shape)}; expected [batch, height, width, channels]")
        return image.shape[1], image.shape[2]
    if latent is not None:
        scale = latent.get("downscale_ratio_spacial") or LATENT_DOWNSCALE
        return latent["samples"].shape[-2] * scale, latent["samples"].shape[-1] * scale
    return height, width


def _masks(batch: torch.Tensor) -> list[torch.Tensor]:
    """MASK in any of the shapes that occur -> its masks, [H, W] each."""
    if batch.ndim < 2:
        raise InputError(f"masks has the shape {tuple(batch.shape)}; expected [masks, height, width]")
    return list(batch.reshape(-1, *batch.shape[-2:]))


def _small(image: torch.Tensor) -> torch.Tensor:
    """[B, H, W, 3], shrunk so that its longer side is at most BACKGROUND_SIDE."""
    scale = BACKGROUND_SIDE / max(image.shape[1:3])
    if scale >= 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[1:3])
    return core.boxes.geometry.resize_mask(image[0].movedim(-1, 0), height, width).movedim(0, -1)[None]
