"""Make the animated picture of the viewer, ``web/docs/images/lens.webp``: ``python scripts/make_animation.py``.

It runs the first example on a real ComfyUI, works the viewer on its map node as a user would, and keeps a screenshot of
every step. Takes ``--host HOST:PORT`` of a running ComfyUI with the pack; else PyPI's is started.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from typing import Any

from console import say
from example_files import FOLDER
from graph_page import GraphPage
from host_client import ComfyClient
from make_pictures import IMAGES, graph_page, running_host
from PIL import Image
from workflow_api import read_workflow

FILE = IMAGES / "lens.webp"
WIDTH = 560  # pixels
LARGEST = 1_500_000  # bytes
PROMPTS = "a photo of a cat\na photo of a guitar"
Frame = tuple[bytes, int]  # a PNG and how long it stands, in ms


def main() -> int:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", help="HOST:PORT of a running ComfyUI with the pack (default: start PyPI's)")
    options = parser.parse_args()
    with running_host(options.host) as address, ComfyClient(address) as client, graph_page(client, {}) as page:
        frames = list(play(page))
    pictures = [Image.open(io.BytesIO(png)).convert("RGB") for png, _ in frames]
    size = (WIDTH, round(pictures[0].height * WIDTH / pictures[0].width))
    pictures = [picture.resize(size, Image.Resampling.LANCZOS) for picture in pictures]
    durations = [duration for _, duration in frames]
    file = io.BytesIO()  # written at once: an interrupted run leaves the picture before it
    pictures[0].save(
        file, "WEBP", save_all=True, append_images=pictures[1:], duration=durations, loop=0, quality=70, method=4
    )
    FILE.write_bytes(file.getvalue())
    say(f"  {FILE.name}: {len(frames)} frames, {size[0]} x {size[1]}, {FILE.stat().st_size // 1000} KB")
    return 0 if FILE.stat().st_size <= LARGEST else 1


def play(graph: GraphPage) -> Iterator[Frame]:
    """Words under the pointer, two of them pinned, the looks, a place ranked, zoom."""
    workflow = read_workflow(FOLDER / "relevancy_map.json")
    graph.load(workflow)
    page = graph.page
    page.set_viewport_size({"width": 1600, "height": 1500})
    page.evaluate(PREPARE, PROMPTS)
    graph.run()
    viewer = page.locator(".cxl-root").first
    page.wait_for_function("() => !!document.querySelector('.cxl-stage')?.offsetParent")
    page.evaluate(CLOSE_UP)
    page.wait_for_timeout(600)

    def frame(duration: int = 900) -> Frame:
        page.wait_for_timeout(120)
        return viewer.screenshot(), duration

    def chip(label: str) -> Any:
        return viewer.locator(".cxl-chip", has=page.locator(f".cxl-name:text-is({label!r})")).first

    def at(x: float, y: float) -> tuple[float, float]:
        place = viewer.locator(".cxl-frame").first.bounding_box()
        assert place is not None
        return place["x"] + x * place["width"], place["y"] + y * place["height"]

    yield frame(1200)
    for word in ("cat", "guitar"):
        chip(word).hover()
        yield frame(1100)
    for word in ("cat", "guitar"):
        chip(word).click()
        yield frame(700)
    page.mouse.move(5, 5)
    yield frame(1400)
    viewer.locator(".cxl-surface").focus()
    page.keyboard.press("Escape")
    chip("a photo of a cat").hover()
    chip("a photo of a cat").click()
    for threshold in (0.1, 0.2, 0.3, 0.4):
        viewer.locator('[data-focus="threshold"]').fill(str(threshold))
        yield frame(250)
    for mode in ("outline", "masked"):
        viewer.locator('[data-focus="mode"]').select_option(mode)
        yield frame(1000)
    viewer.locator('[data-focus="mode"]').select_option("wipe")
    for place in (0.15, 0.3, 0.45, 0.6):
        viewer.locator('[data-focus="wipe"]').fill(str(place))
        yield frame(220)
    viewer.locator('[data-focus="mode"]').select_option("heat")
    page.keyboard.press("Escape")
    chip("a photo of a guitar").click()
    for x, y in ((0.3, 0.4), (0.5, 0.5), (0.73, 0.66)):
        page.mouse.move(*at(x, y))
        yield frame(450)
    page.mouse.dblclick(*at(0.73, 0.66))
    yield frame(1500)
    for _ in range(3):
        page.mouse.wheel(0, -120)
        yield frame(250)
    yield frame(1200)


PREPARE = """prompts => {
  const node = app.graph.nodes.find((each) => each.type === "CLIPRelevancyMap");
  for (const [name, value] of [["text", prompts], ["maps_of_words", "all"], ["threshold", 0.2]]) {
    const widget = node.widgets.find((each) => each.name === name);
    widget.value = value;
    widget.callback?.(value);
  }
  node.pos = [3000, 0]; // nothing lies over it
  node.setSize([560, 1180]);
}"""
CLOSE_UP = """() => {
  const node = app.graph.nodes.find((each) => each.type === "CLIPRelevancyMap");
  const ds = app.canvas.ds;
  ds.scale = 1.25; ds.offset[0] = 80 - node.pos[0]; ds.offset[1] = 40 - node.pos[1];
  app.canvas.setDirty(true, true);
}"""


if __name__ == "__main__":
    raise SystemExit(main())
