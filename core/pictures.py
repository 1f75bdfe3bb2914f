"""Picture files: found in folders, and read to the same values whatever their kind, or refused with a clear error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch

from .errors import InputError
from .files import require_file, why
from .left_out import LeftOut

if TYPE_CHECKING:
    from PIL import Image

EXTENSIONS = frozenset(
    (
        *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
        *(".avif", ".heic", ".heif", ".tga", ".ppm", ".pgm", ".pnm"),
    )
)
"""Of picture files, in lower case. What this machine's Pillow can't read of them is refused by name, not skipped."""

Source = str | os.PathLike[str] | BinaryIO
_MOST_PIXELS = 178_956_970  # where Pillow by itself refuses; packs that lift that limit lift it for all
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_SIXTEEN_BITS = 65535
_BRIGHTEST_HIGHLIGHT = 2.0  # of a floating-point picture in 0..1; one in 0..255 would be black all over
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR = 258, 262, 284  # TIFF tags
_REMEDY = "mend, convert or remove it"


def find_images(folder: Path, left_out: list[LeftOut]) -> list[Path]:
    """Picture files of a folder and its sub-folders, in the order of their paths, by :data:`EXTENSIONS` in any case.

    Hidden files and folders, and those that macOS leaves in archives (``__MACOSX``), are no part of it. A sub-folder
    that can't be listed is added to ``left_out``.
    """

    def unlisted(error: OSError) -> None:
        left_out.append(LeftOut(str(error.filename), f"folder {error.filename!r} can't be listed ({why(error)})"))

    found = []
    for parent, folders, files in os.walk(folder, onerror=unlisted):
        folders[:] = [name for name in folders if not is_hidden(name)]
        found += [
            Path(parent, name)
            for name in files
            if os.path.splitext(name)[1].lower() in EXTENSIONS and not is_hidden(name)
        ]
    return sorted(found)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is the operating system's and not the user's."""
    return name.startswith(".") or name == "__MACOSX"


def read_image(source: Source, name: str | None = None, size: tuple[int, int] | None = None) -> torch.Tensor:
    """A picture file (or an open one), turned upright by its EXIF orientation; of an animated one the first frame.

    Values are the file's own share of white: 8 bits by 255, 16 by 65535, 12 by 4095. Pictures of 32 bits don't say what
    is white: floating-point ones are taken as 0..1 where none is above 2 (highlights above 1 are cut off), else, like
    whole numbers, as 0..255 or 0..65535, whichever holds them all. CMYK, YCbCr and CIELAB become RGB; other colour
    profiles are not applied, as ComfyUI and CLIP's own preprocessing don't. Transparency is kept
    (:func:`.explain.check_images` lays it over white).

    Args:
        name: what to call an open file in errors.
        size: (H, W) that an annotation gives the picture: one that has it only unturned is left unturned.

    Returns:
        ``[1, 3 or 4, H, W]`` in 0..1 (4: with alpha).

    Raises:
        InputError: no picture that Pillow can read, or a damaged one; or its values have no known white.
    """
    name = _name_of(source) if name is None else name
    with open_image(source, name) as opened:
        with _understood(name):
            image = _upright(opened)
            if size not in (None, (image.height, image.width)) and size == (opened.height, opened.width):
                image = opened
        pixels = _pixels(image, opened, name)
    return torch.from_numpy(pixels).movedim(-1, 0).unsqueeze(0)


@contextmanager
def open_image(source: Source, name: str | None = None) -> Iterator[Image.Image]:
    """A picture file, decoded and otherwise as it is stored: for masks, whose numbers and palette matter.

    Raises:
        InputError: see :func:`read_image`.
    """
    from PIL import Image

    name = _name_of(source) if name is None else name
    with _understood(name):
        if isinstance(source, str | os.PathLike):
            require_file(source)
        opened = Image.open(source)
    with opened:
        with _understood(name), _whole_files_only():
            if opened.width * opened.height > _MOST_PIXELS:
                raise ValueError(f"{opened.width} x {opened.height} pixels are more than {_MOST_PIXELS}")
            if _tag(opened, _PLANAR, 1) == 2 and _tag(opened, _BITS_PER_SAMPLE, (8,))[0] > 8:
                raise ValueError("its channels of 16 bits lie one after the other, which Pillow mixes up")
            opened.load()
        yield opened


@contextmanager
def _understood(name: str) -> Iterator[None]:
    """Whatever Pillow makes of a damaged file (of any class, from struct.error to KeyError) becomes one error."""
    try:
        yield
    except Exception as error:
        raise InputError(f"{name!r} can't be read as an image ({_reason(error)}); {_REMEDY}") from error


def _reason(error: Exception) -> str:
    """Without the address in memory that Pillow calls an open file by."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "empty, damaged, or of no kind that Pillow reads here"
    if isinstance(error, OSError):
        return why(error)
    return str(error) if isinstance(error, SyntaxError | ValueError) else f"damaged: {type(error).__name__}, {error}"


@contextmanager
def _whole_files_only() -> Iterator[None]:
    """Packs tell Pillow, for the whole process, to fill up truncated files with grey: not here."""
    from PIL import ImageFile

    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _name_of(source: Source) -> str:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else str(getattr(source, "name", "the picture"))


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF, beside a picture that is whole
        return image


def _pixels(image: Image.Image, opened: Image.Image, name: str) -> np.ndarray:
    """Values in 0..1 ``[H, W, 3 or 4]`` fp32. ``opened`` is the same picture with what its file says."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _deep_grey(image, opened, name)
    alpha = image.mode in _WITH_ALPHA or (image.mode in ("1", "L", "P", "RGB") and "transparency" in image.info)
    with _understood(name):
        if image.mode == "LAB":
            image = _from_lab(image)
        elif image.mode == "La":
            image = image.convert("LA")
        return np.asarray(image.convert("RGBA" if alpha else "RGB"), dtype=np.float32) / 255


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    changed = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    assert changed is not None  # None: changed in place, which was not asked for
    return changed


def _deep_grey(image: Image.Image, opened: Image.Image, name: str) -> np.ndarray:
    """Grey of more than 8 bits, which Pillow's own conversion would cut off at 255."""
    values = np.asarray(image).astype(np.float64)
    white = _white(values, opened)
    if white is None:
        raise InputError(
            f"{name!r} has values from {values.min():g} to {values.max():g}, for which white is not known; save it "
            "with 8 or 16 bits, or with values in 0..1"
        )
    shares = np.minimum(values / white, 1)
    if _tag(opened, _PHOTOMETRIC, 1) == 0:  # white is zero; Pillow heeds that up to 8 bits
        shares = 1 - shares
    transparent = opened.info.get("transparency")
    channels = [shares] * 3 + ([values != transparent] if isinstance(transparent, int) else [])
    return np.stack(channels, axis=-1).astype(np.float32)


def _white(values: np.ndarray, opened: Image.Image) -> float | None:
    """The value of white, see :func:`read_image`; None where it can't be told (NaN and negative values too)."""
    bits = _tag(opened, _BITS_PER_SAMPLE, (32,))[0]
    if opened.mode.startswith("I;16"):
        return 2**bits - 1 if bits < 16 else _SIXTEEN_BITS
    if opened.mode == "I" and opened.format in ("PNG", "PPM", "JPEG2000"):  # 16 bits, to older Pillows
        return _SIXTEEN_BITS
    if not values.min() >= 0:
        return None
    if opened.mode == "I" and bits == 16:  # with a sign
        return 2**15 - 1
    highest = values.max()
    if opened.mode == "F" and highest <= _BRIGHTEST_HIGHLIGHT:
        return 1.0
    return next((white for white in (255.0, float(_SIXTEEN_BITS)) if highest <= white), None)


def _tag(opened: Image.Image, number: int, default: Any) -> Any:
    """A TIFF file's own word on its values; the default for other files."""
    return getattr(opened, "tag_v2", {}).get(number, default)
