"""What a test says to the editor on the page: press here, drag there, type this; and what it reads back."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # so that tests are collected, and skipped with a reason, where these are missing
    from harness import Harness
    from playwright.sync_api import Locator, Page

Point = tuple[float, float]

WORKFLOW_NODE = {"id": 1, "type": "BoxSpatialConstraint", "pos": [420, 90], "size": [460, 640], "flags": {}, "mode": 0}


LOAD = """async (workflow) => {
  const app = window.app;
  const current = app.extensionManager.workflow.activeWorkflow;
  await app.loadGraphData(workflow, true, false, current);
  current.changeTracker.undoQueue.length = 0;
  current.changeTracker.redoQueue.length = 0;
}"""


UNDONE = """([id, before]) => {
  const { graph } = window.app.canvas;
  const node = graph.getNodeById(id);
  if (!node) return true; // the test will say what it thinks of that
  const shown = [...document.querySelectorAll('.cxb-root')].filter((root) => root.offsetParent);
  return node.serialize().widgets_values[4] !== before
    && shown.includes(node.widgets.find((widget) => widget.name === 'boxes').element)
    && shown.length === graph.nodes.filter((other) => other.type === 'BoxSpatialConstraint').length;
}"""


def state(*boxes: dict[str, Any]) -> str:
    """A saved state, as a user would write it by hand."""
    return json.dumps({"version": 1, "boxes": list(boxes)})


def box(x: float, y: float, width: float, height: float, label: str = "a cat", **more: Any) -> dict[str, Any]:
    return {"label": label, "x": x, "y": y, "width": width, "height": height, **more}


class BoxPage:
    """The page, and the editor of its node 1."""

    def __init__(self, page: Page, harness: Harness, vue_nodes: bool) -> None:
        self.page = page
        self.harness = harness
        self.vue_nodes = vue_nodes
        self.node_id = 1

    # ---- the graph

    def load(self, *nodes: dict[str, Any], links: list[Any] | None = None) -> None:
        """Load a workflow and wait until every editor in it stands on the page."""
        workflow = {
            "id": str(uuid.uuid4()),
            "version": 0.4,
            "nodes": list(nodes),
            "links": links or [],
            "groups": [],
            "config": {},
            "extra": {"ds": {"scale": 1, "offset": [0, 0]}},
            "last_node_id": 100,
            "last_link_id": 100,
        }
        self.page.evaluate(LOAD, workflow)
        self.page.evaluate(
            "() => { const ds = window.app.canvas.ds; ds.scale = 1; ds.offset[0] = 0; ds.offset[1] = 0;"
            " window.app.canvas.setDirty(true, true) }"
        )
        editors = sum(node["type"] == "BoxSpatialConstraint" for node in nodes)
        self.page.wait_for_function(
            "n => [...document.querySelectorAll('.cxb-root')].filter(e => e.offsetParent).length === n", arg=editors
        )
        self.settle()

    def start(self, boxes: str = "", **node: Any) -> None:
        """One node with this state in its editor."""
        self.node_id = 1
        self.load({**WORKFLOW_NODE, "widgets_values": [512, 512, "a photo of {}", 0, boxes], **node})

    def settle(self, frames: int = 3) -> None:
        """Let the page draw."""
        self.page.evaluate(
            "n => new Promise(done => { const step = () => n-- > 0 ? requestAnimationFrame(step) : done(); step() })",
            frames,
        )

    def graph(self, expression: str) -> Any:
        """Evaluate with `node` (the node under test), `app` and `widget` (its editor) in reach."""
        return self.page.evaluate(
            "([id, body]) => { const app = window.app; const node = app.canvas.graph.getNodeById(id);"
            " const widget = node?.widgets?.find(w => w.name === 'boxes');"
            " return new Function('app', 'node', 'widget', 'return (' + body + ')')(app, node, widget) }",
            [self.node_id, expression],
        )

    def saved(self) -> str:
        """The text that the workflow file would hold."""
        return self.graph("node.serialize().widgets_values[4]")

    def boxes(self) -> list[dict[str, Any]]:
        """The boxes in the saved text."""
        text = self.saved()
        return json.loads(text)["boxes"] if text else []

    def rect(self, index: int = 0) -> list[float]:
        found = self.boxes()[index]
        return [round(found[key], 3) for key in ("x", "y", "width", "height")]

    def labels(self) -> list[str]:
        return [each["label"] for each in self.boxes()]

    def node_count(self) -> int:
        return self.page.evaluate("() => window.app.canvas.graph.nodes.length")

    def queue(self) -> dict[str, Any]:
        """Press Queue; the API form of the node under test, as the server received it."""
        before = len(self.harness.queued)
        self.page.evaluate("async () => { await window.app.queuePrompt(0) }")
        for _ in range(100):
            if len(self.harness.queued) > before:
                break
            self.page.wait_for_timeout(20)
        return self.harness.last_prompt()[str(self.node_id)]["inputs"]

    # ---- parts of the editor

    @property
    def root(self) -> Locator:
        return self.page.locator(".cxb-root:visible").first

    @property
    def surface(self) -> Locator:
        return self.root.locator(".cxb-surface")

    def button(self, name: str) -> Locator:
        return self.root.locator(f'.cxb-toolbar button[aria-label^="{name}"]')

    def expect_button(self, name: str) -> None:
        """Fails unless the button is, or soon becomes, enabled."""
        from playwright.sync_api import expect

        expect(self.button(name)).to_be_enabled()

    def row(self, number: int) -> Locator:
        return self.root.locator(".cxb-row").nth(number - 1)

    def selected(self) -> list[int]:
        """Numbers of the selected boxes, from 1."""
        classes = self.root.locator(".cxb-row").evaluate_all(
            "rows => rows.map(r => r.classList.contains('cxb-selected'))"
        )
        return [place for place, chosen in enumerate(classes, start=1) if chosen]

    def status(self) -> str:
        return self.root.locator(".cxb-status").inner_text()

    def focused(self) -> str:
        """What has the focus: a part of the editor by name, or a tag."""
        return self.page.evaluate(
            "() => { const e = document.activeElement; return e?.dataset?.focus ?? e?.tagName ?? '' }"
        )

    # ---- pointer

    def at(self, point: Point) -> Point:
        """Fractions of the picture to page coordinates."""
        place = self.root.locator(".cxb-picture").bounding_box()
        assert place is not None
        return place["x"] + point[0] * place["width"], place["y"] + point[1] * place["height"]

    def drag(self, start: Point, *stops: Point, keys: tuple[str, ...] = (), release: bool = True) -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(start))
        for key in keys:
            self.page.keyboard.down(key)
        mouse.down()
        for stop in stops:
            mouse.move(*self.at(stop), steps=4)
        if release:
            mouse.up()
        for key in keys:
            self.page.keyboard.up(key)
        self.settle(2)

    def draw(self, start: Point, end: Point, label: str | None = None, keys: tuple[str, ...] = ()) -> None:
        """Draw a box and leave its label: typed and entered, or closed empty."""
        self.drag(start, end, keys=keys)
        if label:
            self.page.keyboard.type(label)
        self.page.keyboard.press("Enter")
        self.settle(2)

    def click(self, point: Point, keys: tuple[str, ...] = ()) -> None:
        for key in keys:
            self.page.keyboard.down(key)
        self.page.mouse.click(*self.at(point))
        for key in keys:
            self.page.keyboard.up(key)
        self.settle(2)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.settle(2)

    def focus(self) -> None:
        self.surface.focus()

    def undo(self, key: str = "Control+z") -> None:
        """Ctrl+Z wherever the focus is, until the boxes are others and the new editor stands on the page.

        The graph's undo loads the whole workflow anew, and takes its time.
        """
        before = self.saved()
        self.page.keyboard.press(key)
        self.page.wait_for_function(UNDONE, arg=[self.node_id, before], timeout=15_000)
        self.settle(6)

    def undo_until(self, labels: list[str], key: str = "Control+z") -> None:
        """Ctrl+Z until the boxes have these labels: on a slow machine a typed label is several steps of the graph."""
        for _ in range(12):
            if self.labels() == labels:
                return
            self.undo(key)
        raise AssertionError(f"undo did not lead to {labels}; boxes now: {self.labels()}")

    def wait_for_step(self) -> None:
        """Until the graph's undo has taken the boxes as they are now for a step, and closed it.

        For 50 ms it adds to the step what comes after; on a busy page that timer is late, and one set later is later.
        """
        self.page.wait_for_function(
            "([id, saved]) => window.app.extensionManager.workflow.activeWorkflow.changeTracker.activeState.nodes"
            ".find((node) => node.id === id).widgets_values[4] === saved",
            arg=[self.node_id, self.saved()],
            timeout=15_000,
        )
        self.page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
