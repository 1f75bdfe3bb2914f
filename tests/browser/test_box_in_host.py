"""The PyPI host's own frontend, of June 2024: the editor loads, draws, undoes and queues there as well."""

from __future__ import annotations

import importlib.util
import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from box_page import BoxPage, box, state
from page_console import BOOT_MS, VIEWPORT, Console

pytestmark = pytest.mark.host

READY = "() => !!(window.app?.graph && window.LiteGraph?.registered_node_types?.BoxSpatialConstraint)"


class OldPage(BoxPage):
    """The same words for a frontend without workflow tabs and with the graph's list of nodes under another name."""

    def load(self, *nodes: dict[str, Any], links: list[Any] | None = None) -> None:
        workflow = {
            "version": 0.4,
            "nodes": list(nodes),
            "links": links or [],
            "groups": [],
            "config": {},
            "extra": {},
            "last_node_id": 100,
            "last_link_id": 100,
        }
        self.page.evaluate("async (w) => { await window.app.loadGraphData(w) }", workflow)
        self.page.evaluate(
            "() => { const ds = app.canvas.ds; ds.scale = 1; ds.offset = [0, 0]; app.canvas.setDirty(true, true) }"
        )
        self.page.wait_for_function("() => !!document.querySelector('.cxb-root')?.offsetParent")
        self.settle(6)

    def node_count(self) -> int:
        return self.page.evaluate("() => window.app.graph._nodes.length")

    def undo(self, key: str = "Control+z") -> None:
        before = self.saved()
        self.page.keyboard.press(key)
        self.page.wait_for_function(
            "before => app.graph.getNodeById(1).serialize().widgets_values[4] !== before", arg=before, timeout=10_000
        )
        self.settle(8)


@pytest.fixture(scope="module")
def old_page(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldPage]:
    if importlib.util.find_spec("comfy") is None:
        pytest.skip("this Python has no ComfyUI: run scripts/test.py")
    from environment import Environment
    from host_server import ComfyServer

    with ComfyServer(Environment(Path(sys.executable), None), tmp_path_factory.mktemp("host")) as server:
        context = chromium.new_context(viewport=VIEWPORT, permissions=["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.console = Console(page)
        page.goto(server.address)
        page.wait_for_function(READY, timeout=BOOT_MS)
        page.on("dialog", lambda dialog: dialog.dismiss())
        made = OldPage(page, None, False)  # type: ignore[arg-type]
        made.server = server  # type: ignore[attr-defined]
        yield made
        context.close()


@pytest.fixture
def old(old_page: OldPage) -> Iterator[OldPage]:
    old_page.page.console.complaints.clear()
    old_page.start()
    yield old_page
    assert old_page.page.console.complaints == []


def test_draw_move_and_nudge(old: OldPage) -> None:
    old.draw((0.1, 0.1), (0.4, 0.5), "a red car", keys=("Control",))
    old.drag((0.2, 0.2), (0.3, 0.3), keys=("Control",))
    old.press("Shift+ArrowRight")
    assert old.labels() == ["a red car"]
    assert old.rect() == pytest.approx([0.2 + 10 / 512, 0.2, 0.3, 0.4], abs=0.006)


def test_ctrl_z_takes_back_the_box_not_the_node(old: OldPage) -> None:
    old.draw((0.1, 0.1), (0.4, 0.5), "a cat")
    old.draw((0.5, 0.5), (0.9, 0.9), "a dog")
    old.undo_until(["a cat"])
    assert old.node_count() == 1
    old.undo("Control+y")
    assert len(old.boxes()) == 2


def test_its_keys_are_not_the_graphs(old: OldPage) -> None:
    """This frontend listens for Ctrl+D (load default), q and h on the window, before anyone else."""
    old.start(state(box(0.25, 0.25, 0.5, 0.5)))
    old.focus()
    old.press("Tab", "Control+d", "q", "h")
    assert len(old.boxes()) == 2
    old.press("Delete", "Backspace")
    assert old.node_count() == 1


def test_python_receives_what_was_drawn(old: OldPage) -> None:
    """Queued by the page, run by the server: the masks' areas are those of the boxes."""
    preview = {"id": 2, "type": "PreviewImage", "pos": [920, 90], "size": [240, 280], "flags": {}, "mode": 0}
    node = {"id": 1, "type": "BoxSpatialConstraint", "pos": [420, 90], "size": [460, 640], "flags": {}, "mode": 0}
    old.load(
        {
            **node,
            "widgets_values": [256, 128, "a photo of {}", 0, ""],
            "outputs": [
                {"name": "constraints", "type": "EXPLAINABILITY_CONSTRAINTS", "links": None},
                {"name": "masks", "type": "MASK", "links": None},
                {"name": "bboxes", "type": "BOUNDING_BOX", "links": None},
                {"name": "preview", "type": "IMAGE", "links": [1], "slot_index": 3},
                {"name": "prompts", "type": "STRING", "links": None},
            ],
        },
        {**preview, "inputs": [{"name": "images", "type": "IMAGE", "link": 1}]},
        links=[[1, 1, 3, 2, 0, "IMAGE"]],
    )
    old.draw((0.1, 0.2), (0.6, 0.8), "a red car")
    old.page.evaluate("async () => { await window.app.queuePrompt(0) }")
    old.page.wait_for_function("() => !!document.querySelector('.cxb-image')?.src.includes('/view')", timeout=60_000)
    with urllib.request.urlopen(f"http://{old.server.address}/history") as answer:  # type: ignore[attr-defined]
        (run,) = json.load(answer).values()
    assert run["prompt"][2]["1"]["inputs"]["boxes"] == old.saved()
    assert run["outputs"]["1"]["box_editor_size"] == [256, 128]
    assert len(run["outputs"]["2"]["images"]) == 1


def test_a_bad_box_is_refused_before_the_run(old: OldPage) -> None:
    old.load(
        {"id": 1, "type": "BoxSpatialConstraint", "pos": [420, 90], "size": [460, 640], "flags": {}, "mode": 0,
         "widgets_values": [64, 64, "{}", 0, state(box(0.9, 0, 0.5, 0.5))]},
    )  # fmt: skip
    prompt = {
        "1": {
            "class_type": "BoxSpatialConstraint",
            "inputs": {"width": 64, "height": 64, "template": "{}", "boxes": old.saved()},
        },
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 3]}},
    }
    said = old.page.evaluate(
        "async (prompt) => { const r = await fetch('/prompt', { method: 'POST', body: JSON.stringify({ prompt }) });"
        " return await r.text() }",
        prompt,
    )
    assert "reaches outside the picture" in said
