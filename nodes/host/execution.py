"""The host's queue: progress, Cancel, what stands on an empty output, previews on a node."""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folders import running, temporary_folder

if TYPE_CHECKING:
    import torch

    from ...core.lens import Lens

_log = logging.getLogger(__name__)
_PREVIEW_SIZE = 512  # longest side, pixels


def check_interrupt() -> None:
    """Raise the host's own exception if the user pressed Cancel."""
    if not running():
        return
    from comfy import model_management

    model_management.throw_exception_if_processing_interrupted()


def is_interrupt(error: BaseException) -> bool:
    """Whether this is the host's own exception for Cancel."""
    if not running():
        return False
    try:
        from comfy.model_management import InterruptProcessingException
    except ImportError:  # the PyPI host
        from comfy.interruption import InterruptProcessingException
    return isinstance(error, InterruptProcessingException)


def nothing(stand_in: Any) -> Any:
    """What stands on an output that has nothing to give: nodes after it don't run.

    Hosts before August 2024 can't say so; there ``stand_in`` is given.
    """
    try:
        from comfy_execution.graph_utils import ExecutionBlocker
    except ImportError:
        return stand_in
    return ExecutionBlocker(None)


@contextmanager
def progress(total: int = 1) -> Iterator[Callable[..., None]]:
    """ComfyUI's progress bar.

    Yields ``report(done, total=None, draw=None)``: moves the bar to ``done`` of ``total`` steps (the total may be
    learned on the way), shows the PIL image that ``draw()`` gives, and raises the host's exception if the user
    pressed Cancel.
    """
    if not running():
        yield lambda done, total=None, draw=None: None
        return
    from comfy.utils import ProgressBar

    bar = ProgressBar(max(total, 1))

    def report(done: int, total: int | None = None, draw: Callable[[], Any] | None = None) -> None:
        check_interrupt()
        preview = None if draw is None else ("JPEG", draw(), _PREVIEW_SIZE)
        bar.update_absolute(done, total, preview)

    yield report


def preview_images(images: torch.Tensor, key: str = "images", prefix: str = "clip_explainability") -> dict[str, Any]:
    """Write IMAGE [B, H, W, 3] as temporary PNGs and return the ``ui`` part that shows them on the node.

    Where they can't be written (a full disk), the node shows nothing and its results go on their way.
    """
    if not running():
        return {}
    folder = temporary_folder()
    entries = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index, image in enumerate((images.clamp(0, 1) * 255).round().byte().cpu().numpy()):
            name = f"{prefix}_{uuid.uuid4().hex[:12]}_{index:03}.png"
            _write_png(image, folder / name)
            entries.append({"filename": name, "subfolder": "", "type": "temp"})
    except OSError as error:
        _log.warning("no preview: %s can't be written (%s)", folder, error.strerror or error)
    return {key: entries}


_LENS = "clip_lens"
_MOST_LENS_BYTES = 1 << 30


def show_lens(make: Callable[[], Lens]) -> dict[str, Any]:
    """Write what the viewer on the node draws, and return the ``ui`` part that leads it there.

    Files are named by what they hold: a picture shown by several runs or nodes lies there once. Past a gigabyte the
    oldest go. Where they can't be written, the node shows its static preview alone.
    """
    if not running():
        return {}
    folder = temporary_folder() / _LENS
    lens = make()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "pictures": [_keep(folder, picture, "png") for picture in lens.pictures],
            "sheets": [_keep(folder, sheet, "png") for sheet in lens.sheets],
        }
        entry = _keep(folder, json.dumps(lens.data | files, ensure_ascii=False).encode(), "json")
        _drop_oldest(folder, _MOST_LENS_BYTES)
    except OSError as error:
        _log.warning("no viewer: %s can't be written (%s)", folder, error.strerror or error)
        return {}
    return {_LENS: [{"filename": entry, "subfolder": _LENS, "type": "temp"}]}


def _keep(folder: Path, content: bytes, kind: str) -> str:
    """Write a file unless it is there; its name."""
    file = folder / f"{hashlib.blake2b(content, digest_size=12).hexdigest()}.{kind}"
    try:
        if file.exists():
            file.touch()
        else:
            file.write_bytes(content)
    except OSError:
        file.unlink(missing_ok=True)
        raise
    return file.name


def _drop_oldest(folder: Path, most_bytes: int) -> None:
    """Delete the files written or used longest ago until the rest takes no more than ``most_bytes``."""
    files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
    total = 0
    for file in files:
        total += file.stat().st_size
        if total > most_bytes:
            file.unlink(missing_ok=True)


def _write_png(image: Any, path: Path) -> None:
    """Write uint8 [H, W, 3]; nothing half written stays behind."""
    from PIL import Image

    try:
        Image.fromarray(image).save(path, compress_level=1)
    except OSError:
        path.unlink(missing_ok=True)
        raise
