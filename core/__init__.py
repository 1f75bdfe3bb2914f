"""The library under the nodes: torch and open_clip only, no ComfyUI.

Submodules load on first use (``core.relevancy`` imports torch, ``core.checkpoints`` open_clip), so that
importing the pack stays cheap. Start reading at ``relevancy.py`` (the equations), ``explain.py`` (one image
and its prompts, end to end) and ``methods/`` (every map method, one file each).
"""

from __future__ import annotations

import importlib
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return importlib.import_module(f".{name}", __name__)
    except ModuleNotFoundError as error:
        if error.name == f"{__name__}.{name}":
            raise AttributeError(f"module {__name__!r} has no submodule {name!r}") from None
        raise
