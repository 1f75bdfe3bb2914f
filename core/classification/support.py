"""The support set of few-shot learning: a few labelled images, as features."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..clip import ExplainableCLIP
from ..errors import InputError
from ..left_out import LeftOut, nothing_left, warn
from ..text_files import plain_lines
from ..views import Fit
from .image_folder import list_images, read_view
from .zero_shot import IMAGES_PER_PASS, Report, encode_images


@dataclass(frozen=True)
class SupportSet:
    """N labelled images: class names, L2-normalised features ``[N, D]`` and class indices ``[N]``; and what was left
    out of the folder that they are from."""

    classes: tuple[str, ...]
    features: torch.Tensor
    labels: torch.Tensor
    left_out: tuple[LeftOut, ...] = ()


def parse_labels(text: str, count: int) -> list[str]:
    """Labels of ``count`` images, one a line or separated by commas, in the images' order.

    Raises:
        InputError: another number of labels than of images.
    """
    lines = plain_lines(text)
    labels = lines if len(lines) > 1 else plain_lines(text.replace(",", "\n"))
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

    Images that can't be read are left out, and so are classes without any other.

    Raises:
        InputError: see :func:`.image_folder.list_images`; or no image can be read.
    """
    found = list_images(folder)
    left_out = list(found.left_out)
    features: list[torch.Tensor] = []
    labels: list[int] = []
    for start in range(0, len(found.paths), IMAGES_PER_PASS):
        views = []
        for path, label in zip(found.paths[start:][:IMAGES_PER_PASS], found.labels[start:], strict=False):
            try:
                views.append(read_view(clip, path, fit))
                labels.append(label)
            except InputError as error:
                left_out.append(LeftOut(str(path.relative_to(folder)), str(error)))
        if views:
            features.append(encode_images(clip, torch.cat(views)))
        if report is not None:
            report(min(start + IMAGES_PER_PASS, len(found.paths)), len(found.paths))
    if not features:
        raise nothing_left(f"folder {str(folder)!r}", left_out)
    warn(f"folder {str(folder)!r}", left_out)
    used = sorted(set(labels))
    return SupportSet(
        tuple(found.classes[label] for label in used),
        torch.cat(features),
        torch.tensor([used.index(label) for label in labels]),
        tuple(left_out),
    )


def join_support(first: SupportSet, second: SupportSet) -> SupportSet:
    """Both sets as one; a class of the same name is the same class."""
    classes = tuple(dict.fromkeys((*first.classes, *second.classes)))
    renumber = torch.tensor([classes.index(name) for name in second.classes])
    return SupportSet(
        classes,
        torch.cat([first.features, second.features]),
        torch.cat([first.labels, renumber[second.labels]]),
        first.left_out + second.left_out,
    )
