"""Several scenes of the same objects, as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from .art import class_names
from .captions import PLAIN_TEMPLATE, fill
from .scenes import draw_scene

_MOST_OBJECTS = 6


@dataclass(frozen=True)
class SceneBatch:
    """B scenes that show the same K objects, or one of them each.

    Attributes:
        images: ``[B, H, W, 3]`` in 0..1.
        masks: ``[K, B, H, W]``, 1 where the object is seen; ``[1, B, H, W]`` where each scene shows one.
        prompts: K plain prompts.
        captions: B captions as the web writes them.
    """

    images: torch.Tensor
    masks: torch.Tensor
    prompts: tuple[str, ...]
    captions: tuple[str, ...]


def draw_batch(
    objects: list[str],
    random_objects: int,
    size: tuple[int, int],
    scenes: int,
    clutter: float,
    seed: int,
    apart: bool = False,
) -> SceneBatch:
    """Draw ``scenes`` scenes of ``objects`` (or, where that is empty, of ``random_objects`` random classes).

    Args:
        apart: draw each object alone, in ``scenes`` scenes of its own: all of the first object, then the second.

    Raises:
        InputError: an unknown class, or more than 6 objects in a scene.
    """
    unknown = [name for name in objects if name not in class_names()]
    if unknown:
        raise InputError(f"objects names {unknown[0]!r}, which can't be drawn; known are: {', '.join(class_names())}")
    if len(objects) > _MOST_OBJECTS and not apart:
        raise InputError(f"objects names {len(objects)} objects; at most {_MOST_OBJECTS} fit into a scene")
    rng = np.random.default_rng(seed)
    names = objects or [str(name) for name in rng.choice(class_names(), random_objects, replace=False)]
    shown = [[name] for name in names] if apart else [names]
    drawn = [draw_scene(rng, size, classes=group, clutter=clutter) for group in shown for _ in range(scenes)]
    masks = [[torch.from_numpy(scene.objects[k].mask) for scene in drawn] for k in range(len(shown[0]))]
    return SceneBatch(
        images=torch.from_numpy(np.stack([scene.image for scene in drawn]).astype(np.float32)),
        masks=torch.stack([torch.stack(row) for row in masks]).float(),
        prompts=tuple(fill(PLAIN_TEMPLATE, name) for name in names),
        captions=tuple(scene.web_caption for scene in drawn),
    )
