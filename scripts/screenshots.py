"""Photograph what a user sees: ``python scripts/screenshots.py [--host HOST:PORT] [--out FOLDER] [NAME ...]``.

Every example workflow, opened in the newest frontend in both of its renderers, and every node's help page as the
editor shows it beside the node. NAMEs are workflows or node ids, all by default. For looking at, before a release.
Runs in the pack's test environment (``scripts/environment.py --tests``) and needs Chromium.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from console import say
from environment import ROOT
from example_files import EXAMPLES, WITHOUT_DOWNLOAD
from graph_page import crowded, open_editor
from host_client import ComfyClient
from make_pictures import editor, missing_files, running_host, wanted
from workflow_api import read_workflow

RENDERERS = {"canvas": False, "nodes2": True}
DRAWN = "n => window.app.graph.nodes.length >= n"
ADD = """kind => {
  const node = window.LiteGraph.createNode(kind);
  node.pos = [80, 120];
  window.app.graph.add(node);
  window.app.canvas.selectNode(node);
}"""
SHOWN = "() => [...document.querySelectorAll('.node-help-content img')].every(image => image.complete)"


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="take only these (default: all)")
    parser.add_argument("--host", help="HOST:PORT of a running ComfyUI with the pack (default: start PyPI's)")
    parser.add_argument("--run", action="store_true", help="run what needs no download first, and check the gaps")
    parser.add_argument("--out", type=Path, default=ROOT / "demo_output" / "screenshots")
    options = parser.parse_args()
    too_near = 0
    options.out.mkdir(parents=True, exist_ok=True)
    with running_host(options.host) as address, ComfyClient(address) as client:
        files = missing_files(client)
        nodes = [name for name in client.object_info() if (ROOT / "web" / "docs" / f"{name}.md").exists()]
        for renderer, modern in RENDERERS.items():
            with editor(client, files, {"Comfy.VueNodes.Enabled": modern}) as (browser, page_address):
                page = open_editor(browser, page_address, 1000)
                for file in EXAMPLES:
                    if wanted(file.stem, options.names):
                        open_workflow(page, read_workflow(file))
                        if options.run and file in WITHOUT_DOWNLOAD:
                            run_workflow(page, client)
                        for pair in crowded(page):
                            say(f"  {file.stem}, {renderer}: too near: {' and '.join(pair)}")
                            too_near += 1
                        save(page, options.out / f"{file.stem}.{renderer}.png")
                for name in nodes:
                    if modern and wanted(name, options.names):
                        open_help(page, name)
                        save(page, options.out / f"{name}.help.png")
    return 1 if too_near else 0


def run_workflow(page: Any, client: ComfyClient) -> None:
    """Press Run and wait until every picture is on its node."""
    before = set(client.get_json("/history"))
    page.evaluate("async () => { await window.app.queuePrompt(0) }")
    for _ in range(1200):
        if set(client.get_json("/history")) - before:
            break
        page.wait_for_timeout(500)
    page.wait_for_timeout(3000)
    page.evaluate("async () => { await window.app.extensionManager.command.execute('Comfy.Canvas.FitView') }")
    page.wait_for_timeout(1500)


def open_workflow(page: Any, workflow: dict[str, Any]) -> None:
    """As the editor opens a file, all of it in view."""
    page.evaluate("async workflow => { await window.app.loadGraphData(workflow) }", workflow)
    page.wait_for_function(DRAWN, arg=len(workflow["nodes"]))
    page.evaluate("async () => { await window.app.extensionManager.command.execute('Comfy.Canvas.FitView') }")
    page.wait_for_timeout(1500)


def open_help(page: Any, node: str) -> None:
    """A new node, selected, and its help opened by the button above it."""
    page.evaluate("() => { window.app.graph.clear() }")
    page.evaluate(ADD, node)
    page.get_by_test_id("info-button").click()
    page.wait_for_selector(".node-help-content h1, .node-help-content h2")
    page.wait_for_function(SHOWN)
    page.wait_for_timeout(500)


def save(page: Any, file: Path) -> None:
    page.screenshot(path=str(file))
    say(f"  {file}")


if __name__ == "__main__":
    raise SystemExit(main())
