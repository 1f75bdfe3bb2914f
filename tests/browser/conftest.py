"""A real Chromium with the newest ComfyUI frontend, in both of its renderers."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from page_console import BOOT_MS, VIEWPORT, Console

HERE = Path(__file__).parent

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RENDERERS = {"canvas": False, "nodes2": True}  # name -> Nodes 2.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser. On a developer's machine without one these tests are skipped; in CI that is a failure."""
    import chromium as finder

    program = finder.find()
    missing = [
        name for name in ("playwright", "comfyui_frontend_package", "aiohttp") if not importlib.util.find_spec(name)
    ]
    if program is None or missing:
        reason = f"missing: {', '.join(missing)} (see requirements-test.txt)" if missing else finder.ADVICE
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session", params=list(RENDERERS))
def renderer(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def booted(renderer: str, chromium: Any) -> Iterator[Any]:
    """One page for each renderer, kept for all tests: booting the frontend takes seconds."""
    from box_page import BoxPage
    from harness import Harness

    vue_nodes = RENDERERS[renderer]
    harness = Harness(vue_nodes=vue_nodes)
    context = chromium.new_context(viewport=VIEWPORT, has_touch=True, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.route("**/*", lambda route: route.continue_() if "127.0.0.1" in route.request.url else route.abort())
    page.console = Console(page)
    page.goto(harness.address, timeout=BOOT_MS)
    page.wait_for_function(
        "() => !!(window.app?.graph && window.LiteGraph?.registered_node_types?.BoxSpatialConstraint)", timeout=BOOT_MS
    )
    page.wait_for_function("wanted => (!!window.LiteGraph.vueNodesMode) === wanted", arg=vue_nodes)
    yield BoxPage(page, harness, vue_nodes)
    context.close()
    harness.stop()


@pytest.fixture
def boxes(booted: Any) -> Iterator[Any]:
    """The page with one fresh node; afterwards the console must have stayed silent."""
    booted.page.console.complaints.clear()
    booted.page.mouse.move(5, 5)
    booted.start()
    yield booted
    assert booted.page.console.complaints == []


@pytest.fixture
def picture(renderer: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Take a screenshot of the editor as a test artefact: picture(boxes, "name")."""
    folder = Path(os.environ.get("BROWSER_SCREENSHOTS") or tmp_path_factory.getbasetemp() / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)

    def take(boxes: Any, name: str) -> Path:
        file = folder / f"{name}-{renderer}.png"
        boxes.page.screenshot(path=str(file))
        return file

    return take
