"""A scene of the demo world with its objects' boxes."""

from __future__ import annotations

import torch
from clip_explainability.core.boxes.constraint import Constraints, from_box
from clip_explainability.core.demo.scenes import draw_scene

_SIDE = 96


def two_objects(seed: int, swapped: bool = False) -> tuple[torch.Tensor, str, Constraints]:
    """The image ``[1, 3, H, W]``, a prompt of both, and their boxes, or each with the other's box."""
    scene = draw_scene(seed, _SIDE, n_objects=2)
    labels = [each.label for each in scene.objects]
    boxes = [
        (x0 / _SIDE, y0 / _SIDE, x1 / _SIDE, y1 / _SIDE) for x0, y0, x1, y1 in (each.box for each in scene.objects)
    ]
    if swapped:
        boxes.reverse()
    constraints = tuple(
        from_box(label, box, _SIDE, _SIDE, prompt=f"a photo of a {label}")
        for label, box in zip(labels, boxes, strict=True)
    )
    return torch.from_numpy(scene.image).permute(2, 0, 1).unsqueeze(0), " and ".join(labels), constraints
