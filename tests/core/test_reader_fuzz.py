"""Damaged and nonsensical files: every reader gives values or an InputError, never another error.

``FUZZ_CASES=20000`` runs so many cases of each kind instead of a few.
"""

from __future__ import annotations

import io
import json
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_explainability.core.classification.classes import parse_classes
from clip_explainability.core.datasets.coco import read_coco
from clip_explainability.core.datasets.voc import read_voc
from clip_explainability.core.eclip.image_captions import list_captioned_images
from clip_explainability.core.errors import InputError
from clip_explainability.core.pictures import read_image
from clip_explainability.core.shards import pictures_of
from clip_explainability.core.text_files import read_text
from PIL import Image

CASES = int(os.environ.get("FUZZ_CASES", "80"))
ODD: list[Any] = [None, True, 0, -1, 2.5, 1e308, float("nan"), float("inf"), 10**30, "", "dog", "\ud800", "0o3P", "é\0"]


KINDS = [
    *((mode, "PNG") for mode in ("RGB", "P", "L", "RGBA", "I;16")),
    *((mode, "TIFF") for mode in ("RGB", "F", "I", "I;16", "CMYK")),
    *(("RGB", kind) for kind in ("JPEG", "GIF", "WEBP", "BMP", "TGA", "PPM")),
    ("CMYK", "JPEG"),
]


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, put in, taken out, or the end cut off."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if changed:
            place = rng.randrange(rng.choice((len(changed), min(len(changed), 120))))
            length = rng.randrange(1, 9)
            match rng.randrange(4):
                case 0 | 1:
                    changed[place] = rng.choice((0, 1, 255, rng.randrange(256)))
                case 2:
                    del changed[place : rng.choice((place + length, len(changed)))]
                case 3:
                    changed[place:place] = rng.randbytes(length)
    return bytes(changed)


def nonsense(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    if depth > 2 or rng.random() < 0.4:
        return rng.choice(ODD)
    if rng.random() < 0.6:
        return [rng.choice((rng.randrange(20), nonsense(rng, depth + 1))) for _ in range(rng.randrange(5))]
    return {name: nonsense(rng, depth + 1) for name in rng.sample(("id", "size", "counts", "name", "image_id"), 2)}


def picture(rng: random.Random, folder: Path) -> None:
    mode, kind = rng.choice(KINDS)
    data = io.BytesIO()
    noise = np.random.default_rng(rng.randrange(9)).integers(0, 256, (6, 8, 4), dtype=np.uint8)
    image = Image.fromarray(noise[..., 0].astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(noise)
    image = image if mode == "I;16" else image.convert("RGB").convert("L" if mode in "FI" else mode).convert(mode)
    image.save(data, kind)
    found = read_image(io.BytesIO(damaged(data.getvalue(), rng)), "x")
    assert found.min() >= 0
    assert found.max() <= 1


def coco(rng: random.Random, folder: Path) -> None:
    def maybe(value: Any) -> Any:
        return value if rng.random() < 0.97 else nonsense(rng)

    def segmentation() -> Any:
        match rng.randrange(4):
            case 0 | 1:
                lengths = [rng.choice((0, 2, 5, 6, 8, 20)) for _ in range(rng.randrange(3))]
                return [[rng.uniform(-3, 12) for _ in range(length)] for length in lengths]
            case 2:
                runs = [rng.randrange(30) for _ in range(rng.randrange(6))]
                text = "".join(chr(rng.randrange(40, 120)) for _ in range(rng.randrange(12)))
                return {"size": rng.choice(([6, 8], [8, 6], nonsense(rng))), "counts": rng.choice((runs, text))}
        return nonsense(rng)

    def annotation(number: int) -> Any:
        found = {"id": number, "image_id": rng.choice((1, 2)), "category_id": rng.choice((1, 2, 3))}
        found |= {"segmentation": segmentation(), "iscrowd": rng.choice((0, 1))}
        return maybe({name: maybe(value) for name, value in found.items()})

    images = [{"id": maybe(n), "file_name": maybe(f"{n}.png"), "height": maybe(6), "width": maybe(8)} for n in (1, 2)]
    content = {
        "images": maybe([maybe(image) for image in images]),
        "annotations": maybe([annotation(number) for number in range(rng.randrange(5))]),
        "categories": maybe([maybe({"id": maybe(n), "name": maybe("dog")}) for n in (1, 2)]),
    }
    data = json.dumps(content).encode()
    path = folder / "annotations" / "instances_val2017.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(damaged(data, rng) if rng.random() < 0.15 else data)
    for item in read_coco(folder):
        assert all(found.mask.any() and found.mask.shape == item.image.shape[1:] for found in item.objects)


def voc(rng: random.Random, folder: Path) -> None:
    values = rng.choices((0, 1, 12, 20, 255, rng.randrange(256)), k=48)
    mask = Image.fromarray(np.array(values, dtype=np.uint8).reshape(6, 8)).convert(rng.choice(("L", "P", "RGB", "1")))
    data = io.BytesIO()
    mask.save(data, "PNG")
    path = folder / "SegmentationClass" / "1.png"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(damaged(data.getvalue(), rng) if rng.random() < 0.5 else data.getvalue())
    names = folder / "ImageSets" / "Segmentation" / "val.txt"
    names.parent.mkdir(parents=True, exist_ok=True)
    names.write_bytes(rng.choice((b"1\n2\n", b"1", damaged(b"1\r\n2\r\n", rng))))
    for item in read_voc(folder):
        assert all(found.mask.shape == item.image.shape[1:] for found in item.objects)


def text(rng: random.Random) -> bytes:
    words = rng.choice(("dog\ncat", "a é 犬 = b, c\n", "\ufeffx = y"))
    return damaged(words.encode(rng.choice(("utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"))), rng)


def class_list(rng: random.Random, folder: Path) -> None:
    path = folder / "classes.txt"
    path.write_bytes(text(rng))
    parse_classes(read_text(path))


def captions(rng: random.Random, folder: Path) -> None:
    for number in (1, 2):
        (folder / "val2017" / f"{number}.txt").write_bytes(text(rng))
    list_captioned_images(folder / "val2017")


def shard(rng: random.Random, folder: Path) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=rng.choice(("w", "w:gz"))) as file:
        for name in "abc":
            entry = tarfile.TarInfo(f"{name}.png")
            entry.size = 300
            file.addfile(entry, io.BytesIO(bytes(300)))
    (folder / "s.tar").write_bytes(damaged(data.getvalue()[:4000], rng))
    list(pictures_of(folder, ("s.tar",)))


READERS = (picture, coco, voc, class_list, captions, shard)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "reader", [picture, coco, voc, class_list, captions, shard], ids=lambda reader: reader.__name__
)
def test_whatever_a_file_holds_it_is_read_or_refused(
    reader: Callable[[random.Random, Path], None], tmp_path: Path
) -> None:
    for folder, ending in (("val2017", "png"), ("JPEGImages", "jpg")):
        (tmp_path / folder).mkdir()
        for number in (1, 2):
            Image.new("RGB", (8, 6)).save(tmp_path / folder / f"{number}.{ending}")
    refused = 0
    for seed in range(CASES):
        try:
            reader(random.Random(seed), tmp_path)
        except InputError:
            refused += 1
    print(f"{reader.__name__}: {CASES} cases, {refused} refused, no raw error")
    assert refused < CASES
