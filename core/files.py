"""Files: read with a clear error, written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """All that a file holds; raises :class:`InputError`, which names it, where it can't be read."""
    try:
        require_file(path)
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"{os.fspath(path)!r} can't be read ({why(error)}); check the name and the permissions"
        ) from error


def require_file(path: str | os.PathLike[str]) -> None:
    """Raise :class:`OSError` unless a file can be read there: a pipe or device would be waited for."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise OSError("it is a folder" if stat.S_ISDIR(mode) else "it is no file but a device or pipe")


def why(error: OSError) -> str:
    """An operating system's error in a few words, without the path."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file, or it is a link to none"
    return error.strerror or str(error)


def write_whole(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file whole or not at all, even if the process is killed; makes its folder. Returns the path.

    Raises:
        InputError: the disk is full, the folder can't be written to, or the name is too long. What stood there before
            is still there.
    """
    target = Path(path)
    with _beside(target) as temporary:
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, target)
    return target


def require_room(path: str | os.PathLike[str], size: int) -> None:
    """Raise :class:`InputError` now, rather than after long work, unless ``size`` bytes can be written at ``path``."""
    with _beside(Path(path)) as temporary, open(temporary, "xb") as file:
        file.write(bytes(size))


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A hidden name in the same folder, whose file is gone afterwards."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{target} can't be written ({error.strerror or error}); free some space there, make the folder writable, "
            "or choose another name"
        ) from error
