"""The only place that touches ComfyUI: folders, devices and memory, progress, interrupts, previews.

Every import of the host happens inside a function, so that the nodes can be imported and run without a ComfyUI:
there are then no model folders, no previews and no progress bar. Works alike on the PyPI host of June 2024 and on
current ComfyUI.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_PREVIEW_SIZE = 512  # longest side, pixels

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
    """Full path of a listed model file, or None where the host knows none by that name."""
    return _folder_paths().get_full_path(folder, name)


def model_folder(folder: str = CLIP_FOLDER) -> str:
    """The first folder the host keeps such models in: where a new file is written."""
    return _folder_paths().get_folder_paths(folder)[0]


def input_path(name: str) -> Path:
    """A file or folder that a user named: absolute, or inside the host's input folder."""
    return Path(_folder_paths().get_input_directory(), name) if running() else Path(name)


def compute_device() -> torch.device:
    """Device that the host computes on (the CPU outside a host)."""
    if not running():
        import torch

        return torch.device("cpu")
    from comfy import model_management

    return model_management.get_torch_device()


def offload_device() -> torch.device:
    """Device on which the host keeps text encoders that are not in use."""
    from comfy import model_management

    return model_management.text_encoder_offload_device()


def intermediate_device() -> torch.device:
    """Device for what travels between nodes."""
    from comfy import model_management

    return model_management.intermediate_device()


def wrap_model(model: torch.nn.Module, load_device: torch.device, offload: torch.device) -> Any:
    """Give a module to the host's memory management (a ModelPatcher); None outside a host."""
    if not running():
        return None
    from comfy.model_patcher import ModelPatcher

    return ModelPatcher(model, load_device=load_device, offload_device=offload)


def load_models(patchers: list[Any], extra_bytes: int = 0) -> None:
    """Have the host bring these models to their device, freeing others and ``extra_bytes`` where it must."""
    import torch
    from comfy import model_management

    # Weights that the host moves under inference mode become inference tensors, which autograd refuses.
    with torch.inference_mode(False):
        model_management.load_models_gpu(patchers, memory_required=extra_bytes)


def require_memory(wanted_bytes: int, what: str) -> None:
    """Raise an InputError before the work if ``what`` needs more main memory than the machine has left."""
    if not running():
        return
    import psutil  # type: ignore[import-untyped]

    from ..core.errors import InputError

    available = psutil.virtual_memory().available
    if wanted_bytes > available:
        raise InputError(
            f"{what} needs about {wanted_bytes / 2**30:.1f} GB of memory and {available / 2**30:.1f} GB are free; "
            "use fewer prompts, a smaller batch or smaller images"
        )


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
    from comfy import model_management

    return isinstance(error, model_management.InterruptProcessingException)


def nothing(empty: Any) -> Any:
    """What stands on an output that has nothing to give: nodes after it don't run.

    Hosts before August 2024 can't say so: there it is ``empty``, which must be an empty batch.
    """
    try:
        from comfy_execution.graph_utils import ExecutionBlocker
    except ImportError:
        return empty
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
    from comfy.utils import ProgressBar  # type: ignore[import-not-found]

    bar = ProgressBar(max(total, 1))

    def report(done: int, total: int | None = None, draw: Callable[[], Any] | None = None) -> None:
        check_interrupt()
        preview = None if draw is None else ("JPEG", draw(), _PREVIEW_SIZE)
        bar.update_absolute(done, total, preview)

    yield report


def preview_images(images: torch.Tensor, key: str = "images", prefix: str = "clip_explainability") -> dict[str, Any]:
    """Write IMAGE [B, H, W, 3] as temporary PNGs and return the ``ui`` part that shows them on the node."""
    if not running():
        return {}
    import uuid

    from PIL import Image

    folder = _folder_paths().get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    entries = []
    for index, image in enumerate((images.clamp(0, 1) * 255).round().byte().cpu().numpy()):
        name = f"{prefix}_{uuid.uuid4().hex[:12]}_{index:03}.png"
        Image.fromarray(image).save(os.path.join(folder, name), compress_level=1)
        entries.append({"filename": name, "subfolder": "", "type": "temp"})
    return {key: entries}
