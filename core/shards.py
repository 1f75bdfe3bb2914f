"""A data set of pictures too large for one go: files of a folder or WebDataset shards, cut into pieces of work."""

from __future__ import annotations

import io
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import InputError
from .files import require_file, why
from .left_out import LeftOut
from .pictures import EXTENSIONS, Source, find_images, is_hidden

ENDINGS = (".tar", ".tar.gz", ".tgz")
_BLOCK = 512


def cut_into_pieces(folder: Path, size: int, left_out: list[LeftOut]) -> list[tuple[str, ...]]:
    """Every shard of a folder as a piece of its own, then its pictures, ``size`` a piece; as paths inside the folder.

    The same folder gives the same pieces. Sub-folders that can't be listed are added to ``left_out``.

    Raises:
        InputError: no such folder, or neither a shard nor a picture in it.
    """
    if not folder.is_dir():
        raise InputError(f"folder {str(folder)!r} does not exist")
    shards = [(os.path.relpath(path, folder),) for path in _find_shards(folder)]
    files = [os.path.relpath(path, folder) for path in find_images(folder, left_out)]
    pieces = shards + [tuple(files[start : start + size]) for start in range(0, len(files), size)]
    if not pieces:
        raise InputError(f"folder {str(folder)!r} holds neither images nor shards ({', '.join(ENDINGS)})")
    return pieces


def pictures_of(folder: Path, piece: Sequence[str]) -> Iterator[tuple[str, Source | InputError]]:
    """Name and file of every picture of a piece.

    Instead of what a damaged shard can't give any more comes one :class:`InputError`, under the shard's name.
    """
    for name in piece:
        if name.lower().endswith(ENDINGS):
            yield from _pictures_of_shard(folder / name, name)
        else:
            yield name, folder / name


def _find_shards(folder: Path) -> list[Path]:
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        found += [Path(parent, name) for name in files if name.lower().endswith(ENDINGS) and not is_hidden(name)]
    return sorted(found)


def _pictures_of_shard(path: Path, name: str) -> Iterator[tuple[str, Source | InputError]]:
    given = 0
    try:
        require_file(path)
        with tarfile.open(path) as shard:
            for member in shard:
                base = os.path.basename(member.name)
                if os.path.splitext(base)[1].lower() not in EXTENSIONS or is_hidden(base):
                    continue
                file = shard.extractfile(member)
                if file is not None:
                    yield f"{name}/{member.name}", io.BytesIO(file.read())
                    given += 1
            _require_end(shard)
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, KeyError) as error:
        reason = why(error) if isinstance(error, OSError) else str(error)
        yield name, InputError(f"{name!r} is damaged after {given} images ({reason}); get it anew or remove it")


def _require_end(shard: tarfile.TarFile) -> None:
    """Python's tarfile takes a damaged header in the middle, or a cut between two files, for the end."""
    assert shard.fileobj is not None
    shard.fileobj.seek(shard.offset)
    block = shard.fileobj.read(_BLOCK)
    if len(block) < _BLOCK or block.strip(b"\0"):
        raise tarfile.ReadError("it has no end mark" if len(block) < _BLOCK else "a header within is damaged")
