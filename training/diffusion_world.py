"""The small world of the demo diffusion model: sixteen classes by one vendor, one or two objects, plain skies.

Simple enough that a model of a few million parameters draws it well after an hour of one CPU core.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from library import art, captions
from PIL import Image

CLASSES = (
    "frog", "strawberry", "pineapple", "crab", "watermelon", "burger", "sunflower", "panda",
    "car", "cactus", "mushroom", "donut", "butterfly", "carrot", "owl", "pizza",
)  # fmt: skip
VENDOR = "noto"
SIDE = 96
CELLS = 24
UNDECIDED = -100
SHARES = {1: (0.4, 0.56), 2: (0.33, 0.46)}
"""Objects in a scene -> range of their longer side, as a share of the image's."""

_ONE = ("{0}", "a {0}", "a photo of a {0}", "a picture of a {0}")
_TWO = ("a photo of a {0} and a {1}", "a {0} and a {1}", "a {0} next to a {1}", "a picture of a {0} and a {1}")


@dataclass(frozen=True)
class SceneSet:
    """A batch of scenes.

    Attributes:
        images: float32 [B, 3, 96, 96] in 0..1.
        labels: for each scene the indices into CLASSES of its objects, from back to front.
        boxes: for each scene float32 [k, 4], x0 y0 x1 y1 of its objects in 0..1.
        covered: int64 [B, 24, 24], the class that covers each cell of 4 x 4 pixels, len(CLASSES) for background,
            -100 at the rims of objects.
        captions: one for each scene; four in ten of those of two objects name one of them only, as the web does.
    """

    images: torch.Tensor
    labels: list[tuple[int, ...]]
    boxes: list[np.ndarray]
    covered: torch.Tensor
    captions: list[str]


def caption(rng: np.random.Generator, names: list[str]) -> str:
    """A caption that names these classes in any order."""
    templates = _TWO if len(names) == 2 else _ONE
    named = [names[i] for i in rng.permutation(len(names))]
    return captions.fill(templates[rng.integers(len(templates))], *named)


class ScenePainter:
    """Paints scenes; the same seed and the same calls give the same ones."""

    def __init__(self, seed: int, two: float = 0.65, partial: float = 0.4) -> None:
        """`two`: share of scenes with two objects; `partial`: share of these whose caption names only one."""
        self.rng = np.random.default_rng(seed)
        self.two, self.partial = two, partial
        drawings = art.load_art(VENDOR)
        self.sprites = [self._premultiplied(drawings[name][0]) for name in CLASSES]

    @staticmethod
    def _premultiplied(svg: str) -> list[Image.Image]:
        rgba = art.rasterise(svg, SIDE).astype(np.float32) / 255
        rgba[..., :3] *= rgba[..., 3:]
        return [Image.fromarray(np.ascontiguousarray(rgba[..., c])) for c in range(4)]

    def _background(self) -> np.ndarray:
        """One pale colour, or two that run into each other from top to bottom."""
        rng = self.rng
        ends = rng.uniform(0.75, 1.0) - rng.uniform(0, 0.35, (2, 3))
        if rng.random() < 0.5:
            ends[1] = ends[0]
        ramp = np.linspace(0, 1, SIDE)[:, None, None]
        return np.broadcast_to(ends[0] * (1 - ramp) + ends[1] * ramp, (SIDE, SIDE, 3)).clip(0, 1).astype(np.float32)

    def _scene(self, labels: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = self.rng
        shares = rng.uniform(*SHARES[len(labels)], len(labels))
        for _ in range(50):
            centres = np.stack([rng.uniform(0.5 * s + 0.01, 0.99 - 0.5 * s, 2) for s in shares])
            if len(labels) == 1 or np.abs(centres[0] - centres[1]).max() > 0.5 * shares.sum():
                break
        image = self._background().copy()
        covered = np.full((CELLS, CELLS), len(CLASSES))
        boxes = []
        for label, share, (x, y) in zip(labels, shares, centres, strict=True):
            layers = self.sprites[label]
            zoom = share * SIDE / max(layers[0].size)
            size = (max(1, round(layers[0].width * zoom)), max(1, round(layers[0].height * zoom)))
            sprite = np.stack([np.asarray(p.resize(size, Image.Resampling.BOX)) for p in layers], -1).clip(0, 1)
            left = int(np.clip(round(x * SIDE - size[0] / 2), 0, SIDE - size[0]))
            top = int(np.clip(round(y * SIDE - size[1] / 2), 0, SIDE - size[1]))
            part = np.s_[top : top + size[1], left : left + size[0]]
            image[part] = image[part] * (1 - sprite[..., 3:]) + sprite[..., :3]
            cover = np.zeros((SIDE, SIDE), np.float32)
            cover[part] = sprite[..., 3]
            step = SIDE // CELLS
            filled = cover.reshape(CELLS, step, CELLS, step).mean((1, 3))
            covered[filled > 0.1] = UNDECIDED
            covered[filled > 0.5] = label
            boxes.append([left, top, left + size[0], top + size[1]])
        return image, np.array(boxes, np.float32) / SIDE, covered

    def batch(self, size: int) -> SceneSet:
        """Paint `size` scenes."""
        rng = self.rng
        labels = [tuple(rng.permutation(len(CLASSES))[: 2 if rng.random() < self.two else 1].tolist())
                  for _ in range(size)]  # fmt: skip
        scenes = [self._scene(these) for these in labels]
        told = []
        for these in labels:
            names = [CLASSES[c] for c in these]
            if len(names) == 2 and rng.random() < self.partial:
                names = [names[rng.integers(2)]]
            told.append(caption(rng, names))
        return SceneSet(
            torch.from_numpy(np.stack([image for image, _, _ in scenes])).permute(0, 3, 1, 2).contiguous(),
            labels,
            [boxes for _, boxes, _ in scenes],
            torch.from_numpy(np.stack([covered for _, _, covered in scenes])),
            told,
        )
