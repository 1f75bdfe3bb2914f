"""ImageNet-S (any of its sizes), from its own folder layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .. import pictures
from ..errors import InputError
from ..text_files import plain_lines, read_text
from .annotated import AnnotatedImage, AnnotatedImages, LabelledMask, LeaveOut, find_picture, read_image, require

LAYOUT = """ImageNetS50/
  categories.txt                               one class a line, in the order of their ids: <wnid> <name>
  validation/<wnid>/<image>.JPEG
  validation-segmentation/<wnid>/<image>.png   id = red + 256 x green; 0 = other, 1000 = ignore"""
_IGNORED = 1000


def read_imagenet_s(root: str | Path, split: str = "validation") -> AnnotatedImages:
    """The images of a split that have masks.

    ``categories.txt`` gives the words for the class ids 1, 2, ..., which the data set itself names by wnid alone. A
    picture or mask that is missing or damaged, a mask of another size than its picture, and one with ids of no class
    are left out.

    Raises:
        InputError: a part of the layout is missing, or a line of ``categories.txt`` has no name.
    """
    root = Path(root)
    names = _names(require(root / "categories.txt", "the list of classes", LAYOUT))
    masks = require(root / f"{split}-segmentation", "the folder of masks", LAYOUT)
    files = {
        f"{path.parent.name}/{path.stem}": path
        for path in sorted(masks.glob("*/*"))
        if path.suffix.lower() == ".png" and not pictures.is_hidden(path.name)
    }
    if not files:
        raise InputError(f"{str(masks)!r} holds no mask. Expected layout:\n{LAYOUT}")

    def read(name: str, _: LeaveOut) -> AnnotatedImage:
        path = files[name]
        labels = torch.from_numpy(_read_labels(path))
        image = read_image(
            find_picture(root / split / path.parent.name, path.stem, LAYOUT), (labels.shape[0], labels.shape[1])
        )
        present = [index for index in labels.unique().tolist() if index not in (0, _IGNORED)]
        if present and max(present) > len(names):
            raise InputError(
                f"mask {str(path)!r} has class {max(present)}, but categories.txt lists {len(names)}; ids are "
                "red + 256 x green of an RGB picture"
            )
        objects = tuple(LabelledMask(names[index - 1], labels == index) for index in present)
        return AnnotatedImage(name, image, objects, labels != _IGNORED)

    return AnnotatedImages(f"ImageNet-S {split} in {str(root)!r}", files, read)


def _read_labels(path: Path) -> np.ndarray:
    """Class ids ``[H, W]``: of the colours, or of a picture that holds the numbers themselves."""
    with pictures.open_image(path) as picture:
        if picture.mode in ("L", "P") or picture.mode.startswith("I"):
            return np.array(picture).astype(np.int64)
        channels = np.array(picture.convert("RGB")).astype(np.int64)
    return channels[..., 0] + 256 * channels[..., 1]


def _names(path: Path) -> list[str]:
    lines = [line.split(maxsplit=1) for line in plain_lines(read_text(path))]
    for number, line in enumerate(lines, 1):
        if len(line) < 2:
            raise InputError(f"{str(path)!r}, line {number}: {line[0]!r} has no name behind it; write '<wnid> <name>'")
    return [line[1].split(",")[0].strip().replace("_", " ") for line in lines]
