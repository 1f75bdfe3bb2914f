"""One list of CLIPs to load from: the embedded one, files, open_clip's pretrained models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    import torch

    from ..clip import ExplainableCLIP
    from .activation import Activation

DEMO = "demo (embedded)"
PRETRAINED_PREFIX = "open_clip: "


def source_names(files: list[str]) -> list[str]:
    """The list users choose from: the demo, the host's files, then open_clip's models as ``open_clip: model/tag``.

    A sharded model stands there once, by the name of its folder.
    """
    from .places import shard_sets
    from .pretrained import PRETRAINED

    return [DEMO, *shard_sets(files), *(f"{PRETRAINED_PREFIX}{model}/{tag}" for model, tag in PRETRAINED)]


def load_source(
    source: str,
    find_file: Callable[[str], str | None],
    folder: str | None,
    download: bool,
    dtype: torch.dtype,
    activation: Activation = "auto",
) -> ExplainableCLIP:
    """Load what a name of :func:`source_names` stands for.

    Args:
        find_file: full path of a file of the list, or None where it is gone.
        folder: where pretrained models are kept; None where there is no such folder.
        download: whether the network may be used.

    Raises:
        InputError: unknown or missing source; see :mod:`.checkpoints` and :mod:`.pretrained`.
    """
    if source == DEMO:
        from ..demo.clip import load_demo

        return load_demo(dtype)
    if source.startswith(PRETRAINED_PREFIX):
        from .pretrained import load_pretrained

        model, _, tag = _model_and_tag(source)
        if folder is None:
            raise InputError(f"source {source!r} needs a model folder, and this process has none; give a file instead")
        return load_pretrained(model, tag, Path(folder), download, dtype)
    path = find_file(source)
    if path is None:
        raise InputError(f"source {source!r} is not in the model folder {folder}; put it there or choose another")
    from .checkpoints import load_checkpoint

    return load_checkpoint(path, activation, dtype=dtype)


def source_stamp(source: str, find_file: Callable[[str], str | None], folder: str) -> str:
    """Changes when what a name of :func:`source_names` stands for, or anything that is read beside it, does."""
    from .places import stamp
    from .pretrained import home_of

    if source == DEMO:
        return source
    if source.startswith(PRETRAINED_PREFIX):
        model, _, tag = _model_and_tag(source)
        return stamp(home_of(model, tag, Path(folder)))
    path = find_file(source)
    return source if path is None else stamp(path)


def _model_and_tag(source: str) -> tuple[str, str, str]:
    return source.removeprefix(PRETRAINED_PREFIX).partition("/")
