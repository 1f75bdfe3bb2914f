"""Every kind of picture gives the values that it shows; every bad one the same clear error."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_explainability.core.classification import image_folder
from clip_explainability.core.datasets import annotated
from clip_explainability.core.eclip.image_captions import files_for_tower
from clip_explainability.core.errors import InputError
from clip_explainability.core.explain import check_images
from clip_explainability.core.pictures import find_images, read_image
from PIL import Image, ImageCms, ImageFile

RAMP = np.linspace(0, 1, 256)[None].repeat(4, axis=0)
DEEP = (RAMP * 65535).round().astype(np.uint16)
GREY = Image.fromarray((RAMP * 255).round().astype(np.uint8))
RGB = GREY.convert("RGB")
HALF = Image.new("L", GREY.size, 128)


def png(
    bits: int, colours: int, pixels: bytes, rows: int, more: bytes = b"", size: tuple[int, int] = (256, 4)
) -> bytes:
    """A PNG file of any kind, also those that Pillow doesn't write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    step = len(pixels) // rows if rows else 0
    lines = b"".join(b"\0" + pixels[i * step : (i + 1) * step] for i in range(rows))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + more + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def tiff(
    values: np.ndarray, bits: int, format_: int = 1, photometric: int = 1, planar: int = 1, order: str = "<"
) -> bytes:
    """A TIFF of raw grey (or, planar, RGB) values, also of those kinds that Pillow doesn't write."""
    height, width = values.shape[-2:]
    channels = 3 if values.ndim == 3 else 1
    if bits == 12:
        data = b"".join(bytes((a >> 4, (a & 15) << 4 | b >> 8, b & 255)) for a, b in values.reshape(-1, 2).tolist())
    else:
        data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    mark = b"II*\0" if order == "<" else b"MM\0*"
    plane = len(data) // channels
    offsets = [8 + plane * channel for channel in range(channels)]
    fields = [
        (256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * channels), (259, 3, [1]), (262, 3, [photometric]),
        (273, 4, offsets), (277, 3, [channels]), (278, 3, [height]), (279, 4, [plane] * channels), (284, 3, [planar]),
        (339, 3, [format_] * channels),
    ]  # fmt: skip
    start, extra, entries = 8 + len(data), b"", b""
    after = start + 2 + 12 * len(fields) + 4
    for tag, kind, numbers in fields:
        packed = struct.pack(f"{order}{len(numbers)}{'H' if kind == 3 else 'I'}", *numbers)
        if len(packed) > 4:
            packed, extra = struct.pack(f"{order}I", after + len(extra)), extra + packed
        entries += struct.pack(f"{order}HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
    directory = struct.pack(f"{order}H", len(fields)) + entries + bytes(4)
    return mark + struct.pack(f"{order}I", start) + data + directory + extra


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def lab() -> Image.Image:
    found = ImageCms.profileToProfile(
        RGB, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert found is not None
    return found


def with_colour_channels(*channels: np.ndarray) -> bytes:
    return np.stack(channels, axis=-1).astype(">u2").tobytes()


OPAQUE = {
    "grey": lambda: saved(GREY, "PNG"),
    "grey of 4 bits": lambda: png(4, 0, bytes((level << 4 | level) for level in range(16) for _ in range(8)) * 4, 4),
    "palette": lambda: saved(GREY.convert("P"), "PNG"),
    "gif": lambda: saved(GREY, "GIF"),
    "16 bits": lambda: saved(Image.fromarray(DEEP), "PNG"),
    "16 bits tiff": lambda: saved(Image.fromarray(DEEP), "TIFF"),
    "16 bits big-endian": lambda: tiff(DEEP, 16, order=">"),
    "16 bits, white is zero": lambda: tiff(65535 - DEEP, 16, photometric=0),
    "12 bits": lambda: tiff((RAMP * 4095).round().astype(np.uint16), 12),
    "16 bits with sign": lambda: tiff((RAMP * 32767).round().astype(np.int16), 16, format_=2),
    "32 bits to 65535": lambda: saved(Image.fromarray(DEEP.astype(np.int32)), "TIFF"),
    "32 bits to 255": lambda: saved(Image.fromarray(np.asarray(GREY).astype(np.int32)), "TIFF"),
    "fractions to 1": lambda: saved(Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
    "fractions to 255": lambda: saved(Image.fromarray((RAMP * 255).astype(np.float32)), "TIFF"),
    "fractions to 65535": lambda: saved(Image.fromarray((RAMP * 65535).astype(np.float32)), "TIFF"),
    "portable greymap of 16 bits": lambda: b"P5 256 4 65535\n" + DEEP.astype(">u2").tobytes(),
    "rgb of 16 bits": lambda: png(16, 2, with_colour_channels(DEEP, DEEP, DEEP), 4),
    "cmyk": lambda: saved(RGB.convert("CMYK"), "TIFF"),
    "cmyk as Adobe writes it": lambda: saved(RGB.convert("CMYK"), "JPEG", quality=100),
    "ycbcr": lambda: saved(RGB, "JPEG", quality=100),
    "lab": lambda: saved(lab(), "TIFF"),
    "rgbx": lambda: saved(RGB.convert("RGBX"), "TIFF"),
    "bmp": lambda: saved(RGB, "BMP"),
    "webp": lambda: saved(RGB, "WEBP", lossless=True),
}  # fmt: skip
HALF_TRANSPARENT = {
    "la": lambda: saved(Image.merge("LA", (GREY, HALF)), "PNG"),
    "la of 16 bits": lambda: png(16, 4, with_colour_channels(DEEP, np.full_like(DEEP, 32896)), 4),
    "rgba": lambda: saved(Image.merge("RGBA", (*RGB.split(), HALF)), "PNG"),
    "palette": lambda: saved(GREY.convert("P"), "PNG", transparency=bytes([128] * 256)),
    "webp": lambda: saved(Image.merge("RGBA", (*RGB.split(), HALF)), "WEBP", lossless=True, exact=True),
}


@pytest.mark.parametrize("kind", OPAQUE)
def test_a_ramp_from_black_to_white_is_that_in_every_kind(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "ramp.picture"
    path.write_bytes(OPAQUE[kind]())
    image = read_image(path)
    assert image.shape == (1, 3, 4, 256)
    tolerance = 0.06 if kind == "grey of 4 bits" else 0.012
    torch.testing.assert_close(image[0, 1].double(), torch.from_numpy(RAMP), atol=tolerance, rtol=0)
    assert torch.equal(annotated.read_image(path), image[0])  # the same in data sets
    assert torch.equal(read_image(io.BytesIO(path.read_bytes())), image)


@pytest.mark.parametrize("kind", HALF_TRANSPARENT)
def test_what_is_transparent_stays_so_and_lies_over_white(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "ramp.picture"
    path.write_bytes(HALF_TRANSPARENT[kind]())
    image = read_image(path)
    assert image.shape == (1, 4, 4, 256)
    torch.testing.assert_close(image[0, 3], torch.full((4, 256), 128 / 255))
    shown = check_images(image)[0]
    expected = torch.from_numpy(RAMP) * 128 / 255 + 127 / 255
    torch.testing.assert_close(shown[0].double(), expected, atol=0.005, rtol=0)
    assert torch.equal(annotated.read_image(path), shown)


@pytest.mark.parametrize("bits", [8, 16])
def test_one_value_may_stand_for_transparent(bits: int) -> None:
    pixels = DEEP.astype(">u2") if bits == 16 else np.asarray(GREY)
    value = int(pixels[0, 100])
    mark = struct.pack(">I4sH", 2, b"tRNS", value)
    more = mark + struct.pack(">I", zlib.crc32(mark[4:]))
    image = read_image(io.BytesIO(png(bits, 0, pixels.tobytes(), 4, more)))
    assert (image[0, 3] == 0).nonzero().tolist() == [[row, 100] for row in range(4)]


def test_black_and_white_is_black_and_white() -> None:
    image = read_image(io.BytesIO(saved(GREY.convert("1"), "PNG")))
    assert image.unique().tolist() == [0, 1]
    assert abs(float(image.mean()) - 0.5) < 0.01


def test_highlights_of_a_floating_point_picture_are_cut_off() -> None:
    bright = Image.fromarray((RAMP * 1.5).astype(np.float32))
    found = read_image(io.BytesIO(saved(bright, "TIFF")))[0, 0].numpy()
    np.testing.assert_allclose(found, np.minimum(RAMP * 1.5, 1), atol=1e-6)


def test_of_an_animated_picture_the_first_frame_is_read() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        file = io.BytesIO(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
        assert read_image(file).mean(dim=(0, 2, 3))[0] > 0.9, kind


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_upright_everywhere(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40)
    path = tmp_path / "turned.png"
    stored.save(path, exif=exif)
    expected = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: np.transpose,
        6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).T, 8: np.rot90,
    }[orientation](np.asarray(stored))  # fmt: skip
    assert (read_image(path)[0, 0] * 255).round().int().tolist() == expected.tolist()
    # A data set's annotation that fits only the unturned picture is one of the unturned picture.
    assert (annotated.read_image(path, (2, 3))[0] * 255).round().int().tolist() == (
        np.asarray(stored) if orientation > 4 else expected
    ).tolist()


def test_damaged_exif_spoils_no_picture() -> None:
    file = io.BytesIO(saved(RGB, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01broken"))
    assert read_image(file).shape == (1, 3, 4, 256)


PICTURE = saved(RGB, "PNG")
BAD = {
    "empty.png": b"",
    "text.png": b"I am no picture",
    "half.png": PICTURE[: len(PICTURE) // 2],
    "half.jpg": saved(Image.effect_noise((64, 64), 90), "JPEG")[:700],
    "half.tif": tiff(DEEP, 16)[:1000],
    "bomb.png": png(1, 0, b"", 0, size=(40000, 40000)),
    "fractions.tif": tiff(np.stack([RAMP] * 3).astype(np.float32), 32, format_=3, photometric=2, planar=2),
    "planes.tif": tiff(np.stack([DEEP] * 3), 16, photometric=2, planar=2),
    "negative.tif": saved(Image.fromarray((RAMP - 0.5).astype(np.float32)), "TIFF"),
    "nan.tif": saved(Image.fromarray((RAMP * np.nan).astype(np.float32)), "TIFF"),
    "beyond.tif": saved(Image.fromarray(DEEP.astype(np.int32) * 9), "TIFF"),
}


@pytest.mark.parametrize("name", [*BAD, "folder.png", "link.png", "nothing.png", "pipe.png"])
def test_a_bad_file_is_the_same_clear_error_to_every_reader(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name in BAD:
        path.write_bytes(BAD[name])
    elif name == "folder.png":
        path.mkdir()
    elif name == "link.png":
        path.symlink_to(tmp_path / "gone")
    elif name == "pipe.png":
        if not hasattr(os, "mkfifo"):
            pytest.skip("no pipes here")
        os.mkfifo(path)
    messages = set()
    for read in (
        image_folder.read_image,
        annotated.read_image,
        lambda path: list(files_for_tower((path,), (8, 8))),
    ):
        with pytest.raises(InputError) as error:
            read(path)
        messages.add(str(error.value))
    assert len(messages) == 1
    assert name in messages.pop()


def test_other_packs_settings_of_pillow_change_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    for name in ("half.png", "bomb.png"):
        with pytest.raises(InputError, match="can't be read as an image"):
            read_image(io.BytesIO(BAD[name]), name)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_an_open_file_is_called_by_its_name_not_by_its_address() -> None:
    with pytest.raises(InputError, match=r"^'a/b\.png' can't be read as an image") as error:
        read_image(io.BytesIO(b"no picture"), "a/b.png")
    assert "0x" not in str(error.value)


def test_folders_are_searched_for_the_users_pictures_alone(tmp_path: Path) -> None:
    for name in ("b/A.PNG", "c.jfif", "._c.jpg", ".cache/d.png", "__MACOSX/._c.jpg", "Thumbs.db", ".DS_Store", "e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "f.png").mkdir()
    (tmp_path / "f.png" / "g.jpg").write_bytes(b"")
    left_out: list = []
    found = find_images(tmp_path, left_out)
    assert [str(path.relative_to(tmp_path)) for path in found] == ["b/A.PNG", "c.jfif", "f.png/g.jpg"]
    assert left_out == []


def test_a_folder_that_can_t_be_listed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.png").write_bytes(b"")
    scan = os.scandir

    def locked(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", locked)
    left_out: list = []
    assert [path.name for path in find_images(tmp_path, left_out)] == ["a.png"]
    assert "locked" in left_out[0].reason
    assert "Permission denied" in left_out[0].reason
