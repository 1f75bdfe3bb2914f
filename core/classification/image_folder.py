"""Labelled images in folders: one sub-folder a class, its name the label (ImageNet's layout)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from ..clip import ExplainableCLIP
from ..errors import InputError
from ..explain import check_images
from ..views import Fit, cut_view
from .zero_shot import single_view

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


def read_image(path: str | os.PathLike[str] | BinaryIO) -> torch.Tensor:
    """An image file (or an open one), turned upright by its EXIF orientation.

    Returns:
        ``[1, 3 or 4, H, W]`` in 0..1 (4: with alpha).

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


def read_view(clip: ExplainableCLIP, path: str | os.PathLike[str] | BinaryIO, fit: Fit = "crop") -> torch.Tensor:
    """An image file as the CLIP's tower takes it, so that files of any size make one batch: ``[1, 3, h, w]`` in 0..1.

    Encoding it gives what encoding the whole image with this ``fit`` gives.
    """
    image = check_images(read_image(path))
    size: tuple[int, int] = tuple(image.shape[-2:])  # type: ignore[assignment]
    return cut_view(image, single_view(size, clip, fit), clip.image_size)
