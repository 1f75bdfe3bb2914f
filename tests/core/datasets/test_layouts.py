"""The loaders on tiny folders of the true layouts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from clip_explainability.core.datasets.coco import read_coco
from clip_explainability.core.datasets.demo import read_demo
from clip_explainability.core.datasets.imagenet_s import read_imagenet_s
from clip_explainability.core.datasets.voc import read_voc
from clip_explainability.core.errors import InputError
from PIL import Image

HEIGHT, WIDTH = 6, 9


def save_picture(path, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (WIDTH, HEIGHT), 255 if mode == "L" else (255, 0, 0)).save(path, quality=100)


def save_labels(path, labels, palette=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(labels.astype(np.uint8), "P" if palette else None)
    if palette:
        picture.putpalette(list(range(256)) * 3)
    picture.save(path)


@pytest.fixture
def voc(tmp_path):
    root = tmp_path / "VOCdevkit" / "VOC2012"
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("2007_000033\n2007_000042\n")
    for name in ("2007_000033", "2007_000042"):
        save_picture(root / "JPEGImages" / f"{name}.jpg")
        labels = np.zeros((HEIGHT, WIDTH))
        labels[:3, :3], labels[3, :3], labels[5, 5:] = 1, 255, 20
        save_labels(root / "SegmentationClass" / f"{name}.png", labels)
    return tmp_path / "VOCdevkit"


def test_voc(voc):
    first, second = read_voc(voc)
    assert (first.name, second.name) == ("2007_000033", "2007_000042")
    assert first.image.shape == (3, HEIGHT, WIDTH)
    assert first.image[0].mean() > 0.9
    assert [found.label for found in first.objects] == ["airplane", "television"]
    assert first.objects[0].mask.nonzero().tolist() == [[y, x] for y in range(3) for x in range(3)]
    assert (~first.valid).nonzero().tolist() == [[3, 0], [3, 1], [3, 2]]


def test_a_missing_part_is_named_with_the_layout(tmp_path):
    for read in (read_voc, read_coco, read_imagenet_s):
        with pytest.raises(InputError, match="Expected layout"):
            next(read(tmp_path / "nowhere"))


def test_a_missing_file_of_one_picture_is_left_out_and_named(voc):
    (voc / "VOC2012" / "SegmentationClass" / "2007_000042.png").unlink()
    images = read_voc(voc)
    assert [found.name for found in images] == ["2007_000033"]
    (left_out,) = images.left_out
    assert left_out.name == "2007_000042"
    assert "2007_000042.png" in left_out.reason
    assert "SegmentationClass/<name>" in left_out.reason


@pytest.fixture
def coco(tmp_path):
    save_picture(tmp_path / "val2017" / "000000000139.jpg")
    save_picture(tmp_path / "val2017" / "000000000285.jpg", "L")
    square = [1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0]
    crowd = {"counts": [0, 2, HEIGHT * WIDTH - 2], "size": [HEIGHT, WIDTH]}  # the first two pixels of column 0
    content = {
        "images": [
            {"id": 139, "file_name": "000000000139.jpg", "height": HEIGHT, "width": WIDTH},
            {"id": 285, "file_name": "000000000285.jpg", "height": HEIGHT, "width": WIDTH},
            {"id": 999, "file_name": "no annotation, no file.jpg", "height": 1, "width": 1},
        ],
        "annotations": [
            {"image_id": 139, "category_id": 18, "segmentation": [square], "iscrowd": 0},
            {"image_id": 139, "category_id": 18, "segmentation": [[6, 4, 7, 4, 7, 5, 6, 5]], "iscrowd": 0},
            {"image_id": 139, "category_id": 1, "segmentation": crowd, "iscrowd": 1},
            {"image_id": 285, "category_id": 1, "segmentation": [square], "iscrowd": 0},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(content))
    return tmp_path


def test_coco(coco):
    first, second = read_coco(coco)
    assert [found.label for found in first.objects] == ["dog"]
    mask = first.objects[0].mask
    assert mask.shape == (HEIGHT, WIDTH)
    assert mask[2, 2]
    assert mask[4, 6]  # two instances of a class share a mask
    assert not mask[5, 0]
    assert (~first.valid).nonzero().tolist() == [[0, 0], [1, 0]]
    assert [found.label for found in second.objects] == ["person"]
    assert second.image.shape == (3, HEIGHT, WIDTH)  # grey pictures become RGB


@pytest.fixture
def imagenet_s(tmp_path):
    (tmp_path / "categories.txt").write_text("".join(f"n{i:08} name_{i}, other\n" for i in range(1, 301)))
    labels = np.zeros((HEIGHT, WIDTH, 3))
    labels[0, 0] = (300 - 256, 1, 0)
    labels[1, :2] = (7, 0, 0)
    labels[5, 8] = (1000 - 3 * 256, 3, 0)
    save_labels(tmp_path / "validation-segmentation" / "n00000300" / "ILSVRC2012_val_1.png", labels, palette=False)
    save_picture(tmp_path / "validation" / "n00000300" / "ILSVRC2012_val_1.JPEG")
    return tmp_path


def test_imagenet_s(imagenet_s):
    (found,) = read_imagenet_s(imagenet_s)
    assert found.name == "n00000300/ILSVRC2012_val_1"
    assert [entry.label for entry in found.objects] == ["name 7", "name 300"]
    assert found.objects[1].mask.nonzero().tolist() == [[0, 0]]
    assert (~found.valid).nonzero().tolist() == [[5, 8]]


def test_imagenet_s_needs_names(imagenet_s):
    (imagenet_s / "categories.txt").write_text("n01440764\n")
    with pytest.raises(InputError, match=r"n01440764.*no name"):
        next(read_imagenet_s(imagenet_s))


def test_demo_scenes_repeat_and_hold_several_objects():
    first, again = list(read_demo(3, size=64)), list(read_demo(3, size=64))
    assert [scene.name for scene in first] == [scene.name for scene in again]
    for scene, same in zip(first, again, strict=True):
        torch.testing.assert_close(scene.image, same.image)
        assert len({found.label for found in scene.objects}) == len(scene.objects) >= 1
        assert all(found.mask.shape == scene.image.shape[1:] for found in scene.objects)
    assert not torch.equal(first[0].image, next(read_demo(1, size=64, seed=1)).image)
