"""Pascal VOC 2012 segmentation, from its own folder layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .annotated import AnnotatedImage, LabelledMask, read_image, require

LAYOUT = """VOC2012/
  ImageSets/Segmentation/val.txt    one image name a line
  JPEGImages/<name>.jpg
  SegmentationClass/<name>.png      palette index = class, 255 = border"""

# "person" and so on: indices 1..20 of the palette, in the words of a prompt.
CLASSES = (
    "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dining table", "dog",
    "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train", "television",
)  # fmt: skip
_BORDER = 255


def read_voc(root: str | Path, split: str = "val") -> Iterator[AnnotatedImage]:
    """Yield the images of a split (the folder may be ``VOC2012`` or one that holds it, as in ``VOCdevkit``).

    Raises:
        InputError: a part of the layout is missing.
    """
    root = Path(root)
    root = root / "VOC2012" if (root / "VOC2012").is_dir() else root
    names = require(root / "ImageSets" / "Segmentation" / f"{split}.txt", "the list of the split", LAYOUT)
    for name in names.read_text("utf-8").split():
        image = read_image(require(root / "JPEGImages" / f"{name}.jpg", "an image of the split", LAYOUT))
        labels_path = require(root / "SegmentationClass" / f"{name}.png", "a mask of the split", LAYOUT)
        with Image.open(labels_path) as picture:
            labels = torch.from_numpy(np.array(picture))
        present = [index for index in labels.unique().tolist() if 1 <= index <= len(CLASSES)]
        objects = tuple(LabelledMask(CLASSES[index - 1], labels == index) for index in present)
        yield AnnotatedImage(name, image, objects, labels != _BORDER)
