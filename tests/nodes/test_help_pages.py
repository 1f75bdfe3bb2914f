"""The help pages that ComfyUI shows for each node: complete, with a picture and a wiring, and small."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from clip_explainability import core, nodes
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "web" / "docs"
PICTURE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<file>[^)]+)\)")
COMFYUI_NODES = {
    "CLIP Text Encode",
    "DualCLIPLoader",
    "Conditioning (Combine)",
    "Conditioning (Set Mask)",
    "KSampler",
    "Get Latent From Batch",
    "Load CLIP Vision",
    "Load Checkpoint",
    "Load Image",
    "Load VAE",
    "Convert Mask to Image",
    "Preview as Text",
    "Preview Image",
    "Save Image",
    "VAE Decode",
    "VAE Encode",
    "VAE Encode (for Inpainting)",
}
LARGEST_TOTAL = 1_500_000  # bytes of all pictures


def page(node: Any) -> str:
    return (DOCS / f"{node.NODE_ID}.md").read_text("utf-8")


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next of its level."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("node", nodes.NODE_CLASSES, ids=lambda node: node.NODE_ID)
class TestEveryPage:
    def test_is_headed_by_the_nodes_name(self, node: Any) -> None:
        assert page(node).startswith(f"# {node.DISPLAY_NAME}\n")

    def test_names_every_input_and_output(self, node: Any) -> None:
        inputs = [name for group in node.INPUT_TYPES().values() for name in group]
        outputs = getattr(node, "RETURN_NAMES", node.RETURN_TYPES)
        assert [name for name in (*inputs, *outputs) if f"**{name}**" not in page(node)] == []

    def test_has_a_picture(self, node: Any) -> None:
        pictures = list(PICTURE.finditer(page(node)))
        assert pictures
        for picture in pictures:
            assert len(picture["alt"]) > 10
            with Image.open(DOCS / picture["file"]) as image:
                assert min(image.size) >= 180

    def test_shows_how_to_wire_it(self, node: Any) -> None:
        wiring = section(page(node), "Wiring")
        assert "→" in wiring
        linked = set(re.findall(r"`([^`]+)`", wiring)) - {node.DISPLAY_NAME}
        assert linked, "no other node is named"
        assert sorted(linked - {cls.DISPLAY_NAME for cls in nodes.NODE_CLASSES} - COMFYUI_NODES) == []

    def test_names_only_example_workflows_that_are_there(self, node: Any) -> None:
        for name in re.findall(r"(?<!\*)\*(\d\d [^*]+)\*(?!\*)", page(node)):
            assert list((ROOT / "example_workflows").glob(f"{name} - *.json")), name


@pytest.mark.parametrize("file", sorted(DOCS.glob("*.md")), ids=lambda file: file.name)
def test_every_page_belongs_to_a_node(file: Path) -> None:
    assert file.stem in nodes.NODE_CLASS_MAPPINGS


def test_pictures_are_all_used_and_small() -> None:
    pages = "".join(file.read_text("utf-8") for file in [*DOCS.glob("*.md"), ROOT / "README.md"])
    used = {Path(picture["file"]).name for picture in PICTURE.finditer(pages)}
    files = sorted((DOCS / "images").iterdir())
    assert [file.name for file in files if file.name not in used] == []
    assert sum(file.stat().st_size for file in files) < LARGEST_TOTAL


def test_the_demo_scenes_page_lists_every_object() -> None:
    listed = section(page(nodes.DemoScene), "The objects").replace("\n", " ").strip(" .").split(", ")
    assert listed == list(core.demo.art.class_names())


@pytest.mark.parametrize("node", [nodes.CLIPRelevancyMap, nodes.CompareMethods], ids=lambda node: node.NODE_ID)
def test_every_map_method_is_explained(node: Any) -> None:
    rows = re.findall(r"^\| (\w+) \|", section(page(node), "The methods"), re.MULTILINE)
    assert sorted(set(rows) - {"Name"}) == sorted(core.methods.METHODS)
