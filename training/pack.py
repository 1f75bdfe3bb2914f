"""The pack's demo library, importable from a checkout folder of any name."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent


def _package(name: str, folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_loader(name, loader=None, is_package=True)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__path__ = [str(folder)]
    sys.modules[name] = module
    return module


# Bare packages stand in for the pack and its core, so that no node (and no ComfyUI) is imported.
_package("clip_explainability", ROOT)
_package("clip_explainability.core", ROOT / "core")
art = importlib.import_module("clip_explainability.core.demo.art")
backgrounds = importlib.import_module("clip_explainability.core.demo.backgrounds")
captions = importlib.import_module("clip_explainability.core.demo.captions")
