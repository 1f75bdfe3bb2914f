"""The host's folders: models, input and temporary files."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from pathlib import Path
from typing import Any

from ...core.errors import InputError

# What is copied along with a path: spaces, and the direction marks of Windows' properties dialog.
_INVISIBLE = "\\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_AROUND = re.compile(f"^[{_INVISIBLE}]+|[{_INVISIBLE}]+$")
CLIP_FOLDER = "open_clip"
CLIP_FILE_EXTENSIONS = frozenset({".safetensors", ".pt", ".bin"})


def running() -> bool:
    """Whether this process is a ComfyUI (both hosts have ``folder_paths`` at the top level, and only they do)."""
    return importlib.util.find_spec("folder_paths") is not None


def _folder_paths() -> Any:
    import folder_paths

    return folder_paths


def register_model_folder(name: str = CLIP_FOLDER, extensions: frozenset[str] = CLIP_FILE_EXTENSIONS) -> None:
    """Add ``models/<name>`` to the host's model folders, keeping what extra_model_paths.yaml says of it.

    The host's own ``add_model_folder_path`` registers an empty extension set, under which no file is listed;
    so the entry is set here, and an entry that is already there only gains our folder and extensions.
    """
    if not running():
        return
    folder_paths = _folder_paths()
    default = os.path.join(folder_paths.models_dir, name)
    registered = folder_paths.folder_names_and_paths
    known: list[str] = list(registered[name][0]) if name in registered else []
    paths = known if default in known else [*known, default]
    known_extensions = set(registered[name][1]) if name in registered else set()
    registered[name] = (paths, known_extensions | extensions)


def model_files(folder: str = CLIP_FOLDER) -> list[str]:
    """Names of the files in a model folder, as the host lists them (empty outside a host)."""
    return list(_folder_paths().get_filename_list(folder)) if running() else []


def model_file_path(name: str, folder: str = CLIP_FOLDER) -> str | None:
    """Full path of a listed model file, or of a folder among them; None where the host knows none by that name."""
    folder_paths = _folder_paths()
    path = folder_paths.get_full_path(folder, name)
    if path is not None or ".." in Path(name).parts or not name.strip():
        return path
    folders = (os.path.join(root, name) for root in folder_paths.get_folder_paths(folder) if not os.path.isabs(name))
    return next(filter(os.path.isdir, folders), None)


def model_folder(folder: str = CLIP_FOLDER) -> str:
    """The first folder the host keeps such models in: where a new file is written."""
    return _folder_paths().get_folder_paths(folder)[0]


def input_path(name: str | None) -> Path | None:
    """A folder that a user named in the input 'folder': absolute, or inside the host's input folder; None for no name.

    Quotation marks around it, as Windows' "Copy as path" sets them, and what can't be seen are taken off; ``~`` is the
    user's own folder.

    Raises:
        InputError: a relative name that leads out of it, or a web address.
    """
    name = _AROUND.sub("", name or "")
    name = name[1:-1].strip() if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'" else name
    if not name:
        return None
    if "://" in name:
        raise InputError(f"folder is {name!r}, an address; give a folder of this machine")
    path = Path(os.path.expanduser(name))
    if ".." in path.parts and not path.is_absolute():
        raise InputError(
            f"folder is {name!r}, which leads out of ComfyUI's input folder; give one inside it, or an absolute path"
        )
    return Path(_folder_paths().get_input_directory(), path) if running() else path


def folder_state(name: str | None) -> str:
    """A text that changes whenever a file in the folder that a user named does; for a node's ``IS_CHANGED``."""
    root = input_path(name)
    if root is None:
        return ""
    state = hashlib.sha256()
    for parent, folders, files in os.walk(root):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(parent, file)
            try:
                found = os.stat(path)
            except OSError:  # a link to nothing, or gone meanwhile
                continue
            state.update(os.fsencode(path) + f" {found.st_mtime_ns} {found.st_size}\n".encode())
    return state.hexdigest()


def temporary_folder() -> Path:
    """Where the host looks for files that last as long as it runs."""
    return Path(_folder_paths().get_temp_directory())
