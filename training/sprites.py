"""Sprites for fast scene generation: every drawing rasterised once, small, in one array."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from art_table import COLOUR_VENDORS, EMOJI_VENDORS, ICON_NAMES, MONOCHROME_VENDORS, TEST_VENDOR, VALIDATION_VENDOR
from library import art
from PIL import Image, ImageDraw

CACHE = Path(__file__).resolve().parent / ".cache"
SIDE = 72
"""Pixels of a square sprite. Objects are at most about 60 of 96 pixels when trained on."""

GROUPS = {"emoji": EMOJI_VENDORS, "colour": COLOUR_VENDORS, "mono": MONOCHROME_VENDORS}


@dataclass(frozen=True)
class Sprites:
    """pixels: uint8 [N, SIDE, SIDE, 5] premultiplied RGBA and the filled silhouette; the rest int arrays [N].

    `classes` are indices into `labels`; `vendors` into `vendor_names`; `mono` marks one-colour art to tint.
    """

    pixels: np.ndarray
    classes: np.ndarray
    vendors: np.ndarray
    mono: np.ndarray
    labels: tuple[str, ...]
    vendor_names: tuple[str, ...]


def square(rgba: np.ndarray) -> np.ndarray:
    """Centre straight RGBA [H, W, 4] on a premultiplied square of SIDE pixels, with a two-pixel margin."""
    picture = Image.fromarray(rgba)
    picture.thumbnail((SIDE - 4, SIDE - 4), Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (SIDE, SIDE))
    canvas.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2))
    out = np.asarray(canvas).astype(np.uint16)
    outside = Image.fromarray(((out[..., 3] > 40) * 255).astype(np.uint8)).copy()
    ImageDraw.floodfill(outside, (0, 0), 128)
    silhouette = (np.asarray(outside) != 128) * np.uint16(255)
    layers = [out[..., :3] * out[..., 3:] // 255, out[..., 3:], np.maximum(silhouette, out[..., 3])[..., None]]
    return np.concatenate(layers, -1).astype(np.uint8)


def build() -> Sprites:
    """Rasterise all fetched art, or load it from the cache."""
    path = CACHE / "sprites.npz"
    labels = tuple(ICON_NAMES)
    vendor_names = tuple(v for group in GROUPS.values() for v in group)
    if not path.exists():
        pixels, classes, vendors = [], [], []
        for index, vendor in enumerate(vendor_names):
            drawings = json.loads((CACHE / "art" / f"{vendor}.json").read_text())["art"]
            for label, documents in drawings.items():
                for svg in documents:
                    pixels.append(square(art.rasterise.__wrapped__(svg, SIDE - 4)))
                    classes.append(labels.index(label))
                    vendors.append(index)
        np.savez(path, pixels=np.stack(pixels), classes=np.array(classes), vendors=np.array(vendors))
    stored = np.load(path)
    mono = np.isin(stored["vendors"], [vendor_names.index(v) for v in MONOCHROME_VENDORS])
    return Sprites(stored["pixels"], stored["classes"], stored["vendors"], mono, labels, vendor_names)


def sampling_weights(sprites: Sprites, group_shares: dict[str, float]) -> np.ndarray:
    """Probability [C, N] of each sprite given its class: by group, then evenly by vendor and by drawing.

    The test and the validation vendor get none.
    """
    weights = np.zeros((len(sprites.labels), len(sprites.classes)))
    for share_name, share in group_shares.items():
        members = [
            sprites.vendor_names.index(v) for v in GROUPS[share_name] if v not in (TEST_VENDOR, VALIDATION_VENDOR)
        ]
        for label in range(len(sprites.labels)):
            of_class = [np.flatnonzero((sprites.classes == label) & (sprites.vendors == v)) for v in members]
            present = [ids for ids in of_class if len(ids)]
            for ids in present:
                weights[label, ids] += share / len(present) / len(ids)
    return weights / weights.sum(1, keepdims=True)
