"""The pack's own library for the scripts here, imported from the checkout whatever its folder is called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import pack

pack.load()


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{pack.NAME}.core.{name}")


art, backgrounds, captions, scenes = (_module(f"demo.{name}") for name in ("art", "backgrounds", "captions", "scenes"))
clip = _module("demo.clip")
core = SimpleNamespace(explain=_module("explain"), views=_module("views"), options=_module("methods.base").MapOptions)
