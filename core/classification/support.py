"""The support set of few-shot learning: a few labelled images, as features."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..clip import ExplainableCLIP
from ..errors import InputError
from ..views import Fit
from .image_folder import list_images, read_view
from .zero_shot import IMAGES_PER_PASS, Report, encode_images


@dataclass(frozen=True)
class SupportSet:
    """N labelled images: class names, L2-normalised features ``[N, D]`` and class indices ``[N]``."""

    classes: tuple[str, ...]
    features: torch.Tensor
    labels: torch.Tensor


def parse_labels(text: str, count: int) -> list[str]:
    """Labels of ``count`` images, one a line or separated by commas, in the images' order.

    Raises:
        InputError: another number of labels than of images.
    """
    lines = text.splitlines() if len(text.splitlines()) > 1 else text.split(",")
    labels = [" ".join(line.split()) for line in lines if line.strip()]
    if len(labels) != count:
        raise InputError(f"labels: {len(labels)} for {count} images; write one label an image, one a line")
    return labels


def support_from_batch(
    clip: ExplainableCLIP, images: torch.Tensor, labels: Sequence[str], fit: Fit = "crop", report: Report | None = None
) -> SupportSet:
    """A batch ``[N, 1, 3 or 4, H, W]`` in 0..1 with one label an image; classes in order of appearance."""
    classes = tuple(dict.fromkeys(labels))
    index = torch.tensor([classes.index(label) for label in labels])
    return SupportSet(classes, encode_images(clip, images, fit, report=report), index)


def support_from_folder(
    clip: ExplainableCLIP, folder: str | os.PathLike[str], fit: Fit = "crop", report: Report | None = None
) -> SupportSet:
    """Images of any size in one sub-folder a class, whose names are the labels.

    Raises:
        InputError: see :func:`.image_folder.list_images` and :func:`.image_folder.read_image`.
    """
    found = list_images(folder)
    features: list[torch.Tensor] = []
    for start in range(0, len(found.paths), IMAGES_PER_PASS):
        views = [read_view(clip, path, fit) for path in found.paths[start : start + IMAGES_PER_PASS]]
        features.append(encode_images(clip, torch.cat(views)))
        if report is not None:
            report(start + len(views), len(found.paths))
    return SupportSet(found.classes, torch.cat(features), torch.tensor(found.labels))


def join_support(first: SupportSet, second: SupportSet) -> SupportSet:
    """Both sets as one; a class of the same name is the same class."""
    classes = tuple(dict.fromkeys((*first.classes, *second.classes)))
    renumber = torch.tensor([classes.index(name) for name in second.classes])
    return SupportSet(
        classes,
        torch.cat([first.features, second.features]),
        torch.cat([first.labels, renumber[second.labels]]),
    )
