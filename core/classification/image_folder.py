"""Labelled images in folders: one sub-folder a class, its name the label (ImageNet's layout)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from ..clip import ExplainableCLIP
from ..errors import InputError
from ..explain import check_images
from ..files import why
from ..left_out import LeftOut, nothing_left, plain_name
from ..pictures import EXTENSIONS, Source, find_images, is_hidden, read_image
from ..text_files import plain_line
from ..views import Fit, cut_view
from .zero_shot import single_view


@dataclass(frozen=True)
class ImageFolder:
    """Paths of N images and the class index of each; classes in alphabetical order, without the empty ones."""

    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    left_out: tuple[LeftOut, ...] = ()


def list_images(folder: str | os.PathLike[str]) -> ImageFolder:
    """Find the images of a folder with one sub-folder a class; hidden files and other files are no part of it.

    Raises:
        InputError: no such folder, no sub-folder, or no image in any of them.
    """
    root = Path(folder)
    left_out: list[LeftOut] = []
    try:
        if not root.is_dir():
            raise InputError(f"folder {str(folder)!r} does not exist; give one that holds a folder for each class")
        entries = sorted(entry for entry in root.iterdir() if entry.is_dir() and not is_hidden(entry.name))
    except OSError as error:
        raise InputError(f"folder {str(folder)!r} can't be listed ({why(error)}); check its permissions") from error
    if not entries:
        raise InputError(f"folder {str(folder)!r} has no folder inside; put the images of each class in one of its own")
    classes: list[str] = []
    paths: list[Path] = []
    labels: list[int] = []
    for entry in entries:
        found, name = find_images(entry, left_out), plain_line(plain_name(entry.name))
        if not found:
            kinds = ", ".join(sorted(EXTENSIONS))
            left_out.append(LeftOut(str(entry), f"folder {str(entry)!r} holds no image ({kinds})"))
            continue
        if name not in classes:
            classes.append(name)
        paths += found
        labels += [classes.index(name)] * len(found)
    if not paths:
        raise nothing_left(f"folder {str(folder)!r}", left_out)
    return ImageFolder(tuple(classes), tuple(paths), tuple(labels), tuple(left_out))


def read_view(clip: ExplainableCLIP, source: Source, fit: Fit = "crop", name: str | None = None) -> torch.Tensor:
    """An image file as the CLIP's tower takes it, so that files of any size make one batch: ``[1, 3, h, w]`` in 0..1.

    Encoding it gives what encoding the whole image with this ``fit`` gives. ``name``: of an open file, for errors.
    """
    image = check_images(read_image(source, name))
    size: tuple[int, int] = tuple(image.shape[-2:])  # type: ignore[assignment]
    return cut_view(image, single_view(size, clip, fit), clip.image_size, clip.interpolation)
