"""Pascal VOC 2012 segmentation, from its own folder layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .. import pictures
from ..errors import InputError
from ..text_files import plain_lines, read_text
from .annotated import AnnotatedImage, AnnotatedImages, LabelledMask, LeaveOut, find_picture, read_image, require

LAYOUT = """VOC2012/
  ImageSets/Segmentation/val.txt    one image name a line
  JPEGImages/<name>.jpg
  SegmentationClass/<name>.png      palette index or colour = class, 255 = border"""

# "person" and so on: indices 1..20 of the palette, in the words of a prompt.
CLASSES = (
    "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dining table", "dog",
    "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train", "television",
)  # fmt: skip
_BORDER = 255
_KNOWN = np.array([*range(len(CLASSES) + 1), _BORDER])


def read_voc(root: str | Path, split: str = "val") -> AnnotatedImages:
    """The images of a split (the folder may be ``VOC2012`` or one that holds it, as in ``VOCdevkit``).

    Masks may hold the classes' numbers, in a palette picture or a grey one, or VOC's colours. A picture or mask that is
    missing or damaged, a mask of another size than its picture, and one with numbers or colours of no class are left
    out.

    Raises:
        InputError: a part of the layout is missing.
    """
    root = Path(root)
    root = root / "VOC2012" if (root / "VOC2012").is_dir() else root
    listed = require(root / "ImageSets" / "Segmentation" / f"{split}.txt", "the list of the split", LAYOUT)
    names = dict.fromkeys(plain_lines(read_text(listed)))

    def read(name: str, _: LeaveOut) -> AnnotatedImage:
        path = require(root / "SegmentationClass" / f"{name}.png", "a mask of the split", LAYOUT)
        labels = torch.from_numpy(_read_labels(path))
        image = read_image(find_picture(root / "JPEGImages", name, LAYOUT), (labels.shape[0], labels.shape[1]))
        present = [index for index in labels.unique().tolist() if 1 <= index <= len(CLASSES)]
        objects = tuple(LabelledMask(CLASSES[index - 1], labels == index) for index in present)
        return AnnotatedImage(name, image, objects, labels != _BORDER)

    return AnnotatedImages(f"VOC {split} in {str(root)!r}", names, read)


def _read_labels(path: Path) -> np.ndarray:
    """Class numbers ``[H, W]`` of a mask: by its colours if they are VOC's, else by its numbers."""
    with pictures.open_image(path) as picture:
        if picture.mode == "1":
            raise InputError(f"mask {str(path)!r} is black and white: it can't say which class is where")
        deep = picture.mode == "F" or picture.mode.startswith("I")
        grey = deep or picture.mode in ("L", "LA", "P", "PA")
        numbers = np.array(picture if grey else picture.convert("RGB")).astype(np.int64)
        numbers = numbers[..., 0] if numbers.ndim == 3 else numbers
        colours = None if deep else np.array(picture.convert("RGB")).astype(np.int64)
    classes = None if colours is None else _by_colour(colours, numbers if grey else None)
    if classes is None and colours is not None and (colours != colours[..., :1]).any() and not grey:
        raise InputError(
            f"mask {str(path)!r} has colours that are none of VOC's, such as {_strange(colours)}; save it as PNG with "
            "VOC's palette"
        )
    classes = numbers if classes is None else classes
    unknown = np.setdiff1d(classes, _KNOWN)
    if len(unknown):
        raise InputError(
            f"mask {str(path)!r} has the number {unknown[0]}, which is no class; VOC has 0 (background) to "
            f"{len(CLASSES)} and {_BORDER} (border)"
        )
    if _BORDER in classes and not ((classes >= 1) & (classes < _BORDER)).any():
        raise InputError(f"mask {str(path)!r} has no class, only 0 and {_BORDER}: it is black and white")
    return classes


def _by_colour(colours: np.ndarray, numbers: np.ndarray | None) -> np.ndarray | None:
    """Classes of colours ``[H, W, 3]``; None where one is not VOC's, or where ``numbers`` tell more apart."""
    codes, index = np.unique(_codes(colours), return_inverse=True)
    classes = _colours()
    if not all(code in classes for code in codes.tolist()):
        return None
    if numbers is not None and len(np.unique(numbers)) != len(codes):
        return None
    return np.array([classes[code] for code in codes.tolist()])[index].reshape(colours.shape[:2])


def _strange(colours: np.ndarray) -> tuple[int, int, int]:
    code = next(code for code in np.unique(_codes(colours)).tolist() if code not in _colours())
    return code >> 16, code >> 8 & 255, code & 255


def _codes(colours: np.ndarray) -> np.ndarray:
    return colours @ (65536, 256, 1)


def _colours() -> dict[int, int]:
    """Class by VOC's colour 0xRRGGBB: the bits of the number, lowest first, are the highest of R, G, B, R, G, B, ..."""
    found = {0xFFFFFF: _BORDER}
    for number in _KNOWN.tolist():
        colour = [sum((number >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3)) for channel in range(3)]
        found[colour[0] << 16 | colour[1] << 8 | colour[2]] = number
    return found
