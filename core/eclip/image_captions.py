"""Image-caption pairs: from a batch, or a folder in which every image has a text file of the same name beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from ..classification.image_folder import EXTENSIONS, read_image
from ..errors import InputError
from ..explain import check_images
from ..views import choose_views, cut_view


@dataclass(frozen=True)
class CaptionedFolder:
    """Paths of n images and the caption of each."""

    paths: tuple[Path, ...]
    captions: tuple[str, ...]


def list_captioned_images(folder: Path) -> CaptionedFolder:
    """Find the images of a folder and its sub-folders that have a caption, ``name.txt`` beside ``name.png``.

    Raises:
        InputError: no such folder, or no image in it has a caption.
    """
    if not folder.is_dir():
        raise InputError(f"folder {str(folder)!r} does not exist; give one with images and text files beside them")
    images = sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.name[0] != ".")
    found = {path: path.with_suffix(".txt") for path in images if path.with_suffix(".txt").is_file()}
    captions = {path: " ".join(text.read_text("utf-8", "replace").split()) for path, text in found.items()}
    captions = {path: caption for path, caption in captions.items() if caption}
    if not captions:
        raise InputError(
            f"folder {str(folder)!r} has {len(images)} images and none with a caption; put the caption of cat.png "
            "into cat.txt beside it"
        )
    return CaptionedFolder(tuple(captions), tuple(captions.values()))


def split_captions(text: str, images: int) -> list[str]:
    """Captions of a batch, one a line; raises :class:`InputError` where their number is not that of the images."""
    captions = [line.strip() for line in text.splitlines() if line.strip()]
    if len(captions) != images:
        raise InputError(f"captions has {len(captions)} lines for {images} images; write one caption a line, in order")
    return captions


def batch_for_tower(images: torch.Tensor, tower_size: tuple[int, int]) -> Iterator[torch.Tensor]:
    """A checked batch ``[n, 3, H, W]`` as single images ``[3, *tower_size]``, stretched."""
    for image in images:
        view = choose_views((image.shape[1], image.shape[2]), tower_size, "stretch")[0]
        yield cut_view(image.unsqueeze(0), view, tower_size)[0]


def files_for_tower(paths: tuple[Path, ...], tower_size: tuple[int, int]) -> Iterator[torch.Tensor]:
    """Image files as ``[3, *tower_size]``, read one at a time."""
    for path in paths:
        yield from batch_for_tower(check_images(read_image(path)), tower_size)
