"""What every data set yields."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from .. import pictures
from ..errors import InputError
from ..explain import check_images
from ..left_out import LeftOut, nothing_left, plain_name

_log = logging.getLogger(__name__)
_MOST_LOGGED = 20  # the rest is in the list


@dataclass(frozen=True)
class LabelledMask:
    """One class of an image: its name as a prompt would say it, and where it is, bool ``[H, W]``."""

    label: str
    mask: torch.Tensor


@dataclass(frozen=True)
class AnnotatedImage:
    """An image and the true masks of what it shows.

    Attributes:
        name: of the file or scene.
        image: ``[3, H, W]`` in 0..1.
        objects: one entry for every class in the image.
        valid: bool ``[H, W]``: pixels that were annotated at all.
    """

    name: str
    image: torch.Tensor
    objects: tuple[LabelledMask, ...]
    valid: torch.Tensor


LeaveOut = Callable[[str, str], None]
"""Notes that an item is not used: its name, and a sentence that says why."""


class AnnotatedImages(Iterator[AnnotatedImage]):
    """The images of a data set that can be used, one at a time.

    What can't be used (a damaged picture, a bad annotation) is left out, said in the log and listed in ``left_out``,
    which grows along with the reading. Where nothing at all can be used, the end is an :class:`InputError`.
    """

    def __init__(
        self,
        where: str,
        names: Iterable[str],
        read: Callable[[str, LeaveOut], AnnotatedImage],
        left_out: Iterable[LeftOut] = (),
    ) -> None:
        """
        Args:
            where: what data set this is, for messages.
            names: of its images, each once.
            read: gives the image of a name. It may leave out parts of it, and raises :class:`InputError` where all of
                it is to be left out.
            left_out: what was left out before.
        """
        self.left_out: list[LeftOut] = []
        self._where, self._names, self._read, self._used = where, iter(names), read, 0
        for item in left_out:
            self._leave_out(item.name, item.reason)

    def __next__(self) -> AnnotatedImage:
        for name in self._names:
            try:
                found = self._read(name, self._leave_out)
            except InputError as error:
                self._leave_out(name, str(error))
                continue
            self._used += 1
            return found
        if not self._used:
            raise nothing_left(self._where, self.left_out)
        raise StopIteration

    def _leave_out(self, name: str, reason: str) -> None:
        self.left_out.append(LeftOut(name, reason))
        if len(self.left_out) <= _MOST_LOGGED:
            _log.warning("%s: left out: %s", self._where, plain_name(reason))


def read_image(path: Path, size: tuple[int, int] | None = None) -> torch.Tensor:
    """A picture file as RGB ``[3, H, W]`` in 0..1, see :func:`..pictures.read_image`; transparent parts are white.

    Raises:
        InputError: it can't be read, or has another size than the annotated (H, W).
    """
    image = check_images(pictures.read_image(path, size=size))[0]
    if size is not None and image.shape[1:] != size:
        raise InputError(
            f"{str(path)!r} has {image.shape[2]} x {image.shape[1]} pixels, its annotation {size[1]} x {size[0]}; "
            "they do not belong together"
        )
    return image


def find_picture(folder: Path, stem: str, layout: str) -> Path:
    """The picture of a data set by its name without the ending.

    Raises:
        InputError: there is none.
    """
    endings = (".jpg", ".JPEG", ".jpeg", ".JPG", ".png", ".PNG")
    found = next((path for ending in endings if os.path.isfile(path := folder / f"{stem}{ending}")), None)
    return require(folder / f"{stem}.jpg", "a picture of the split", layout) if found is None else found


def require(path: Path, what: str, layout: str) -> Path:
    """The path, or an :class:`InputError` that shows the expected layout where nothing is there."""
    if not os.path.exists(path):
        raise InputError(f"{what} is missing: {str(path)!r} does not exist. Expected layout:\n{layout}")
    return path
