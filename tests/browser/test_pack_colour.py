"""The pack's colour marks new nodes, and never takes the place of what a user decided."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "web" / "pack_colour.js"
OURS = re.findall(r"#[0-9a-f]{6}", SCRIPT.read_text("utf-8"))[:2]  # title, body
SETTING = "CLIPExplainability.ColourNodes"

ADD = """kind => {
  const node = window.LiteGraph.createNode(kind);
  window.app.graph.add(node);
  return String(node.id);
}"""
NODE = "const node = window.app.graph.getNodeById(id);"
COLOURS = f"id => {{ {NODE} return [node.color ?? null, node.bgcolor ?? null] }}"
RELOAD = """async () => {
  const saved = JSON.parse(JSON.stringify(window.app.graph.serialize()));
  await window.app.loadGraphData(saved, true, false, window.app.extensionManager.workflow.activeWorkflow);
}"""


class Graph:
    """An empty graph, and what is said to it."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def add(self, kind: str = "PickSpatialConstraint") -> str:
        return self.page.evaluate(ADD, kind)

    def colours(self, node: str) -> list[str | None]:
        return self.page.evaluate(COLOURS, node)

    def choose(self, node: str, palette: str | None) -> None:
        """The colour menu: a colour of the palette, or "No color"."""
        option = "null" if palette is None else f"LGraphCanvas.node_colors.{palette}"
        self.page.evaluate(f"id => {{ {NODE} node.setColorOption({option}) }}", node)

    def reload(self) -> None:
        self.page.evaluate(RELOAD)

    def setting(self, on: bool) -> None:
        self.page.evaluate(
            "([id, on]) => window.app.extensionManager.setting.set(id, on)",
            [SETTING, on],
        )


@pytest.fixture
def graph(booted: Any) -> Iterator[Graph]:
    booted.page.console.complaints.clear()
    booted.load()
    yield Graph(booted.page)
    assert booted.page.console.complaints == []


def test_a_new_node_has_the_packs_colour(graph: Graph) -> None:
    assert graph.colours(graph.add("PickSpatialConstraint")) == OURS
    assert graph.colours(graph.add("BoxSpatialConstraint")) == OURS


def test_nodes_of_others_are_left_alone(graph: Graph) -> None:
    assert graph.colours(graph.add("LoadImage")) == [None, None]


@pytest.mark.parametrize("palette", ["red", None])
def test_a_users_choice_survives_saving(graph: Graph, palette: str | None) -> None:
    node = graph.add()
    graph.choose(node, palette)
    chosen = graph.colours(node)
    assert chosen != OURS
    graph.reload()
    assert graph.colours(node) == chosen


def test_the_packs_colour_survives_saving(graph: Graph) -> None:
    node = graph.add()
    graph.reload()
    assert graph.colours(node) == OURS


def test_a_workflow_made_without_it_stays_so(booted: Any, graph: Graph) -> None:
    booted.load(
        {"id": 7, "type": "PickSpatialConstraint", "pos": [300, 90], "size": [220, 120], "flags": {}, "mode": 0}
    )
    assert graph.colours("7") == [None, None]


def test_a_copy_is_as_its_original(graph: Graph) -> None:
    node = graph.add()
    graph.choose(node, None)
    copy = graph.page.evaluate(
        f"id => {{ {NODE} const copy = node.clone(); window.app.graph.add(copy); return String(copy.id) }}", node
    )
    assert graph.colours(copy) == [None, None]


def test_it_can_be_switched_off(graph: Graph) -> None:
    graph.setting(False)
    try:
        assert graph.colours(graph.add()) == [None, None]
    finally:
        graph.setting(True)
