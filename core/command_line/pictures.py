"""Pictures named on the command line: found, read ahead in threads, and put into batches of one size."""

from __future__ import annotations

import glob
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from ..errors import InputError
from ..left_out import LeftOut
from ..pictures import EXTENSIONS, find_images, read_image

STANDARD_INPUT = "-"
_READ_AHEAD = 4
_PIXELS_PER_BATCH = 8 * 1024 * 1024
_IMAGES_PER_BATCH = 16


@dataclass(frozen=True)
class Source:
    """A picture that was named: how to call it, and what to read."""

    name: str
    file: Path | bytes


@dataclass(frozen=True)
class Batch:
    """Pictures of one size: their names and ``[B, 3 or 4, H, W]`` in 0..1."""

    names: tuple[str, ...]
    images: torch.Tensor


def find_pictures(arguments: Iterable[str], standard_input: Callable[[], bytes]) -> list[Source]:
    """What the arguments name: files as they are, folders with all pictures in them, patterns, standard input.

    Standard input holds a picture, or paths one a line.

    Raises:
        InputError: an argument names nothing.
    """
    found: list[Source] = []
    for argument in arguments:
        if argument == STANDARD_INPUT:
            found += _from_standard_input(standard_input())
        else:
            found += [Source(path, Path(path)) for path in _expand(argument)]
    if not found:
        raise InputError("no picture was named: standard input is empty")
    return found


def _from_standard_input(data: bytes) -> list[Source]:
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return [Source("standard input", data)]
    if data.startswith((b"P3\n", b"P2\n", b"P1\n")):  # the picture formats that are text
        return [Source("standard input", data)]
    return [Source(path, Path(path)) for line in lines if line.strip() for path in _expand(line.strip())]


def _expand(argument: str) -> list[str]:
    path = Path(argument)
    if path.is_dir():
        unlisted: list[LeftOut] = []
        files = find_images(path, unlisted)
        if unlisted:
            raise InputError(unlisted[0].reason)
        if not files:
            raise InputError(f"folder {argument!r} holds no picture ({', '.join(sorted(EXTENSIONS))})")
        return [str(each) for each in files]
    if not path.exists() and glob.has_magic(argument):
        matches = sorted(glob.glob(argument, recursive=True))
        if not matches:
            raise InputError(f"{argument!r} matches no file")
        return [each for each in matches if not os.path.isdir(each)]
    return [argument]  # what is not there is reported as the others are, with its name


def read_batches(sources: list[Source], left_out: Callable[[str, str], None]) -> Iterator[Batch]:
    """Read pictures ahead in threads; neighbours of one size and kind come together.

    Args:
        left_out: told name and reason of each picture that can't be read.
    """
    waiting: list[tuple[str, torch.Tensor]] = []
    for name, image in _read_ahead(sources, left_out):
        most = max(1, min(_IMAGES_PER_BATCH, _PIXELS_PER_BATCH // max(1, image.shape[-1] * image.shape[-2])))
        if waiting and (waiting[0][1].shape != image.shape or len(waiting) == most):
            yield _batch(waiting)
            waiting = []
        waiting.append((name, image))
    if waiting:
        yield _batch(waiting)


def _batch(waiting: list[tuple[str, torch.Tensor]]) -> Batch:
    names, images = zip(*waiting, strict=True)
    return Batch(names, torch.cat(images))


def _read_ahead(sources: list[Source], left_out: Callable[[str, str], None]) -> Iterator[tuple[str, torch.Tensor]]:
    remaining = iter(sources)
    with ThreadPoolExecutor(_READ_AHEAD) as threads:

        def begin(source: Source) -> tuple[str, Future[torch.Tensor]]:
            return source.name, threads.submit(_read, source)

        ahead = [begin(source) for source in islice(remaining, _READ_AHEAD)]
        while ahead:
            name, future = ahead.pop(0)
            ahead += [begin(source) for source in islice(remaining, 1)]
            try:
                yield name, future.result()
            except InputError as error:
                left_out(name, str(error))


def _read(source: Source) -> torch.Tensor:
    return read_image(io.BytesIO(source.file) if isinstance(source.file, bytes) else source.file)


def write_picture(path: Path, picture: torch.Tensor) -> None:
    """``[H, W, 3]`` or, as 16 bits of grey, ``[H, W]`` in 0..1 to a PNG, whole or not at all."""
    import numpy as np
    from PIL import Image

    from ..files import write_whole

    depth = 255 if picture.dim() == 3 else 65535
    values = (picture.clamp(0, 1) * depth).round().cpu().numpy()
    data = io.BytesIO()
    Image.fromarray(values.astype(np.uint8 if depth == 255 else np.uint16)).save(data, "PNG")
    write_whole(path, data.getvalue())


class FileNames:
    """Names of what is written for each picture: none twice, none that a file system refuses."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self._taken: set[str] = set()

    def stem(self, name: str) -> str:
        """A file name for the picture of this name, without suffix."""
        base = safe(Path(name).stem) or "picture"
        stem, number = base, 2
        while stem.casefold() in self._taken:
            stem, number = f"{base}-{number}", number + 1
        self._taken.add(stem.casefold())
        return stem


def safe(text: str) -> str:
    """Text as part of a file name: letters, digits, ``-`` and ``_``, at most 60 of them."""
    return re.sub(r"[^\w-]+", "-", text).strip("-")[:60]


def standard_input() -> bytes:
    return sys.stdin.buffer.read()
