"""Spatial constraints from every source: drawn boxes, boxes of a detector, masks of any shape, other constraints."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from ..errors import InputError
from . import geometry
from .constraint import SpatialConstraint, from_box, from_mask
from .editor_state import PALETTE, DrawnBox, clean_label, repeated_labels
from .geometry import Box

PLACEHOLDER = "{}"


def gather(
    drawn: Sequence[DrawnBox],
    height: int,
    width: int,
    *,
    template: str = PLACEHOLDER,
    detected: Sequence[tuple[str, Box]] = (),
    masks: Sequence[Tensor] = (),
    labels: Sequence[str] = (),
    chained: Sequence[SpatialConstraint] = (),
) -> tuple[SpatialConstraint, ...]:
    """All objects in one order: chained constraints, drawn boxes, detected boxes, masks.

    Args:
        drawn: the editor's boxes.
        height, width: size of the masks.
        template: what CLIP is told of an object, ``{}`` standing for its label.
        detected: from ``read_detected``; a label of its own may be empty.
        masks: each [h, w]. Without ``labels`` (and detected boxes) they are the shapes of the drawn boxes, in order.
        labels: one for each detected box without a label of its own or, where there are as many as objects, for
            each detected box; then one for each mask.
        chained: constraints made elsewhere, brought to this size.

    Raises:
        InputError: labels, boxes and masks don't match in number, or a mask is empty.
    """
    if PLACEHOLDER not in template:
        raise InputError(
            f'template is "{template}"; it needs {PLACEHOLDER} where the label goes, as in "a photo of {{}}"'
        )

    def prompt(label: str) -> str:
        return template.replace(PLACEHOLDER, label)

    found = [_at_size(constraint, height, width) for constraint in chained]
    shapes_of_drawn = list(masks) if masks and not labels and not detected and drawn else []
    if shapes_of_drawn and len(shapes_of_drawn) != len(drawn):
        raise InputError(
            f"masks has {len(shapes_of_drawn)} masks for {len(drawn)} drawn boxes; give each box one mask, or connect "
            "labels (one for each mask) to use the masks as objects of their own"
        )
    for index, box in enumerate(drawn):
        if shapes_of_drawn:
            shape = geometry.resize_mask(_filled(shapes_of_drawn[index], index), height, width)
            found.append(from_mask(box.label, shape, prompt=prompt(box.label), weight=box.weight, color=box.color))
        else:
            made = from_box(
                box.label, box.box, height, width, prompt=prompt(box.label), weight=box.weight, color=box.color
            )
            found.append(made)
    free_masks = [] if shapes_of_drawn else list(masks)
    names = _names([label for label, _ in detected], len(free_masks), [clean_label(label) for label in labels])
    for name, (_, place) in zip(names, detected, strict=False):
        found.append(from_box(name, place, height, width, prompt=prompt(name), color=_next_color(found)))
    for index, (name, mask) in enumerate(zip(names[len(detected) :], free_masks, strict=True)):
        shape = geometry.resize_mask(_filled(mask, index), height, width)
        found.append(from_mask(name, shape, prompt=prompt(name), color=_next_color(found)))
    return tuple(found)


def read_detected(value: object, height: int, width: int, frame: int = 0) -> list[tuple[str, Box]]:
    """The host's BOUNDING_BOX in any of its forms: one box, a list, or a list for each frame.

    Boxes are cut at the picture's edge, since detectors overshoot it.

    Returns:
        ``(label, box)`` each; the label is the detector's own, or empty.

    Raises:
        InputError: a box is unreadable, outside the picture or without area; or there is no such frame.
    """
    raw: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    if raw and all(isinstance(each, list | tuple) for each in raw):
        if not 0 <= frame < len(raw):
            raise InputError(f"frame is {frame}, but bboxes has boxes of {len(raw)} frames; use 0 to {len(raw) - 1}")
        raw = list(raw[frame])
    return [_read_pixel_box(each, place, height, width) for place, each in enumerate(raw, start=1)]


def warnings(constraints: Iterable[SpatialConstraint]) -> list[str]:
    """What is allowed but probably not meant."""
    again = repeated_labels([constraint.label for constraint in constraints])
    return [f'"{label}" is the label of more than one object; each is constrained on its own' for label in again]


def _at_size(constraint: SpatialConstraint, height: int, width: int) -> SpatialConstraint:
    mask = constraint.mask_at(height, width)
    return SpatialConstraint(
        constraint.label, constraint.prompt, mask, constraint.box, constraint.weight, constraint.color
    )


def _names(detected: Sequence[str], masks: int, labels: Sequence[str]) -> list[str]:
    """A label for each detected box and each mask."""
    blank = labels.index("") + 1 if "" in labels else 0
    if blank:
        raise InputError(f"labels: label {blank} is empty; write what the object is")
    if len(labels) == len(detected) + masks:
        return list(labels)
    unnamed = sum(not label for label in detected)
    if len(labels) == unnamed + masks:
        rest = iter(labels)
        return [label or next(rest) for label in detected] + list(rest)
    objects = f"{len(detected)} boxes in bboxes" if detected else ""
    objects += (" and " if detected and masks else "") + (f"{masks} masks" if masks else "")
    raise InputError(
        f"labels has {len(labels)} labels for {objects or 'neither bboxes nor masks'}; give one for each, a line each, "
        "boxes first"
    )


def _filled(mask: Tensor, index: int) -> Tensor:
    if not bool((mask.nan_to_num(0.0) > 0).any()):
        raise InputError(f"masks: mask {index + 1} is empty, so its object has no place; paint it or leave it out")
    return mask


def _next_color(found: Sequence[SpatialConstraint]) -> str:
    used = [constraint.color for constraint in found]
    return min(PALETTE, key=used.count)


def _read_pixel_box(raw: object, place: int, height: int, width: int) -> tuple[str, Box]:
    if not isinstance(raw, dict):
        raise InputError(
            f"bboxes: box {place} is {type(raw).__name__}; expected x, y, width and height in pixels (BOUNDING_BOX)"
        )
    x, y, box_width, box_height = (_number(raw, key, place) for key in ("x", "y", "width", "height"))
    whole = geometry.from_pixels(x, y, box_width, box_height, height, width)
    inside = geometry.intersection(whole, geometry.WHOLE)
    if box_width <= 0 or box_height <= 0:
        raise InputError(f"bboxes: box {place} has no area; found {str(raw)[:80]}")
    if geometry.area(inside) <= 0:
        raise InputError(f"bboxes: box {place} lies outside the {width} x {height} picture; found {str(raw)[:80]}")
    label = raw.get("label")
    return clean_label(label) if isinstance(label, str) else "", inside


def _number(raw: dict[Any, Any], key: str, place: int) -> float:
    try:
        value = float(raw[key])
    except (KeyError, TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f'bboxes: box {place} has no usable "{key}"; found {str(raw)[:80]}')
    return value
