"""Fonts that can show a text: the one matplotlib ships, or one of the system's for scripts it lacks."""

from __future__ import annotations

import functools
import os

from PIL import ImageFont

_FAMILIES_FOR_OTHER_SCRIPTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
    "Noto Sans",
    "Symbola",
)


def font_for(text: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of ``size`` pixels that has glyphs for all of ``text`` where the machine has one."""
    default = _default_path()
    if set(text) <= _characters(default) | {"\n"}:
        return _load(default, size)
    missing = {path: len(set(text) - _characters(path)) for path in (default, *_system_paths())}
    return _load(min(missing, key=lambda path: missing[path]), size)


@functools.cache
def _load(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@functools.cache
def _default_path() -> str:
    import matplotlib

    return os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


@functools.cache
def _system_paths() -> tuple[str, ...]:
    from matplotlib import font_manager

    paths = []
    for family in _FAMILIES_FOR_OTHER_SCRIPTS:
        try:
            paths.append(font_manager.findfont(family, fallback_to_default=False))
        except ValueError:  # not installed
            continue
    return tuple(paths)


@functools.cache
def _characters(path: str) -> frozenset[str]:
    from fontTools.ttLib import TTFont

    with TTFont(path, fontNumber=0, lazy=True) as font:
        return frozenset(map(chr, font.getBestCmap() or {}))
