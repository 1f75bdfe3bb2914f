"""Image-caption pairs: from a batch, or a folder in which every image has a text file of the same name beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import InputError
from ..explain import check_images
from ..left_out import LeftOut, nothing_left
from ..pictures import find_images, read_image
from ..text_files import plain_line, plain_lines, read_text
from ..views import choose_views, cut_view


@dataclass(frozen=True)
class CaptionedFolder:
    """Paths of n images and the caption of each; and the images without one that can be read."""

    paths: tuple[Path, ...]
    captions: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()


def list_captioned_images(folder: Path) -> CaptionedFolder:
    """Find the images of a folder and its sub-folders that have a caption, ``name.txt`` beside ``name.png``.

    Raises:
        InputError: no such folder, or no image in it has a caption.
    """
    if not folder.is_dir():
        raise InputError(f"folder {str(folder)!r} does not exist; give one with images and text files beside them")
    left_out: list[LeftOut] = []
    images = find_images(folder, left_out)
    captions: dict[Path, str] = {}
    for path in images:
        try:
            captions[path] = _caption_beside(path)
        except InputError as error:
            left_out.append(LeftOut(str(path.relative_to(folder)), str(error)))
    if not captions and len(left_out) > len(images):
        raise nothing_left(f"folder {str(folder)!r}", left_out)
    if not captions:
        raise InputError(
            f"folder {str(folder)!r} has {len(images)} images and none with a caption; put the caption of cat.png "
            f"into cat.txt beside it{''.join(f' ({item.reason})' for item in left_out[:1])}"
        )
    return CaptionedFolder(tuple(captions), tuple(captions.values()), tuple(left_out))


def _caption_beside(image: Path) -> str:
    files = [image.with_suffix(suffix) for suffix in (".txt", ".TXT")]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise InputError(f"{image.name!r} has no caption; put it into {files[0].name!r} beside it")
    caption = plain_line(read_text(file))
    if not caption:
        raise InputError(f"{file.name!r} is empty; write what {image.name!r} shows")
    return caption


def split_captions(text: str, images: int) -> list[str]:
    """Captions of a batch, one a line; raises :class:`InputError` where their number is not that of the images."""
    captions = plain_lines(text)
    if len(captions) != images:
        raise InputError(f"captions has {len(captions)} lines for {images} images; write one caption a line, in order")
    return captions


def batch_for_tower(images: torch.Tensor, tower_size: tuple[int, int]) -> Iterator[torch.Tensor]:
    """A checked batch ``[n, 3, H, W]`` as single images ``[3, *tower_size]``, stretched."""
    for image in images:
        view = choose_views((image.shape[1], image.shape[2]), tower_size, "stretch")[0]
        yield cut_view(image.unsqueeze(0), view, tower_size)[0]


def files_for_tower(
    paths: tuple[Path, ...], tower_size: tuple[int, int], left_out: list[LeftOut] | None = None
) -> Iterator[torch.Tensor | None]:
    """Image files as ``[3, *tower_size]``, read one at a time.

    Instead of one that can't be read comes None, and it joins ``left_out``; without that list it is an
    :class:`InputError`.
    """
    for path in paths:
        try:
            image = check_images(read_image(path))
        except InputError as error:
            if left_out is None:
                raise
            left_out.append(LeftOut(path.name, str(error)))
            yield None
        else:
            yield from batch_for_tower(image, tower_size)
