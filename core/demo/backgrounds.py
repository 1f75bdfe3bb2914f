"""Backgrounds of the demo world, drawn at any size from a few numbers."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np

Painter = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]

PLACES: dict[str, tuple[str, ...]] = {
    "plain": (),
    "gradient": (),
    "stripes": (),
    "dots": (),
    "paper": (),
    "field": ("in the garden", "in a field", "on the farm"),
    "sea": ("at the beach", "in the sea"),
    "night": ("at night", "in the sky"),
    "room": ("in the kitchen", "in my room"),
    "city": ("on the street", "in the city"),
}
"""Background kind -> the places captions may name for it."""

KINDS = tuple(PLACES)

HUES = {"red": 0.0, "orange": 0.08, "yellow": 0.15, "green": 0.35, "blue": 0.6, "purple": 0.77, "pink": 0.9}
"""Colour words for backgrounds and tints -> hue in turns."""


def colour(rng: np.random.Generator, hue: float | None = None, light: tuple[float, float] = (0.5, 1.0),
           vivid: tuple[float, float] = (0.1, 0.6)) -> np.ndarray:  # fmt: skip
    """A random colour, float32 [3] in 0..1: HSV with the value in `light` and the saturation in `vivid`."""
    hue = rng.random() if hue is None else hue + rng.normal(0, 0.015)
    return np.array(colorsys.hsv_to_rgb(hue % 1, rng.uniform(*vivid), rng.uniform(*light)), np.float32)


def _ramp(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return low + np.clip(value, 0, 1)[..., None] * (high - low)


def _waves(rng: np.random.Generator, x: np.ndarray, count: int = 3, frequency: float = 6.0) -> np.ndarray:
    """A smooth random curve over x, about -1..1."""
    terms = [
        np.sin(x * rng.uniform(1, frequency) + rng.uniform(0, 2 * np.pi)) * rng.uniform(0.3, 1) for _ in range(count)
    ]
    return np.sum(terms, axis=0) / count


def _edge(distance: np.ndarray) -> np.ndarray:
    """1 where `distance` is positive, with an edge about two pixels soft."""
    soft = 2.0 / max(distance.shape)
    return np.clip(distance / soft + 0.5, 0, 1)


def _plain(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.broadcast_to(colour(rng, light=(0.35, 1.0), vivid=(0.0, 0.7)), (*np.broadcast(y, x).shape, 3)).copy()


def _gradient(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    along = 0.5 + 0.7 * ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle))
    return _ramp(along, colour(rng, light=(0.3, 1.0)), colour(rng))


def _stripes(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    angle, period = rng.choice([0.0, 0.5, 0.25, 0.75]) * np.pi, rng.uniform(0.08, 0.3)
    along = (x * np.cos(angle) + y * np.sin(angle)) / period
    base = colour(rng, light=(0.6, 1.0))
    other = np.clip(base + rng.uniform(0.06, 0.2) * rng.choice([-1, 1]), 0, 1).astype(np.float32)
    return _ramp(_edge((np.abs(along % 2 - 1) - 0.5) * period), base, other)


def _dots(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    period = rng.uniform(0.1, 0.25)
    row = np.floor(y / period)
    dx, dy = (x / period + 0.5 * (row % 2)) % 1 - 0.5, y / period % 1 - 0.5
    base = colour(rng, light=(0.6, 1.0))
    return _ramp(_edge((rng.uniform(0.15, 0.3) - np.hypot(dx, dy)) * period), base, colour(rng, light=(0.6, 1.0)))


def _paper(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    warped = x + 0.15 * _waves(rng, y * 3)
    blot = 0.5 + 0.5 * _waves(rng, warped * 6 + y * 3, 4) * _waves(rng, y * 6 - x * 2, 4)
    return _ramp(blot, colour(rng, light=(0.4, 1.0)), colour(rng, light=(0.7, 1.0)))


def _sky(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    hue = rng.choice([0.55, 0.58, 0.6, 0.08, 0.92], p=[0.3, 0.3, 0.2, 0.1, 0.1])
    top, low = colour(rng, hue, (0.75, 0.95), (0.3, 0.6)), colour(rng, hue, (0.92, 1.0), (0.05, 0.2))
    return _ramp(y * 1.4 + 0 * x, top, low)


def _field(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    image, horizon = _sky(rng, y, x), rng.uniform(0.4, 0.65)
    for depth in range(3):
        hill = horizon + 0.12 * depth + rng.uniform(0.02, 0.06) * _waves(rng, x * 1.2)
        near = colour(rng, rng.uniform(0.22, 0.38), (0.75 - 0.1 * depth, 0.9 - 0.1 * depth), (0.4, 0.65))
        image = _ramp(_edge(y - hill), image, near * (1.08 - 0.15 * y[..., None]))
    return image


def _sea(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    image, horizon = _sky(rng, y, x), rng.uniform(0.3, 0.6)
    water = colour(rng, rng.uniform(0.5, 0.6), (0.65, 0.9), (0.45, 0.75))
    image = _ramp(_edge(y - horizon), image, water * (1.1 - 0.2 * y[..., None]))
    for line in rng.uniform(horizon + 0.03, 1.0, 4):
        crest = line + 0.008 * _waves(rng, x * 20)
        image = _ramp(0.35 * _edge(0.006 - np.abs(y - crest)), image, np.ones(3, np.float32))
    if rng.random() < 0.6:
        shore = rng.uniform(0.72, 0.9) + 0.03 * _waves(rng, x * 2)
        image = _ramp(_edge(y - shore), image, colour(rng, rng.uniform(0.1, 0.13), (0.9, 1.0), (0.2, 0.4)))
    return image


def _night(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    hue = rng.uniform(0.6, 0.75)
    image = _ramp(y + 0 * x, colour(rng, hue, (0.1, 0.25), (0.5, 0.9)), colour(rng, hue, (0.25, 0.5), (0.4, 0.8)))
    for _ in range(int(rng.integers(10, 30))):
        spot = np.hypot(x - rng.random(), y - rng.random())
        image = _ramp(rng.uniform(0.4, 0.9) * _edge(rng.uniform(0.002, 0.006) - spot), image, np.ones(3, np.float32))
    return image


def _room(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    wall, floor = colour(rng, light=(0.7, 0.98), vivid=(0.05, 0.4)), colour(rng, 0.08, (0.5, 0.85), (0.25, 0.6))
    line = rng.uniform(0.6, 0.8)
    tiles = 0.04 * (np.floor(x * rng.integers(4, 9)) + np.floor(y * 12)) % 2
    image = _ramp(_edge(y - line), np.broadcast_to(wall, (*y.shape, 3)), floor - tiles[..., None] * 0.6)
    return _ramp(_edge(0.012 - np.abs(y - line)), image, np.clip(wall + 0.1, 0, 1).astype(np.float32))


def _city(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    image, street = _sky(rng, y, x), rng.uniform(0.68, 0.82)
    left = -rng.uniform(0, 0.1)
    tint = colour(rng, light=(0.55, 0.8), vivid=(0.05, 0.3))
    while left < 1:
        width, top = rng.uniform(0.08, 0.2), rng.uniform(0.2, 0.55)
        inside = _edge(np.minimum(np.minimum(x - left, left + width - x), y - top))
        image = _ramp(inside, image, np.clip(tint * rng.uniform(0.85, 1.15), 0, 1).astype(np.float32))
        u, v = (x - left) / width * 3 % 1 - 0.5, (y - top) * 14 % 1 - 0.5
        window = _edge(np.minimum(0.22 - np.abs(u), 0.2 - np.abs(v)) / 14) * (inside > 0.99)
        image = _ramp(0.6 * window, image, np.array([1, 0.95, 0.75], np.float32))
        left += width + rng.uniform(-0.01, 0.03)
    image = _ramp(_edge(y - street), image, colour(rng, light=(0.35, 0.6), vivid=(0.0, 0.1)))
    dash = np.minimum(0.012 - np.abs(y - (street + 1) / 2), 0.25 - np.abs(x * 5 % 1 - 0.5))
    return _ramp(0.8 * _edge(dash), image, np.ones(3, np.float32))


_PAINTERS: dict[str, Painter] = {
    "plain": _plain, "gradient": _gradient, "stripes": _stripes, "dots": _dots, "paper": _paper,
    "field": _field, "sea": _sea, "night": _night, "room": _room, "city": _city,
}  # fmt: skip


def _add_clutter(
    rng: np.random.Generator, image: np.ndarray, y: np.ndarray, x: np.ndarray, amount: float
) -> np.ndarray:
    """Scatter plain shapes: discs, bars, rings and triangles of the kind that may be taken for objects."""
    for _ in range(round(amount * rng.uniform(6, 18))):
        cx, cy, size, angle = rng.random(), rng.random(), rng.uniform(0.02, 0.09), rng.uniform(0, np.pi)
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        radius = np.hypot(u, v)
        distances = (
            size - radius,
            np.minimum(size - np.abs(u), 0.2 * size - np.abs(v)),
            0.2 * size - np.abs(radius - size),
            np.minimum(size * 0.6 - v, 0.5 * (v + size) - np.abs(u)),
        )
        shape = _edge(distances[rng.integers(4)])
        image = _ramp(rng.uniform(0.5, 1.0) * shape, image, colour(rng, light=(0.2, 1.0), vivid=(0.1, 0.9)))
    return image


def draw_background(
    rng: np.random.Generator, height: int, width: int, kind: str = "plain", clutter: float = 0.0
) -> np.ndarray:
    """Paint a background of one of `KINDS`, with `clutter` from 0 (none) to 1 (busy) of plain shapes on it.

    Returns:
        float32 array [height, width, 3] in 0..1.
    """
    if kind not in _PAINTERS:
        raise ValueError(f"Unknown background {kind!r}; there are {', '.join(KINDS)}.")
    y = np.repeat((np.arange(height, dtype=np.float32)[:, None] + 0.5) / height, width, axis=1)
    x = np.repeat((np.arange(width, dtype=np.float32)[None] + 0.5) / width, height, axis=0)
    image = _add_clutter(rng, _PAINTERS[kind](rng, y, x), y, x, clutter)
    return np.clip(image, 0, 1).astype(np.float32)
