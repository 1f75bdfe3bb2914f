"""Where the nodes that train keep what came of it: the file that their 'save_as' names."""

from __future__ import annotations

import re
from pathlib import Path

from .. import core
from . import host

_PLAIN_NAME = re.compile(r"[\w .()+-]*\w[\w .()+-]*")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # on Windows, whatever follows the dot
_ROOM = 4 * 2**20  # bytes; more than such a file takes for any CLIP that is known


def file_for(save_as: str, folder: str) -> Path | None:
    """Full path for a file name that a user gave; None for an empty one, which asks for no file.

    Raises:
        InputError: not a plain file name, or nothing can be written there: known before the training, not after it.
    """
    if not save_as.strip():
        return None
    stem = save_as.strip().removesuffix(".safetensors")
    if not _PLAIN_NAME.fullmatch(stem) or stem.startswith(".") or _DEVICE.fullmatch(stem):
        raise core.errors.InputError(
            f"save_as is {save_as!r}; give a plain file name of letters, digits, spaces and . - + ( ), without a folder"
        )
    path = Path(host.model_folder(folder)) / f"{stem}.safetensors"
    try:
        core.files.require_room(path, _ROOM)
    except core.errors.InputError as error:
        raise core.errors.InputError(f"save_as: {error}") from error
    return path
