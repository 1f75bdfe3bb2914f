"""Data sets with bad pictures, masks and annotations: those are left out, counted and named, and all else is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_explainability.core.datasets.coco import read_coco
from clip_explainability.core.datasets.imagenet_s import read_imagenet_s
from clip_explainability.core.datasets.voc import read_voc
from clip_explainability.core.errors import InputError
from PIL import Image

SQUARE = [[1, 1, 4, 1, 4, 4, 1, 4]]
GOOD = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": SQUARE}
SIZE = (8, 6)


def picture(path: Path, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (255, 0, 0)).save(path)


def coco(
    root: Path,
    annotations: list[Any],
    images: list[Any] | None = None,
    categories: list[Any] | None = None,
    encoding="utf-8",
) -> Path:
    """A data set with the pictures 1.png and 2.png and the categories dog and cat."""
    for name in ("1.png", "2.png"):
        picture(root / "val2017" / name)
    entries = [{"id": n, "file_name": f"{n}.png", "height": SIZE[1], "width": SIZE[0]} for n in (1, 2)]
    content = {
        "images": entries if images is None else images,
        "annotations": annotations,
        "categories": categories or [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
    }
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / "instances_val2017.json").write_bytes(json.dumps(content).encode(encoding))
    return root


def read(images: Any) -> tuple[dict[str, list[str]], list[str]]:
    """Labels by image, and the reasons of what was left out."""
    found = {item.name: [entry.label for entry in item.objects] for item in images}
    return found, [item.reason for item in images.left_out]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"segmentation": [[3, 3]]}, "a polygon of 2 numbers"),
        ({"segmentation": [[]]}, "a polygon of 0 numbers"),
        ({"segmentation": []}, "has no segmentation"),
        ({"segmentation": None}, "has no segmentation"),
        ({"segmentation": {"size": [8, 6], "counts": [0, 48]}}, "the picture has [6, 8]"),
        ({"segmentation": {"size": [6, 8], "counts": [0, 3]}}, "don't add up"),
        ({"segmentation": {"size": [6, 8], "counts": "abc"}}, "compressed run lengths are damaged"),
        ({"category_id": 99}, "category is 99"),
        ({"category_id": None}, "category is None"),
        ({"category_id": [1]}, "category is [1]"),
        ({"image_id": 77}, "image 77"),
        ({"image_id": None}, "says of no image"),
        ({"image_id": {}}, "says of no image"),
    ],
    ids=str,
)
def test_a_bad_annotation_is_left_out_and_named(tmp_path: Path, bad: dict[str, Any], reason: str) -> None:
    wrong = {**GOOD, "id": 5, **bad}
    found, reasons = read(read_coco(coco(tmp_path, [wrong, GOOD, {**GOOD, "image_id": 2, "category_id": 2}])))
    assert found == {"1.png": ["dog"], "2.png": ["cat"]}
    (said,) = reasons
    assert "annotation 5" in said
    assert reason in said


@pytest.mark.parametrize("raw", [None, 3, "dog", [], {}], ids=str)
def test_what_is_no_annotation_image_or_category_is_left_out(tmp_path: Path, raw: object) -> None:
    images = [raw, {"id": 1, "file_name": "1.png", "height": 6, "width": 8}]
    found, reasons = read(read_coco(coco(tmp_path, [raw, GOOD], images, [raw, {"id": 1, "name": "dog"}])))
    assert found == {"1.png": ["dog"]}
    assert len(reasons) == 3


def test_a_missing_segmentation_and_a_bad_crowd(tmp_path: Path) -> None:
    without = {key: value for key, value in GOOD.items() if key != "segmentation"}
    crowd = {"size": [6, 8], "counts": [0, 6, 42]}
    annotations = [without, {**GOOD, "segmentation": crowd, "iscrowd": 1, "category_id": 99}, {**GOOD, "iscrowd": 0}]
    images = read_coco(coco(tmp_path, annotations))
    (found,) = list(images)
    assert found.valid.sum() == 42
    assert not found.valid[:, 0].any()
    assert len(images.left_out) == 1


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ({"file_name": "gone.png"}, "gone.png"),
        ({"file_name": "bad.png"}, "can't be read as an image"),
        ({"height": 7}, "8 x 6 pixels, its annotation 8 x 7"),
        ({"height": 8, "width": 6}, "8 x 6 pixels, its annotation 6 x 8"),
        ({"height": 0}, "no usable height and width"),
        ({"height": "6"}, "no usable height and width"),
        ({"height": float("nan")}, "no usable height and width"),
        ({"file_name": None}, "no id or no file_name"),
        ({"file_name": "x\0y" * 200}, "x"),
        ({"file_name": "2.png", "id": 2}, "belongs to image 1"),
    ],
    ids=str,
)
def test_a_bad_image_is_left_out_and_named(tmp_path: Path, image: dict[str, Any], reason: str) -> None:
    entries = [{"id": n, "file_name": f"{n}.png", "height": 6, "width": 8} for n in (1, 2)]
    root = coco(tmp_path, [GOOD, {**GOOD, "image_id": 2}], [{**entries[0], **image}, entries[1]])
    (root / "val2017" / "bad.png").write_bytes(b"no picture")
    found, reasons = read(read_coco(root))
    assert found == {"2.png": ["dog"]}
    assert reason in " ".join(reasons)


def test_ids_that_are_given_twice(tmp_path: Path) -> None:
    entries = [{"id": 1, "file_name": name, "height": 6, "width": 8} for name in ("1.png", "2.png")]
    entries += [{"id": 3, "file_name": "2.png", "height": 6, "width": 8}] * 2
    categories = [
        {"id": 1, "name": "dog"},
        {"id": 1, "name": "dog"},
        {"id": 2, "name": "cat"},
        {"id": 2, "name": "owl"},
    ]
    annotations = [GOOD, {**GOOD, "image_id": 3}, {**GOOD, "image_id": 3, "category_id": 2}]
    found, reasons = read(read_coco(coco(tmp_path, annotations, entries, categories)))
    assert found == {"2.png": ["dog"]}
    assert sum("shares its id 1" in reason for reason in reasons) == 2
    assert sum("several names: cat, owl" in reason for reason in reasons) == 1


def test_honest_variants_of_coco_are_read(tmp_path: Path) -> None:
    entries = [
        {"id": "a", "file_name": "val2017\\1.png"},
        {"id": "b", "file_name": "images/2.png", "height": 6.0, "width": 8},
    ]
    annotations = [{**GOOD, "image_id": "a", "iscrowd": "0"}, {**GOOD, "image_id": "b", "segmentation": SQUARE[0]}]
    root = coco(tmp_path, annotations, entries, [{"id": 1, "name": "\ufeffdog\u200b"}], "utf-16")
    assert read(read_coco(root)) == ({"val2017\\1.png": ["dog"], "images/2.png": ["dog"]}, [])


def test_where_nothing_can_be_used_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing in it can be used; left out 2: .*annotation 1"):
        list(read_coco(coco(tmp_path, [{**GOOD, "segmentation": []}])))
    with pytest.raises(InputError, match="it is empty"):
        list(read_coco(coco(tmp_path, [])))
    for content in ("[]", "{}", "{", '{"images": [], "annotations": {}, "categories": []}'):
        (tmp_path / "annotations" / "instances_val2017.json").write_text(content)
        with pytest.raises(InputError, match=r"instances_val2017\.json"):
            read_coco(tmp_path)


def voc_colour(number: int) -> tuple[int, ...]:
    """The data set's development kit in words: bit 0, 3, 6 of the number are red's bits 7, 6, 5; and so on."""
    return tuple(sum(((number >> 3 * j + channel) & 1) << 7 - j for j in range(8)) for channel in range(3))


LABELS = np.zeros((6, 8), dtype=np.uint8)
LABELS[:2, :3], LABELS[2], LABELS[4:, 5:] = 12, 255, 20
PALETTE = [part for number in range(256) for part in voc_colour(number)]


def in_colours(labels: np.ndarray = LABELS) -> Image.Image:
    return Image.fromarray(np.array(PALETTE, dtype=np.uint8).reshape(256, 3)[labels])


def with_palette(palette: list[int], labels: np.ndarray = LABELS) -> Image.Image:
    mask = Image.fromarray(labels).convert("P")
    mask.putdata(labels.ravel().tolist())
    mask.putpalette(palette)
    return mask


def voc(root: Path, **masks: Image.Image | bytes) -> Path:
    for name, mask in masks.items():
        picture(root / "JPEGImages" / f"{name}.jpg")
        path = root / "SegmentationClass" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mask) if isinstance(mask, bytes) else mask.save(path)
    names = root / "ImageSets" / "Segmentation" / "val.txt"
    names.parent.mkdir(parents=True, exist_ok=True)
    names.write_bytes("\ufeff".encode() + "\r\n".join([*masks, *masks, ""]).encode())
    return root


def test_voc_masks_are_understood_in_every_form(tmp_path: Path) -> None:
    white_border = np.where(LABELS[..., None] == 255, 255, np.asarray(in_colours())).astype(np.uint8)
    forms = {
        "official": with_palette(PALETTE),
        "colours": in_colours(),
        "colours_and_alpha": in_colours().convert("RGBA"),
        "colours_white_border": Image.fromarray(white_border),
        "grey": Image.fromarray(LABELS),
        "grey_as_rgb": Image.fromarray(LABELS).convert("RGB"),
        "grey_of_16_bits": Image.fromarray(LABELS.astype(np.uint16)),
        "own_palette": with_palette(list(range(256)) * 3),
        "black_palette": with_palette([0] * 768),
        "reordered_palette": in_colours().convert("P", palette=Image.Palette.ADAPTIVE, colors=8),
    }
    images = read_voc(voc(tmp_path, **forms))
    found = {item.name: item for item in images}
    assert images.left_out == []
    assert list(found) == list(forms)
    for name, item in found.items():
        assert [entry.label for entry in item.objects] == ["dog", "television"], name
        assert (item.objects[0].mask.numpy() == (LABELS == 12)).all(), name
        assert (item.objects[1].mask.numpy() == (LABELS == 20)).all(), name
        assert (item.valid.numpy() == (LABELS != 255)).all(), name


def test_voc_masks_that_say_nothing_are_left_out(tmp_path: Path) -> None:
    strange = np.asarray(in_colours()).copy()
    strange[0, 0] = (1, 2, 3)
    bad = {
        "larger": (in_colours(np.zeros((6, 9), dtype=np.uint8) + 12), "8 x 6 pixels, its annotation 9 x 6"),
        "turned": (in_colours(LABELS.T), "8 x 6 pixels, its annotation 6 x 8"),
        "strange": (Image.fromarray(strange), "(1, 2, 3)"),
        "number": (Image.fromarray(np.where(LABELS == 12, 99, LABELS)), "the number 99"),
        "bits": (Image.fromarray(LABELS > 0), "black and white"),
        "binary": (Image.fromarray((LABELS > 0) * np.uint8(255)), "black and white"),
        "broken": (b"no picture", "can't be read as an image"),
        "empty": (b"", "can't be read as an image"),
    }
    images = read_voc(voc(tmp_path, good=in_colours(), **{name: mask for name, (mask, _) in bad.items()}))
    assert [item.name for item in images] == ["good"]
    assert [item.name for item in images.left_out] == list(bad)
    for item in images.left_out:
        assert bad[item.name][1] in item.reason, item


def test_imagenet_s_with_bad_items(tmp_path: Path) -> None:
    (tmp_path / "categories.txt").write_bytes("".join(f"n{i} name_{i}, x\r\n" for i in range(1, 301)).encode("utf-16"))
    colours = np.zeros((6, 8, 3), dtype=np.uint8)
    colours[0, 0], colours[1, 1] = (300 - 256, 1, 0), (1000 - 768, 3, 0)
    beyond = colours.copy()
    beyond[2, 2] = (301 - 256, 1, 0)
    masks = {"a": colours, "b": beyond, "c": colours[:4]}
    for name in (*masks, "d"):
        picture(tmp_path / "validation" / "n1" / f"{name}.jpg")
        path = tmp_path / "validation-segmentation" / "n1" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(masks[name]).save(path) if name in masks else path.write_bytes(b"")
    images = read_imagenet_s(tmp_path)
    (found,) = list(images)
    assert [entry.label for entry in found.objects] == ["name 300"]
    assert [item.name for item in images.left_out] == ["n1/b", "n1/c", "n1/d"]
    assert "class 301, but categories.txt lists 300" in images.left_out[0].reason


def test_what_is_left_out_is_said_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    list(read_coco(coco(tmp_path, [GOOD, {**GOOD, "id": 5, "segmentation": None}])))
    assert "annotation 5 of '1.png'" in caplog.text
