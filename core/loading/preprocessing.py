"""How a CLIP wants its pixels: what the files beside it say, else what its family was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import text_files
from ..clip import OPENAI_MEAN, OPENAI_STD, Interpolation
from ..errors import InputError

_HALF = (0.5, 0.5, 0.5)
_BILINEAR = 2  # Pillow's number for it, as Hugging Face's files have it


@dataclass(frozen=True)
class Preprocessing:
    """Mean and standard deviation per RGB channel, for pixels in 0..1, and how pictures are resized."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Interpolation = "bicubic"


def read_preprocessing(section: dict[str, Any], folder: Path, is_siglip: bool, hugging_face: bool) -> Preprocessing:
    """Preprocessing of a checkpoint.

    Args:
        section: ``preprocess_cfg`` of open_clip's configuration, may be empty.
        folder: where ``preprocessor_config.json`` may lie, which is read for Hugging Face's format.
        is_siglip: SigLIP models were trained on pixels in -1..1.

    Raises:
        ValueError, TypeError: a file that says something else than three numbers for each.
        InputError: a file that can't be read.
    """
    default = Preprocessing(_HALF, _HALF) if is_siglip else Preprocessing(OPENAI_MEAN, OPENAI_STD)
    if section or not hugging_face:
        mean, std = section.get("mean", default.mean), section.get("std", default.std)
        bilinear = section.get("interpolation") == "bilinear"
        return Preprocessing(_three(mean), _three(std), "bilinear" if bilinear else "bicubic")
    content = read_json(folder / "preprocessor_config.json")
    if not content:  # transformers 5 keeps it in the processor's file
        content = (read_json(folder / "processor_config.json") or {}).get("image_processor") or {}
    if not content:
        return default
    mean, std = content.get("image_mean") or default.mean, content.get("image_std") or default.std
    if not content.get("do_normalize", True):
        mean, std = (0.0,) * 3, (1.0,) * 3
    # The file speaks of bytes times a factor; we of bytes / 255.
    factor = 255.0 * float(content.get("rescale_factor", 1 / 255)) if content.get("do_rescale", True) else 255.0
    resample = content.get("resample", 3)
    return Preprocessing(_three(mean, factor), _three(std, factor), "bilinear" if resample == _BILINEAR else "bicubic")


def _three(values: Any, factor: float = 1.0) -> tuple[float, float, float]:
    if len(values) != 3:
        raise ValueError(f"mean and std should be three numbers each, and one is {values}")
    first, second, third = (float(value) / factor for value in values)
    return first, second, third


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file that may be absent (then empty).

    Raises:
        InputError: it can't be read, or is no object.
    """
    try:
        return text_files.read_json(path) if path.is_file() else {}
    except InputError as error:
        raise InputError(f"configuration {error}") from error
