"""Import the pack from this checkout under one fixed name, whatever its folder is called.

ComfyUI imports a custom node pack under its folder's name; tests, benchmarks and training scripts say
``import pack; pack.load()`` and then use ``clip_explainability.core`` and ``clip_explainability.nodes``.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

NAME = "clip_explainability"
ROOT = Path(__file__).resolve().parent.parent


def load() -> ModuleType:
    """Import the pack as ``clip_explainability`` (once) and return it."""
    if NAME in sys.modules:
        return sys.modules[NAME]
    spec = importlib.util.spec_from_file_location(NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module
