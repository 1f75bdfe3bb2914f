import io
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_explainability.core.classification.image_folder import list_images, read_image, read_view
from clip_explainability.core.classification.support import (
    SupportSet,
    join_support,
    parse_labels,
    support_from_batch,
    support_from_folder,
)
from clip_explainability.core.classification.zero_shot import encode_images
from clip_explainability.core.errors import InputError
from PIL import Image
from tiny_clips import tiny_clip


def write(path: Path, size: tuple[int, int] = (30, 20), mode: str = "RGB", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], len(mode)) if mode != "L" else (size[1], size[0])
    pixels = np.random.default_rng(len(path.name)).integers(0, 255, shape, dtype=np.uint8)
    Image.fromarray(pixels, mode).save(path, **options)
    return path


def test_one_sub_folder_a_class_in_alphabetical_order(tmp_path: Path) -> None:
    for name in ("owl/b.png", "owl/deep/a.PNG", "bat/x.jpg", "owl/notes.txt", "bat/.hidden.png", ".cache/y.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = list_images(tmp_path)
    assert found.classes == ("bat", "owl")
    assert [path.name for path in found.paths] == ["x.jpg", "b.png", "a.PNG"]
    assert found.labels == (0, 1, 1)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        list_images(tmp_path / "none")
    with pytest.raises(InputError, match="no folder inside"):
        list_images(tmp_path)
    (tmp_path / "owl").mkdir()
    with pytest.raises(InputError, match="holds no image"):
        list_images(tmp_path)


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 3), ("RGBA", 4), ("CMYK", 3)])
def test_every_kind_of_image_is_read(tmp_path: Path, mode: str, channels: int) -> None:
    suffix = ".jpg" if mode == "CMYK" else ".png"
    path = write(tmp_path / f"image{suffix}", mode=mode)
    image = read_image(path)
    assert image.shape == (1, channels, 20, 30)
    assert image.min() >= 0
    assert image.max() <= 1
    assert torch.equal(read_image(io.BytesIO(path.read_bytes())), image)


def test_images_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_image(write(tmp_path / "turned.jpg", exif=exif)).shape == (1, 3, 30, 20)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"broken\.png"):
        read_image(path)


@pytest.mark.parametrize("fit", ["crop", "stretch"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_views_of_files_encode_as_the_whole_images_do(tmp_path: Path, fit: str, mode: str) -> None:
    clip = tiny_clip("vit-cls")
    paths = [write(tmp_path / f"{'i' * n}.png", size, mode) for n, size in enumerate([(90, 70), (20, 200)], start=1)]
    together = encode_images(clip, torch.cat([read_view(clip, path, fit) for path in paths]))  # type: ignore[arg-type]
    single = torch.cat([encode_images(clip, read_image(path), fit) for path in paths])  # type: ignore[arg-type]
    torch.testing.assert_close(together, single, atol=1e-5, rtol=0)


def test_a_batch_and_a_folder_make_one_support_set(tmp_path: Path) -> None:
    clip = tiny_clip("vit-cls")
    for name in ("owl", "bat"):
        write(tmp_path / name / "a.png")
    batch = support_from_batch(clip, torch.rand(3, 3, 40, 40), ["owl", "cat", "owl"])
    assert batch.classes == ("owl", "cat")
    assert batch.labels.tolist() == [0, 1, 0]
    folder = support_from_folder(clip, tmp_path)
    both = join_support(batch, folder)
    assert both.classes == ("owl", "cat", "bat")
    assert both.labels.tolist() == [0, 1, 0, 2, 0]
    assert both.features.shape == (5, 48)


def test_labels_are_one_a_line_or_separated_by_commas() -> None:
    assert parse_labels("red fox\n owl ", 2) == ["red fox", "owl"]
    assert parse_labels("red  fox, owl", 2) == ["red fox", "owl"]
    assert parse_labels("owl", 1) == ["owl"]
    with pytest.raises(InputError, match="2 for 3 images; write one label an image"):
        parse_labels("a\nb", 3)


def test_a_support_set_is_plain_data() -> None:
    empty = SupportSet(("a",), torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    assert join_support(empty, empty).classes == ("a",)
