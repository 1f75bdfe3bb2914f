"""The pack's blueprints in the newest frontend: found in the search box, placed, wired, and run by a real host."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_console import BOOT_MS, VIEWPORT

pytestmark = pytest.mark.host

HERE = Path(__file__).parent
TINY = HERE.parent / "host"  # a diffusion model with random weights, as a node
RUN_SECONDS = 300
READY = "() => !!(window.app?.graph && window.LiteGraph?.registered_node_types?.CLIPRelevancyMap)"
EMPTY = {"version": 0.4, "nodes": [], "links": [], "groups": [], "config": {}, "extra": {}, "last_node_id": 0}
ADD = """([kind, values, right]) => {
  const node = window.LiteGraph.createNode(kind);
  node.pos = [right ? 1400 : 60, 60 + 320 * window.app.graph.nodes.length];
  window.app.graph.add(node);
  for (const [name, value] of Object.entries(values)) node.widgets.find(w => w.name === name).value = value;
  return String(node.id);
}"""
SET = """([id, values]) => {
  const { widgets } = window.app.graph.getNodeById(id);
  for (const [name, value] of Object.entries(values)) widgets.find(w => w.name === name).value = value;
}"""
CONNECT = """([from, output, to, input]) => {
  const graph = window.app.graph, source = graph.getNodeById(from), target = graph.getNodeById(to);
  const slot = typeof output === "number" ? output : source.findOutputSlot(output);
  const link = source.connect(slot, target, target.findInputSlot(input));
  if (!link) throw new Error(`${from}.${output} does not fit ${to}.${input}`);
}"""


class Workbench:
    """The page, and the host that runs what it queues."""

    def __init__(self, page: Any, client: Any) -> None:
        self.page = page
        self.client = client

    def clear(self) -> None:
        self.page.evaluate("async (empty) => { await window.app.loadGraphData(empty) }", EMPTY)
        self.page.wait_for_function("() => window.app.graph.nodes.length === 0")

    def place(self, blueprint: str) -> str:
        """Through the search box, as a user does; the id of the new node."""
        search = self.page.locator("input:focus")
        for _ in range(20):  # a graph that was just loaded may miss the first
            self.page.mouse.dblclick(640, 400)
            self.page.wait_for_timeout(1500)
            if search.count():
                break
        self.page.keyboard.type(blueprint)
        self.page.get_by_text("Subgraph Blueprints / CLIP Explainability").first.wait_for()
        self.page.keyboard.press("Enter")
        self.page.wait_for_timeout(500)
        self.page.mouse.click(640, 400)  # newer frontends let the node follow the pointer until it is put down
        self.page.wait_for_function("() => window.app.graph.nodes.length === 1")
        return str(self.page.evaluate("() => String(window.app.graph.nodes[0].id)"))

    def add(self, kind: str, /, right: bool = False, **values: Any) -> str:
        return str(self.page.evaluate(ADD, [kind, values, right]))

    def connect(self, source: str, output: str | int, target: str, socket: str) -> None:
        self.page.evaluate(CONNECT, [source, output, target, socket])

    def set(self, node: str, **values: Any) -> None:
        self.page.evaluate(SET, [node, values])

    def widgets(self, node: str) -> list[str]:
        return self.page.evaluate("id => window.app.graph.getNodeById(id).widgets.map(w => w.name)", node)

    def run(self) -> dict[str, Any]:
        """Press Run; what the nodes showed, by node id."""
        before = set(self.client.get_json("/history"))
        self.page.evaluate("async () => { await window.app.queuePrompt(0) }")
        for _ in range(RUN_SECONDS * 2):
            done = [entry for key, entry in self.client.get_json("/history").items() if key not in before]
            if done:
                assert done[0]["status"]["status_str"] == "success", done[0]["status"]
                return done[0]["outputs"]
            time.sleep(0.5)
        raise TimeoutError("the workflow did not end")

    def pictures(self, outputs: dict[str, Any], node: str) -> list[Any]:
        from PIL import Image

        return [Image.open(io.BytesIO(self.client.view(image))) for image in outputs[node]["images"]]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from environment import Environment
    from host_client import ComfyClient
    from host_server import ComfyServer, link_folder

    path = os.environ.get("COMFYUI_PATH")
    if not path and importlib.util.find_spec("comfy") is None:
        pytest.skip("this Python has no ComfyUI: run scripts/test.py, or set COMFYUI_PATH")
    base = tmp_path_factory.mktemp("blueprints")
    (base / "custom_nodes").mkdir()
    link_folder(TINY / "tiny_nodes", base / "custom_nodes" / "tiny-nodes")
    os.environ["TINY_DIFFUSION"] = str(TINY)
    python = Path(os.environ.get("COMFYUI_PYTHON", sys.executable))
    environment = Environment(python, Path(path) if path else None)
    with ComfyServer(environment, base) as server, ComfyClient(server.address) as client:
        yield client


@pytest.fixture(scope="module")
def bench(renderer: str, chromium: Any, host: Any) -> Iterator[Workbench]:
    from frontend_server import FrontendServer

    settings = {"Comfy.VueNodes.Enabled": renderer == "nodes2"}
    with FrontendServer(host.address, settings) as server:
        context = chromium.new_context(viewport=VIEWPORT)
        page = context.new_page()
        page.route("**/*", lambda route: route.continue_() if "127.0.0.1" in route.request.url else route.abort())
        page.set_default_timeout(BOOT_MS)
        page.goto(server.address, timeout=BOOT_MS)
        page.wait_for_function(READY, timeout=BOOT_MS)
        yield Workbench(page, host)
        context.close()


def test_text_to_mask(bench: Workbench) -> None:
    bench.clear()
    blueprint = bench.place("Text to mask")
    assert bench.widgets(blueprint) == ["text", "threshold", "method", "fit", "source"]
    bench.set(blueprint, text="a photo of a cat\na photo of a car", threshold=0.3)
    scene = bench.add("DemoScene", objects="cat, car", width=128, height=96)
    picture = bench.add("MaskToImage", right=True)
    shown = bench.add("PreviewImage", right=True)
    bench.connect(scene, "image", blueprint, "image")
    bench.connect(blueprint, "mask", picture, "mask")
    bench.connect(picture, "IMAGE", shown, "images")
    masks = bench.pictures(bench.run(), shown)
    assert [mask.size for mask in masks] == [(128, 96)] * 2  # one for each line of text
    assert all(mask.convert("L").getextrema() == (0, 255) for mask in masks)


def test_classify_and_route(bench: Workbench) -> None:
    bench.clear()
    blueprint = bench.place("Classify and route")
    bench.set(blueprint, classes="house\ntree\npizza", class_name="house")
    scene = bench.add("DemoScene", objects="house, tree, pizza", apart=True, width=96, height=96)
    matching = bench.add("PreviewImage", right=True)
    others = bench.add("PreviewImage", right=True)
    chart = bench.add("PreviewImage", right=True)
    bench.connect(scene, "image", blueprint, "image")
    for output, shown in (("matching", matching), ("others", others), ("chart", chart)):
        bench.connect(blueprint, output, shown, "images")
    outputs = bench.run()
    routed = [len(outputs.get(node, {}).get("images", [])) for node in (matching, others)]
    assert routed == [1, 2]
    assert len(outputs[chart]["images"]) == 1


def test_guided_sampler(bench: Workbench) -> None:
    bench.clear()
    blueprint = bench.place("Guided sampler")
    bench.set(blueprint, prompt="a cat and a dog", steps=2, strength=0.3)
    model = bench.add("TinyDiffusion", kind="eps")
    latent = bench.add("EmptyLatentImage", width=64, height=64)
    shown = bench.add("PreviewImage", right=True)
    report = bench.add("GuidanceReport", right=True)
    curves = bench.add("PreviewImage", right=True)
    for slot, socket in enumerate(("model", "vae", "positive", "negative")):
        bench.connect(model, slot, blueprint, socket)
    bench.connect(latent, "LATENT", blueprint, "latent_image")
    bench.connect(blueprint, "image", shown, "images")
    bench.connect(blueprint, "image", report, "image")
    bench.connect(blueprint, "record", report, "record")
    bench.connect(report, "curves", curves, "images")
    outputs = bench.run()
    (picture,) = bench.pictures(outputs, shown)
    assert picture.size == (64, 64)
    assert outputs[curves]["images"]
