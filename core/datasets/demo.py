"""The demo world as an endless data set."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..demo.art import TEST_VENDOR
from ..demo.scenes import draw_scene
from .annotated import AnnotatedImage, LabelledMask

_SMALLEST_SHARE = 0.004  # of the picture: an object that another one covers almost wholly can't be asked for


def read_demo(
    scenes: int, vendor: str = TEST_VENDOR, size: int = 192, seed: int = 0, clutter: float = 0.0
) -> Iterator[AnnotatedImage]:
    """Yield scenes of two or three different objects drawn by one vendor; the default's art was never trained on.

    Several objects, so that a map has to find the right one and not just anything.
    """
    for index in range(scenes):
        scene = draw_scene(seed * 1_000_003 + index, size, n_objects=2 + index % 2, vendor=vendor, clutter=clutter)
        objects = tuple(
            LabelledMask(found.label, torch.from_numpy(found.mask))
            for found in scene.objects
            if found.mask.mean() >= _SMALLEST_SHARE
        )
        image = torch.from_numpy(scene.image).movedim(-1, 0)
        yield AnnotatedImage(f"{vendor}-{seed}-{index}", image, objects, torch.ones(size, size, dtype=torch.bool))
