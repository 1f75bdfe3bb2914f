"""COCO instances, from the official folders and annotation file, and from what other tools export in that form."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import torch

from ..errors import InputError
from ..left_out import LeftOut
from ..text_files import plain_line, read_json
from .annotated import AnnotatedImage, AnnotatedImages, LabelledMask, LeaveOut, read_image, require
from .coco_masks import read_segmentation

LAYOUT = """coco/
  annotations/instances_val2017.json
  val2017/<000000000000>.jpg"""


@dataclass(frozen=True)
class _Entry:
    """An image as the annotation file lists it; size (H, W), None where the file doesn't say."""

    id: Any
    file_name: str
    size: tuple[int, int] | None


def read_coco(root: str | Path, split: str = "val2017") -> AnnotatedImages:
    """The images of a split that have annotations; instances of one class share a mask, crowds are not valid.

    Masks are to the pixel those of pycocotools. Annotations without a usable mask, image or category are left out, one
    by one; an image whose file is missing, damaged or of another size is left out with all of its annotations.

    Raises:
        InputError: a part of the layout is missing, or the annotation file is none.
    """
    root = Path(root)
    path = require(root / "annotations" / f"instances_{split}.json", "the annotation file", LAYOUT)
    content = read_json(path)
    for part in ("images", "annotations", "categories"):
        if not isinstance(content.get(part), list):
            raise InputError(f"{str(path)!r} has no list of {part}; give an instances file as COCO's own")
    left_out: list[LeftOut] = []

    def leave_out(name: str, reason: str) -> None:
        left_out.append(LeftOut(name, reason))

    labels = _labels(content["categories"], leave_out)
    listed = _entries(content["images"], leave_out)
    instances = _by_image(content["annotations"], {entry.id for entry in listed}, leave_out)
    entries = {f"{entry.file_name} (image {entry.id!r})": entry for entry in listed if entry.id in instances}

    def read(name: str, leave_out: LeaveOut) -> AnnotatedImage:
        entry = entries[name]
        image = read_image(_picture(root / split, entry.file_name), entry.size)
        return _annotated(entry, image, instances[entry.id], labels, leave_out)

    return AnnotatedImages(f"COCO {split} in {str(root)!r}", entries, read, left_out)


def _by_image(raw: list[Any], images: set[Any], leave_out: LeaveOut) -> dict[Any, list[tuple[str, dict[str, Any]]]]:
    """Annotations, each with what to call it, by the id of their image."""
    found: dict[Any, list[tuple[str, dict[str, Any]]]] = {}
    for number, annotation in enumerate(raw):
        known = isinstance(annotation, dict) and _is_key(annotation.get("id"))
        name = f"annotation {annotation['id']!r}" if known else f"annotation number {number}"
        if not isinstance(annotation, dict) or not _is_key(annotation.get("image_id")):
            leave_out(name, f"{name} says of no image that it belongs to it")
        elif annotation["image_id"] not in images:
            leave_out(name, f"{name} belongs to image {annotation['image_id']!r}, which is not listed or can't be used")
        else:
            found.setdefault(annotation["image_id"], []).append((name, annotation))
    return found


def _annotated(
    entry: _Entry,
    image: torch.Tensor,
    instances: list[tuple[str, dict[str, Any]]],
    labels: dict[Any, str],
    leave_out: LeaveOut,
) -> AnnotatedImage:
    size = (image.shape[1], image.shape[2])
    masks: dict[str, torch.Tensor] = {}
    valid = torch.ones(size, dtype=torch.bool)
    used = 0
    for name, raw in instances:

        def part(reason: str, name: str = name) -> None:
            leave_out(f"{name} of {entry.file_name}", f"{name} of {entry.file_name!r}: {reason}")

        crowd = raw.get("iscrowd") in (1, "1")
        key = raw.get("category_id")
        label = labels.get(key) if _is_key(key) else None
        if label is None and not crowd:
            part(f"its category is {key!r}, which is not listed, or not by one name")
            continue
        try:
            mask = torch.from_numpy(read_segmentation(raw.get("segmentation"), size, part))
        except InputError as error:
            part(str(error))
            continue
        used += 1
        if crowd:
            valid &= ~mask
        else:
            assert label is not None
            masks[label] = masks[label] | mask if label in masks else mask
    if not used:
        raise InputError(f"{entry.file_name!r} has no annotation that can be used")
    return AnnotatedImage(
        entry.file_name, image, tuple(LabelledMask(label, mask) for label, mask in masks.items()), valid
    )


def _is_key(value: Any) -> bool:
    """Whether this may be an id: nothing that JSON nests, and not null."""
    return isinstance(value, str | int | float)


def _labels(raw: list[Any], leave_out: LeaveOut) -> dict[Any, str]:
    """Names by id, without ids that have several."""
    names: dict[Any, set[str]] = defaultdict(set)
    for number, category in enumerate(raw):
        label = plain_line(category["name"]) if isinstance(category, dict) and _is_text(category.get("name")) else ""
        if not label or not _is_key(category.get("id")):
            leave_out(f"category number {number}", f"category number {number} has no id or no name: {_short(category)}")
        else:
            names[category["id"]].add(label)
    for key, several in names.items():
        if len(several) > 1:
            leave_out(f"category {key!r}", f"category {key!r} has several names: {', '.join(sorted(several))}")
    return {key: next(iter(several)) for key, several in names.items() if len(several) == 1}


def _entries(raw: list[Any], leave_out: LeaveOut) -> list[_Entry]:
    """The images that can be looked for; an id that two files share says of no annotation whose it is."""
    entries = []
    for number, image in enumerate(raw):
        try:
            entries.append(_entry(image))
        except InputError as error:
            leave_out(f"image number {number}", f"image number {number} {error}")
    entries = list(dict.fromkeys(entries))
    shared = Counter(entry.id for entry in entries)
    for entry in entries:
        if shared[entry.id] > 1:
            leave_out(entry.file_name, f"{entry.file_name!r} shares its id {entry.id!r} with another image")
    return [entry for entry in entries if shared[entry.id] == 1]


def _entry(raw: Any) -> _Entry:
    if not isinstance(raw, dict) or not _is_key(raw.get("id")) or not _is_text(raw.get("file_name")):
        raise InputError(f"has no id or no file_name: {_short(raw)}")
    height, width = raw.get("height"), raw.get("width")
    if height is None and width is None:
        return _Entry(raw["id"], raw["file_name"], None)
    if not _is_side(height) or not _is_side(width):
        raise InputError(f"({raw['file_name']!r}) has no usable height and width: {height!r}, {width!r}")
    return _Entry(raw["id"], raw["file_name"], (int(height), int(width)))


def _is_side(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and 1 <= value < 1e9 and value == int(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _short(value: Any) -> str:
    return repr(value)[:100]


def _picture(folder: Path, file_name: str) -> Path:
    """The file by its name, which some tools write with Windows' separators or with the split's folder in front."""
    name = file_name.replace("\\", "/")
    choices = [folder / file_name, folder / name, folder / name.rpartition("/")[2]]
    found = next((path for path in choices if os.path.isfile(path)), None)
    return require(folder / file_name, "an annotated image", LAYOUT) if found is None else found
