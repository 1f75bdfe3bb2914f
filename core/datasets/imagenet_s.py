"""ImageNet-S (any of its sizes), from its own folder layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..errors import InputError
from .annotated import AnnotatedImage, LabelledMask, read_image, require

LAYOUT = """ImageNetS50/
  categories.txt                               one class a line, in the order of their ids: <wnid> <name>
  validation/<wnid>/<image>.JPEG
  validation-segmentation/<wnid>/<image>.png   id = red + 256 x green; 0 = other, 1000 = ignore"""
_IGNORED = 1000


def read_imagenet_s(root: str | Path, split: str = "validation") -> Iterator[AnnotatedImage]:
    """Yield the images of a split that have masks.

    ``categories.txt`` gives the words for the class ids 1, 2, ..., which the data set itself names by wnid alone.

    Raises:
        InputError: a part of the layout is missing, or a line of ``categories.txt`` has no name.
    """
    root = Path(root)
    names = _names(require(root / "categories.txt", "the list of classes", LAYOUT))
    masks = require(root / f"{split}-segmentation", "the folder of masks", LAYOUT)
    for path in sorted(masks.glob("*/*.png")):
        images = [root / split / path.parent.name / f"{path.stem}{ending}" for ending in (".JPEG", ".jpg", ".jpeg")]
        found = next((image for image in images if image.is_file()), None)
        image = read_image(require(images[0], "the image of a mask", LAYOUT) if found is None else found)
        with Image.open(path) as picture:
            channels = torch.from_numpy(np.array(picture.convert("RGB"))).int()
        labels = channels[..., 0] + 256 * channels[..., 1]
        present = [index for index in labels.unique().tolist() if 1 <= index <= len(names)]
        objects = tuple(LabelledMask(names[index - 1], labels == index) for index in present)
        yield AnnotatedImage(f"{path.parent.name}/{path.stem}", image, objects, labels != _IGNORED)


def _names(path: Path) -> list[str]:
    lines = [line.split(maxsplit=1) for line in path.read_text("utf-8").splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        if len(line) < 2:
            raise InputError(f"{path}, line {number}: {line[0]!r} has no name behind it; write '<wnid> <name>'")
    return [line[1].split(",")[0].strip().replace("_", " ") for line in lines]
