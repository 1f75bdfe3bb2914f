"""What every data set yields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..errors import InputError


@dataclass(frozen=True)
class LabelledMask:
    """One class of an image: its name as a prompt would say it, and where it is, bool ``[H, W]``."""

    label: str
    mask: torch.Tensor


@dataclass(frozen=True)
class AnnotatedImage:
    """An image and the true masks of what it shows.

    Attributes:
        name: of the file or scene.
        image: ``[3, H, W]`` in 0..1.
        objects: one entry for every class in the image.
        valid: bool ``[H, W]``: pixels that were annotated at all.
    """

    name: str
    image: torch.Tensor
    objects: tuple[LabelledMask, ...]
    valid: torch.Tensor


def read_image(path: Path) -> torch.Tensor:
    """A picture file as RGB ``[3, H, W]`` in 0..1."""
    with Image.open(path) as picture:
        return torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32) / 255).movedim(-1, 0)


def require(path: Path, what: str, layout: str) -> Path:
    """The path, or an :class:`InputError` that shows the expected layout where nothing is there."""
    if not path.exists():
        raise InputError(f"{what} is missing: {path} does not exist. Expected layout:\n{layout}")
    return path
