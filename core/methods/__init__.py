"""Every map method, one file each; a method registers itself by being a :class:`MapMethod` in a module here.

To add one, add one file: a subclass with the paper's equation in its docstring. Nothing else needs to change; the
nodes and the tests iterate over :data:`METHODS`.
"""

from __future__ import annotations

import importlib
import pkgutil

from .base import MapMethod, MapOptions, PatchMaps

__all__ = ["METHODS", "MapMethod", "MapOptions", "PatchMaps", "find_method"]


def _discover() -> dict[str, MapMethod]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f".{name}", __name__) for name in names if name != "base"]
    found = [
        value()
        for module in modules
        for value in vars(module).values()
        # Not isinstance(value, type): in Python 3.10 that also holds for an alias such as list[str].
        if MapMethod in getattr(value, "__mro__", ()) and value is not MapMethod and value.__module__ == module.__name__
    ]
    return {method.name: method for method in sorted(found, key=lambda method: method.order)}


METHODS: dict[str, MapMethod] = _discover()


def find_method(name: str) -> MapMethod:
    """The method of that name.

    Raises:
        InputError: there is none.
    """
    from ..errors import InputError

    if name not in METHODS:
        raise InputError(f"method is {name!r}; choose one of: {', '.join(METHODS)}")
    return METHODS[name]
