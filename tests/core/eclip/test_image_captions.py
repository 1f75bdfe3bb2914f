from __future__ import annotations

from pathlib import Path

import pytest
import torch
from clip_explainability.core.eclip import image_captions
from clip_explainability.core.errors import InputError
from PIL import Image


def test_a_folder_gives_images_that_have_a_caption(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name, caption in {"a": "a cat\n", "b": None, "more/c": "two\n dogs ", "d": "   "}.items():
        Image.new("RGB", (30, 20), (255, 0, 0)).save(tmp_path / f"{name}.png")
        if caption is not None:
            (tmp_path / f"{name}.txt").write_text(caption)
    found = image_captions.list_captioned_images(tmp_path)
    assert [path.name for path in found.paths] == ["a.png", "c.png"]
    assert found.captions == ("a cat", "two dogs")
    images = list(image_captions.files_for_tower(found.paths, (16, 16)))
    assert [tuple(image.shape) for image in images] == [(3, 16, 16)] * 2
    torch.testing.assert_close(images[0][0], torch.ones(16, 16))


def test_a_folder_without_captions_says_what_is_missing(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "cat.png")
    with pytest.raises(InputError, match=r"1 images and none with a caption.*cat\.txt"):
        image_captions.list_captioned_images(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        image_captions.list_captioned_images(tmp_path / "nowhere")


def test_captions_of_a_batch_are_counted() -> None:
    assert image_captions.split_captions("a cat\n\n a dog \n", 2) == ["a cat", "a dog"]
    with pytest.raises(InputError, match="1 lines for 2 images"):
        image_captions.split_captions("a cat", 2)
