"""The example workflows as users open them: each that needs no download runs and shows pictures."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from example_files import EXAMPLES, WITHOUT_DOWNLOAD
from host_client import ComfyClient, Prompt
from PIL import Image


@pytest.mark.parametrize("name", [file.name for file in WITHOUT_DOWNLOAD])
def test_an_example_shows_pictures(name: str, client: ComfyClient, example: Callable[[str], Prompt]) -> None:
    run = client.run(example(name))
    assert run.error is None
    colours = []
    for image in run.images():
        with Image.open(io.BytesIO(client.view(image))) as picture:
            colours.append(len(picture.convert("RGB").getcolors(maxcolors=1 << 24) or []))
    assert min(colours) >= 2  # none is blank (a mask has two colours)
    assert max(colours) > 100


@pytest.mark.parametrize("name", [file.name for file in EXAMPLES])
def test_an_example_knows_only_nodes_of_the_pack_and_of_comfyui(name: str, example: Callable[[str], Prompt]) -> None:
    assert example(name)


@pytest.mark.parametrize("file", WITHOUT_DOWNLOAD, ids=lambda file: file.name)
def test_an_example_has_a_thumbnail(file: Path) -> None:
    """A thumbnail shows a real result; what needs a real model has none until it was run with one."""
    assert file.with_suffix(".jpg").is_file()
