"""COCO instances, from the official folders and annotation file, without pycocotools."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from ..errors import InputError
from .annotated import AnnotatedImage, LabelledMask, read_image, require

LAYOUT = """coco/
  annotations/instances_val2017.json
  val2017/<000000000000>.jpg"""


def read_coco(root: str | Path, split: str = "val2017") -> Iterator[AnnotatedImage]:
    """Yield the images of a split that have annotations; instances of one class share a mask, crowds are not valid.

    Raises:
        InputError: a part of the layout is missing, or a mask is in a form that COCO's instance files don't use.
    """
    root = Path(root)
    path = require(root / "annotations" / f"instances_{split}.json", "the annotation file", LAYOUT)
    content = json.loads(path.read_text("utf-8"))
    names = {category["id"]: category["name"] for category in content["categories"]}
    instances = defaultdict(list)
    for annotation in content["annotations"]:
        instances[annotation["image_id"]].append(annotation)
    for entry in content["images"]:
        if not instances[entry["id"]]:
            continue
        size = entry["height"], entry["width"]
        masks: dict[str, torch.Tensor] = {}
        valid = torch.ones(size, dtype=torch.bool)
        for annotation in instances[entry["id"]]:
            mask = _mask(annotation["segmentation"], size)
            if annotation.get("iscrowd"):
                valid &= ~mask
            else:
                label = names[annotation["category_id"]]
                masks[label] = masks[label] | mask if label in masks else mask
        image = read_image(require(root / split / entry["file_name"], "an annotated image", LAYOUT))
        objects = tuple(LabelledMask(label, mask) for label, mask in masks.items())
        yield AnnotatedImage(entry["file_name"], image, objects, valid)


def _mask(segmentation: Any, size: tuple[int, int]) -> torch.Tensor:
    """Polygons ``[[x, y, x, y, ...], ...]`` or run lengths in column order, starting with background."""
    if isinstance(segmentation, list):
        canvas = Image.new("1", (size[1], size[0]))
        draw = ImageDraw.Draw(canvas)
        for polygon in segmentation:
            draw.polygon(polygon, fill=1)
        return torch.from_numpy(np.array(canvas))
    counts = segmentation["counts"]
    if not isinstance(counts, list):
        raise InputError("a COCO mask is compressed; use the official instances file, whose crowds are plain counts")
    values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return torch.from_numpy(values.reshape(size[1], size[0]).T.copy())
