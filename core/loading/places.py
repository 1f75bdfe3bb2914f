"""Where a checkpoint's parts lie: one file, the shards of a sharded model, a folder; and what is read beside them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

# What a folder's weights may be called, the best first; two of open_clip's names, then Hugging Face's.
WEIGHT_FILES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_INDEX = ".index.json"
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.(?:safetensors|bin|pt))")
_WEIGHT_SUFFIXES = frozenset({".safetensors", ".bin", ".pt", ".pth"})
_SIDE_SUFFIXES = frozenset({".json", ".txt", ".model"})  # configurations, and tokenizers of every make


@dataclass(frozen=True)
class Place:
    """Files of one checkpoint.

    Attributes:
        name: for users: the file's, or the folder's where the file's says nothing.
        file: as messages name it.
        folder: where its configuration, tokenizer and preprocessing are looked for.
        weights: the file, or all the shards.
        own_config: the configuration that bears the file's name; it need not exist.
    """

    name: str
    file: str
    folder: Path
    weights: tuple[Path, ...]
    own_config: Path


def locate(path: str | os.PathLike[str]) -> Place:
    """Find a checkpoint's files from a file, any of its shards, its index, or its folder.

    Raises:
        InputError: there is none, a shard is missing, or a folder holds several models.
    """
    path = Path(path)
    if path.is_dir():
        path = _weights_in(path)
    if not path.is_file():
        raise InputError(f"checkpoint {path} does not exist; choose another file or put it there")
    shard = _SHARD.fullmatch(path.name)
    if path.name.endswith(_INDEX):
        weights = _indexed(path)
    elif shard:
        weights = _siblings(path, shard)
    else:
        weights = (path,)
    stem = shard["stem"] if shard else path.name.removesuffix(_INDEX)
    plain = stem.removesuffix(".safetensors").removesuffix(".bin").removesuffix(".pt")
    name = path.parent.name or plain if is_generic(path.name) else plain
    return Place(name, path.name, path.parent, weights, path.with_name(f"{plain}.json"))


def is_generic(file_name: str) -> bool:
    """Whether thousands of models have a file of that name, so that the folder's says more."""
    stem = file_name.split(".")[0]
    return bool(re.fullmatch(r"(open_clip_)?(pytorch_)?model(-\d{5}-of-\d{5})?", stem))


def shard_sets(files: list[str]) -> list[str]:
    """A list of files in which each sharded model stands once, by the name of its folder."""
    listed: dict[str, None] = {}
    for file in files:
        path = Path(file)
        whole = _SHARD.fullmatch(path.name) and path.parent != Path()
        listed[str(path.parent) if whole else file] = None
    return list(listed)


def stamp(path: str | os.PathLike[str]) -> str:
    """Changes when a checkpoint, or anything that is read beside it, is put there, changed or removed."""
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    parts = [path]
    if path.is_dir():
        parts = [each for each in _files(folder) if each.suffix in _WEIGHT_SUFFIXES]
    elif shard := _SHARD.fullmatch(path.name):
        parts = [folder / each for each in _shard_names(shard)]
    # One folder deeper: the configuration of a text tower that has one of its own.
    parts += [each for each in [*_files(folder), *folder.glob("*/config.json")] if each.suffix in _SIDE_SUFFIXES]
    digest = hashlib.sha256()
    for part in sorted(set(parts)):
        try:
            status = part.stat()
        except OSError:
            continue
        digest.update(f"{part.relative_to(folder)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.is_file()] if folder.is_dir() else []


def _weights_in(folder: Path) -> Path:
    known = [folder / name for name in WEIGHT_FILES if (folder / name).is_file()]
    if known:
        return known[0]
    found = sorted(each for each in _files(folder) if each.suffix in _WEIGHT_SUFFIXES)
    sets = {(match["stem"] if (match := _SHARD.fullmatch(each.name)) else each.name) for each in found}
    if len(sets) == 1:
        return found[0]
    if not found:
        raise InputError(
            f"folder {folder} holds no weights; put model.safetensors there, or all shards and their index"
        )
    raise InputError(f"folder {folder} holds several models ({', '.join(sorted(sets)[:4])}); choose one of the files")


def _indexed(path: Path) -> tuple[Path, ...]:
    try:
        names = sorted(set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()))
        if not names or any(Path(name).name != name for name in names):
            raise ValueError("its weight_map does not name files beside it")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"index {path} can't be read ({error}); download it again") from error
    return _present(path, names)


def _siblings(path: Path, shard: re.Match[str]) -> tuple[Path, ...]:
    return _present(path, _shard_names(shard))


def _shard_names(shard: re.Match[str]) -> list[str]:
    count = min(int(shard["count"]), 10_000)
    return [f"{shard['stem']}-{n:05}-of-{shard['count']}{shard['suffix']}" for n in range(1, count + 1)]


def _present(path: Path, names: list[str]) -> tuple[Path, ...]:
    missing = [name for name in names if not (path.parent / name).is_file()]
    if missing:
        what = "is the index" if path.name.endswith(_INDEX) else "is one part"
        raise InputError(
            f"checkpoint {path.name} {what} of a model in {len(names)} shards, and {len(missing)} of them are not "
            f"beside it: {', '.join(missing[:4])}; put all shards into {path.parent}, or take a file that holds the "
            "whole model"
        )
    return tuple(path.parent / name for name in names)
