"""Labelled images in folders: one sub-folder a class, its name the label (ImageNet's layout)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


@dataclass(frozen=True)
class ImageFolder:
    """Paths of N images and the class index of each; classes in alphabetical order."""

    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: tuple[int, ...]


def list_images(folder: str | os.PathLike[str]) -> ImageFolder:
    """Find the images of a folder with one sub-folder a class; hidden files and other files are left out.

    Raises:
        InputError: no such folder, no sub-folder, or a class without an image.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"folder {str(folder)!r} does not exist; give one that holds a folder for each class")
    classes = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not classes:
        raise InputError(f"folder {str(folder)!r} has no folder inside; put the images of each class in one of its own")
    paths, labels = [], []
    for index, entry in enumerate(classes):
        found = sorted(
            path for path in entry.rglob("*") if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
        )
        if not found:
            raise InputError(f"folder {str(entry)!r} holds no image ({', '.join(sorted(EXTENSIONS))})")
        paths += found
        labels += [index] * len(found)
    return ImageFolder(tuple(entry.name for entry in classes), tuple(paths), tuple(labels))


def read_image(path: str | os.PathLike[str]) -> torch.Tensor:
    """An image file, turned upright by its EXIF orientation: ``[1, 3 or 4, H, W]`` in 0..1 (4: with alpha).

    Raises:
        InputError: the file is no image that Pillow can read.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened)
            alpha = "A" in upright.getbands() or "transparency" in upright.info
            pixels = np.asarray(upright.convert("RGBA" if alpha else "RGB"), dtype=np.float32) / 255
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{str(path)!r} can't be read as an image ({error}); mend or remove it") from error
    return torch.from_numpy(pixels).movedim(-1, 0).unsqueeze(0)
