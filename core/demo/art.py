"""The vector art of the demo world: shipped icon drawings, rasterised at any size."""

from __future__ import annotations

import gzip
import io
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

ASSETS = Path(__file__).resolve().parent / "assets"

TEST_VENDOR = "fluent-emoji-flat"
"""Icon set whose drawings the demo CLIP never saw in training."""


def vendors() -> tuple[str, ...]:
    """Names of the icon sets shipped with the pack, sorted."""
    return tuple(sorted(p.name[4 : -len(".json.gz")].replace("_", "-") for p in ASSETS.glob("art_*.json.gz")))


@lru_cache(maxsize=8)
def load_art(vendor: str = TEST_VENDOR) -> dict[str, tuple[str, ...]]:
    """Class name -> SVG documents drawn by `vendor`, one of `vendors()`."""
    path = ASSETS / f"art_{vendor.replace('-', '_')}.json.gz"
    if not path.is_file():
        raise ValueError(f"No art by {vendor!r} is shipped; there is art by {', '.join(vendors())}.")
    art: dict[str, list[str]] = json.loads(gzip.decompress(path.read_bytes()))
    return {label: tuple(drawings) for label, drawings in art.items()}


@lru_cache(maxsize=1)
def class_names() -> tuple[str, ...]:
    """The object classes of the demo world, in a fixed order."""
    return tuple(load_art(TEST_VENDOR))


@lru_cache(maxsize=512)
def rasterise(svg: str, size: int) -> np.ndarray:
    """Draw an SVG document so that its longer side has `size` pixels, cropped to what is drawn.

    Returns:
        uint8 array [H, W, 4], straight (not premultiplied) RGBA; H or W equals `size` or is one or two
        pixels short of it. Read-only, as it is cached.
    """
    import resvg_py

    def draw(pixels: int) -> Image.Image:
        png = resvg_py.svg_to_bytes(svg_string=svg, width=pixels, height=pixels, skip_system_fonts=True)
        return Image.open(io.BytesIO(bytes(png))).convert("RGBA")

    def extent(picture: Image.Image) -> tuple[int, int, int, int]:
        return picture.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox() or (0, 0, *picture.size)

    probe = draw(64)
    left, top, right, bottom = extent(probe)
    picture = draw(max(1, round(size * 64 / max(right - left, bottom - top))))
    cropped = np.asarray(picture.crop(extent(picture)).copy())
    cropped.setflags(write=False)
    return cropped
