"""Graphs in a real ComfyUI page: build or load one, lay it out, run it, and take its picture. Needs playwright."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from host_client import ComfyClient

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
# The picture shows nodes and links, and nothing of the page around them.
PAGE_SETTINGS = {
    "Comfy.VueNodes.Enabled": True,
    "Comfy.Canvas.SelectionToolbox": False,
    "Comfy.NodeBadge.NodeSourceBadgeMode": "None",
}
PATIENCE_MS = 600_000
MARGIN = 24  # pixels around the graph
GAP = 28  # pixels between nodes of a column
COLUMN_GAP = 70

READY = "() => !!(window.app?.graph && window.LiteGraph?.registered_node_types?.CLIPRelevancyMap)"
HIDE_PAGE = """
body { visibility: hidden !important }
#graph-canvas, [data-testid="transform-pane"] { visibility: visible }
"""
EMPTY = {"version": 0.4, "nodes": [], "links": [], "groups": [], "config": {}, "extra": {}, "last_node_id": 0}
BUILD = """({ columns, links, sizes }) => {
  const graph = window.app.graph, made = {};
  columns.forEach((column, place) => column.forEach(([name, kind, values]) => {
    const node = window.LiteGraph.createNode(kind);
    if (!node) throw new Error(`${kind} is not installed`);
    graph.add(node);
    made[name] = node;
    for (const [widget, value] of Object.entries(values)) {
      const found = node.widgets.find(each => each.name === widget);
      if (!found) throw new Error(`${kind} has no widget ${widget}`);
      found.value = value;
      found.callback?.(value);
    }
    const control = node.widgets?.find(each => each.name === "control_after_generate");
    if (control) control.value = "fixed";
    node.setSize(sizes[name] ?? [300, 10]);
    node.pos = [place * 460, 100 + 400 * column.findIndex(each => each[0] === name)];
  }));
  for (const [from, output, to, input] of links) {
    const target = made[to];
    if (!target.inputs.some(socket => socket.name === input)) throw new Error(`${to} has no input ${input}`);
    const slot = made[from].findOutputSlot(output);
    const link = made[from].connect(slot, target, target.findInputSlot(input));
    if (!link) throw new Error(`${from}.${output} does not fit ${to}.${input}`);
  }
  return Object.fromEntries(Object.entries(made).map(([name, node]) => [name, String(node.id)]));
}"""
MEASURE = """() => Object.fromEntries([...document.querySelectorAll("[data-node-id]")].map(element => {
  const { x, y, width, height } = element.getBoundingClientRect();
  return [element.dataset.nodeId, { x, y, width, height }];
}))"""
# In the graph's own units, in either renderer; a node's title and the badge above it are part of it.
CROWDED = """gap => {
  const scale = window.app.canvas.ds.scale, title = 30, badge = 24;
  const boxes = window.app.graph.nodes.map(node => {
    const shown = document.querySelector(`[data-node-id="${node.id}"]`)?.getBoundingClientRect();
    const [width, height] = shown ? [shown.width / scale, shown.height / scale - title] : node.size;
    const [x, y] = node.pos;
    return { name: `${node.id} ${node.type}`, left: x, right: x + width, top: y - title - badge, bottom: y + height };
  });
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
    a.left < b.right + gap && b.left < a.right + gap && a.top < b.bottom + gap - badge && b.top < a.bottom + gap - badge
  ).map(b => [a.name, b.name]));
}"""
MOVE = """moves => {
  for (const [id, [x, y]] of Object.entries(moves)) {
    const node = window.app.graph.getNodeById(id);
    node.pos = [node.pos[0] + x, node.pos[1] + y];
  }
  window.app.canvas.setDirty(true, true);
}"""
LOOK_FROM = """([scale, x, y]) => {
  const ds = window.app.canvas.ds;
  ds.scale = scale; ds.offset[0] = x; ds.offset[1] = y;
  window.app.canvas.setDirty(true, true);
}"""
PICTURES_LOADED = """() => [...document.querySelectorAll("[data-node-id] img")].every(
  image => image.complete && image.naturalWidth
)"""


@dataclass(frozen=True)
class Wiring:
    """A small graph.

    Attributes:
        columns: nodes as (name, node id, widget values), left to right and top to bottom.
        links: ``"name.output > name.input"``.
        sizes: width and least height of nodes that want other than the usual, in pixels.
        runs: whether it can be run without a download.
    """

    columns: Sequence[Sequence[tuple[str, str, dict[str, Any]]]]
    links: Sequence[str]
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    runs: bool = True

    def link_ends(self) -> list[tuple[str, ...]]:
        """(from, output, to, input) of each link."""
        return [tuple(end for side in link.split(" > ") for end in side.split(".")) for link in self.links]


def open_editor(browser: Any, address: str, height: int) -> Any:
    """A browser page with ComfyUI's editor and the pack in it, that can reach nothing but this machine."""
    page = browser.new_page(viewport={"width": 1600, "height": height})
    page.set_default_timeout(PATIENCE_MS)
    page.route("**/*", lambda route: route.continue_() if "127.0.0.1" in route.request.url else route.abort())
    page.goto(address, timeout=PATIENCE_MS)
    page.wait_for_function(READY)
    return page


def crowded(page: Any, gap: int = 40) -> list[tuple[str, str]]:
    """Pairs of nodes with less than ``gap`` between them, as the page shows them now: run the workflow first."""
    return [(one, other) for one, other in page.evaluate(CROWDED, gap)]


class GraphPage:
    """A browser page with ComfyUI's editor in it, in Nodes 2.0."""

    def __init__(self, browser: Any, address: str, client: ComfyClient) -> None:
        self._client = client
        self.page = open_editor(browser, address, 1200)
        self.page.add_style_tag(content=HIDE_PAGE)

    def build(self, wiring: Wiring) -> dict[str, str]:
        """Make the graph and lay it out; node ids by name."""
        self.load(EMPTY)
        links = wiring.link_ends()
        ids: dict[str, str] = self.page.evaluate(
            BUILD, {"columns": wiring.columns, "links": links, "sizes": wiring.sizes}
        )
        self.arrange([[ids[name] for name, _, _ in column] for column in wiring.columns])
        return ids

    def load(self, workflow: dict[str, Any]) -> None:
        """Open a workflow file's content."""
        self.page.evaluate("async workflow => { await window.app.loadGraphData(workflow) }", workflow)
        self.page.wait_for_function(
            "n => document.querySelectorAll('[data-node-id]').length >= n", arg=len(workflow["nodes"])
        )
        self._look_from(1.0, 0, 0)

    def run(self) -> dict[str, Any]:
        """Press Run and wait until every picture stands on its node; what the nodes showed."""
        before = set(self._client.get_json("/history"))
        self.page.evaluate("async () => { await window.app.queuePrompt(0) }")
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < deadline:
            done = [entry for key, entry in self._client.get_json("/history").items() if key not in before]
            if done:
                if done[0]["status"]["status_str"] != "success":
                    raise RuntimeError(f"the workflow failed: {done[0]['status']}")
                self._settle()
                self.page.wait_for_function(PICTURES_LOADED)
                outputs: dict[str, Any] = done[0]["outputs"]
                return outputs
            time.sleep(0.5)
        raise TimeoutError("the workflow did not end")

    def arrange(self, columns: Sequence[Sequence[str]]) -> None:
        """Put each column's nodes below each other, and the columns beside each other, as large as they are drawn."""
        self._settle()
        self._look_from(1.0, 0, 0)
        found = self.page.evaluate(MEASURE)
        moves = {}
        left = 0.0
        for column in columns:
            top = 0.0
            for node in column:
                place = found[node]
                moves[node] = (left - place["x"], top - place["y"])
                top += place["height"] + GAP
            left += max(found[node]["width"] for node in column) + COLUMN_GAP
        self.page.evaluate(MOVE, moves)
        self._settle()

    def overlaps(self) -> list[tuple[str, str]]:
        """Pairs of nodes that lie on one another."""
        boxes = list(self.page.evaluate(MEASURE).items())
        return [
            (one, other)
            for place, (one, a) in enumerate(boxes)
            for other, b in boxes[place + 1 :]
            if a["x"] < b["x"] + b["width"]
            and b["x"] < a["x"] + a["width"]
            and a["y"] < b["y"] + b["height"]
            and b["y"] < a["y"] + a["height"]
        ]

    def picture(self, scale: float = 1.0, nodes: Sequence[str] = ()) -> Image.Image:
        """The whole graph, or these nodes of it, with a small margin."""
        self._look_from(1.0, 0, 0)
        boxes = [box for node, box in self.page.evaluate(MEASURE).items() if not nodes or node in nodes]
        left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
        width = max(box["x"] + box["width"] for box in boxes) - left
        height = max(box["y"] + box["height"] for box in boxes) - top
        canvas = self.page.locator("#graph-canvas").bounding_box()
        size = {"width": int(width * scale) + 2 * MARGIN, "height": int(height * scale) + 2 * MARGIN}
        self.page.set_viewport_size({"width": max(size["width"], 800), "height": max(size["height"], 600)})
        self._look_from(scale, MARGIN / scale - (left - canvas["x"]), MARGIN / scale - (top - canvas["y"]))
        self.page.mouse.move(1, 1)
        clip = {"x": canvas["x"], "y": canvas["y"], **size}
        return Image.open(io.BytesIO(self.page.screenshot(clip=clip))).convert("RGB")

    def _look_from(self, scale: float, x: float, y: float) -> None:
        self.page.evaluate(LOOK_FROM, [scale, x, y])
        self._settle()

    def _settle(self, frames: int = 12) -> None:
        """Let the page draw."""
        self.page.evaluate(
            "n => new Promise(done => { const step = () => n-- > 0 ? requestAnimationFrame(step) : done(); step() })",
            frames,
        )
        self.page.wait_for_timeout(300)
