"""Submodules as attributes, imported on first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType


def lazy_submodules(package: str) -> Callable[[str], ModuleType]:
    """A module-level ``__getattr__`` (PEP 562) for a package: ``package.name`` imports ``package/name.py``."""

    def load(name: str) -> ModuleType:
        full_name = f"{package}.{name}"
        try:
            if not name.startswith("_"):
                return importlib.import_module(full_name)
        except ModuleNotFoundError as error:
            if error.name != full_name:
                raise
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
