"""Scenes of the demo world: one to three pictograms on a background, with their boxes and masks.

Scenes are drawn from vector art, so one seed gives the same scene, finer or coarser, at every size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .art import TEST_VENDOR, class_names, load_art, rasterise
from .backgrounds import KINDS, draw_background
from .captions import HABITAT_OF, SceneFacts, fill, write_caption

SHARES = {1: (0.4, 0.62), 2: (0.28, 0.46), 3: (0.24, 0.38)}
"""Objects in a scene -> range of their longer side, as a share of the image's shorter side."""


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene.

    Attributes:
        label: its class, one of `class_names()`.
        box: (x0, y0, x1, y1) in pixels, the smallest that holds the mask; x1 and y1 are exclusive.
        mask: bool [H, W], where the object is seen (not where another one covers it).
    """

    label: str
    box: tuple[int, int, int, int]
    mask: np.ndarray


@dataclass(frozen=True)
class Scene:
    """A drawn scene.

    Attributes:
        image: float32 [H, W, 3] in 0..1.
        objects: from back to front.
        background: one of `backgrounds.KINDS`.
        caption: names every object plainly ("a photo of a dog and a car").
        web_caption: as captions on the web are: it may leave objects out and tell what isn't there.
    """

    image: np.ndarray
    objects: tuple[SceneObject, ...]
    background: str
    caption: str
    web_caption: str


def plain_caption(labels: Sequence[str]) -> str:
    """`("dog", "owl")` -> `a photo of a dog and an owl`."""
    things = [fill("a {}", label) for label in labels]
    listed = things[0] if len(things) == 1 else ", ".join(things[:-1]) + " and " + things[-1]
    return f"a photo of {listed}"


def _place(rng: np.random.Generator, shares: Sequence[float], aspect: float) -> list[tuple[float, float]]:
    """Centres (x, y), in units of the shorter side, for squares of these sides that keep apart if they can."""
    width, height = max(aspect, 1.0), max(1 / aspect, 1.0)
    best: list[tuple[float, float]] = []
    best_gap = -np.inf
    for _ in range(60):
        centres = [
            (float(rng.uniform(0.54 * s, width - 0.54 * s)), float(rng.uniform(0.54 * s, height - 0.54 * s)))
            for s in shares
        ]
        gaps = [
            max(abs(a[0] - b[0]), abs(a[1] - b[1])) - 0.52 * (s + t)
            for i, (a, s) in enumerate(zip(centres, shares, strict=True))
            for b, t in zip(centres[:i], shares[:i], strict=True)
        ]
        gap = min(gaps, default=1.0)
        if gap > best_gap:
            best, best_gap = centres, gap
        if gap > 0:
            break
    return best


def _sprite(svg: str, side: int, turn: float, flip: bool) -> np.ndarray:
    """The drawing with a longer side of about `side` pixels, turned by `turn` degrees: float [h, w, 4] in 0..1."""
    picture = Image.fromarray(rasterise(svg, max(side, 1)))
    if flip:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    # Pillow rotates straight alpha wrongly at the edges: rotate colour and cover premultiplied.
    rgba = np.asarray(picture).astype(np.float32) / 255
    rgba[..., :3] *= rgba[..., 3:]
    layers = [Image.fromarray(rgba[..., c]).rotate(turn, Image.Resampling.BICUBIC, expand=True) for c in range(4)]
    return np.clip(np.stack([np.asarray(layer) for layer in layers], -1), 0, 1)


def _region(box: tuple[int, int], shape: tuple[int, int], size: tuple[int, int]) -> tuple[tuple, tuple]:
    """Slices of a canvas and of a sprite of `shape` whose top left corner lies at `box` (y, x) on it."""
    canvas, sprite = [], []
    for start, length, limit in zip(box, shape, size, strict=True):
        low, high = max(start, 0), max(min(start + length, limit), 0)
        canvas.append(slice(low, high))
        sprite.append(slice(low - start, max(high - start, low - start)))
    return tuple(canvas), tuple(sprite)


def draw_scene(
    seed: int | np.random.Generator,
    size: int | tuple[int, int] = 512,
    classes: Sequence[str] | None = None,
    n_objects: int | None = None,
    vendor: str = TEST_VENDOR,
    background: str | None = None,
    clutter: float = 0.0,
) -> Scene:
    """Draw a scene; the same arguments always give the same one.

    Args:
        seed: a seed, or a generator to go on with.
        size: pixels of a square image, or (height, width). Any size from 1.
        classes: what to draw, from back to front; random classes without it.
        n_objects: how many random classes to draw (1 to 3; random without it). Not together with `classes`.
        vendor: whose art, one of `art.vendors()`. The demo CLIP never saw the default's.
        background: one of `backgrounds.KINDS`; without it random, often where such objects are found.
        clutter: 0 (tidy) to 1 (busy) of plain shapes on the background.
    """
    rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)
    height, width = (size, size) if isinstance(size, int) else size
    art = load_art(vendor)
    if classes is None:
        count = int(rng.integers(1, 4)) if n_objects is None else n_objects
        labels = [str(label) for label in rng.choice(class_names(), count, replace=False)]
    else:
        labels = list(classes)
    unknown = [label for label in labels if label not in art]
    if unknown or not labels:
        raise ValueError(f"No art by {vendor} of {unknown or 'nothing'}; the classes are {', '.join(art)}.")

    kind = background
    at_home = rng.random() < 0.6
    anywhere = KINDS[rng.integers(len(KINDS))]
    if kind is None:
        kind = HABITAT_OF[labels[0]] if at_home else anywhere
    scenery = np.random.default_rng(rng.integers(2**63))
    low, high = SHARES[min(len(labels), 3)]
    squeeze = (3 / max(len(labels), 3)) ** 0.5
    shares = [float(s) * squeeze for s in rng.uniform(low, high, len(labels))]
    centres = _place(rng, shares, width / height)
    drawings = [art[label][rng.integers(len(art[label]))] for label in labels]
    turns, flips = rng.uniform(-12, 12, len(labels)), rng.random(len(labels)) < 0.5
    facts = SceneFacts(tuple(labels), kind)
    web_caption = write_caption(rng, facts)[0]

    image = draw_background(scenery, height, width, kind, clutter)
    unit = min(height, width)
    covers: list[np.ndarray] = []
    for svg, share, (x, y), turn, flip in zip(drawings, shares, centres, turns, flips, strict=True):
        sprite = _sprite(svg, round(share * unit), float(turn), bool(flip))
        corner = (round(y * unit - sprite.shape[0] / 2), round(x * unit - sprite.shape[1] / 2))
        canvas, part = _region(corner, sprite.shape[:2], (height, width))
        image[canvas] = image[canvas] * (1 - sprite[part][..., 3:]) + sprite[part][..., :3]
        cover = np.zeros((height, width), bool)
        cover[canvas] = sprite[part][..., 3] > 0.5
        covers = [seen & ~cover for seen in covers] + [cover]
    objects = tuple(SceneObject(label, mask_box(mask), mask) for label, mask in zip(labels, covers, strict=True))
    return Scene(np.clip(image, 0, 1), objects, kind, plain_caption(labels), web_caption)


def mask_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """The smallest (x0, y0, x1, y1), ends exclusive, around a bool mask [H, W]; all zeros for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return (0, 0, 0, 0)
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
