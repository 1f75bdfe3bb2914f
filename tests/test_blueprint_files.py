"""The blueprints' files agree with the nodes that they hold: a renamed or added input shows here, not at a user's."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from clip_explainability import nodes

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "subgraphs").glob("*.json"))
ENTRY, EXIT = -10, -20  # the subgraph's own ends
COMFYUI_NODES = {"KSampler", "VAEDecode"}
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN"}


def read(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The node that a user places, and the subgraph behind it."""
    content = json.loads(file.read_text("utf-8"))
    (node,) = content["nodes"]
    (subgraph,) = content["definitions"]["subgraphs"]
    assert node["type"] == subgraph["id"] == str(uuid.UUID(subgraph["id"]))
    return node, subgraph


def widgets_of(node: Any) -> list[tuple[str, Any]]:
    """Names and specs of a node class's widgets, in order."""
    specs = [item for group in node.INPUT_TYPES().values() for item in group.items()]
    return [
        (name, spec)
        for name, spec in specs
        if (isinstance(spec[0], list) or spec[0] in WIDGETS) and not spec[1].get("forceInput")
    ]


def test_there_are_three() -> None:
    assert [file.stem for file in FILES] == ["Classify and route", "Guided sampler", "Text to mask"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
class TestBlueprint:
    def test_says_what_it_is(self, file: Path) -> None:
        node, subgraph = read(file)
        assert node["title"] == subgraph["name"] == file.stem  # the frontend shows the file's name
        assert subgraph["category"] == "CLIP Explainability"
        assert len(subgraph["description"]) > 40
        assert json.loads(file.read_text("utf-8"))["extra"]["BlueprintSearchAliases"]

    def test_its_nodes_are_as_in_the_code(self, file: Path) -> None:
        for held in read(file)[1]["nodes"]:
            if held["type"] in COMFYUI_NODES:
                continue
            node = nodes.NODE_CLASS_MAPPINGS[held["type"]]
            names = [name for group in node.INPUT_TYPES().values() for name in group]
            assert sorted(socket["name"] for socket in held["inputs"]) == sorted(names)
            outputs = [(socket["name"], socket["type"]) for socket in held["outputs"]]
            assert outputs == list(zip(node.RETURN_NAMES, node.RETURN_TYPES, strict=True))

    def test_its_values_are_ones_that_the_nodes_take(self, file: Path) -> None:
        for held in read(file)[1]["nodes"]:
            if held["type"] in COMFYUI_NODES:
                continue
            values = list(held["widgets_values"])
            for name, (kind, options) in widgets_of(nodes.NODE_CLASS_MAPPINGS[held["type"]]):
                value = values.pop(0)
                if isinstance(kind, list):
                    assert value in kind, name
                elif kind in ("INT", "FLOAT"):
                    assert options["min"] <= value <= options["max"], name
                    if name == "seed":
                        assert values.pop(0) == "fixed"
                else:
                    assert isinstance(value, bool if kind == "BOOLEAN" else str), name
            assert values == []

    def test_every_link_is_known_at_both_ends(self, file: Path) -> None:
        _, subgraph = read(file)
        held = {each["id"]: each for each in subgraph["nodes"]}
        for link in subgraph["links"]:
            if link["origin_id"] == ENTRY:
                source = subgraph["inputs"][link["origin_slot"]]
                assert link["id"] in source["linkIds"]
            else:
                source = held[link["origin_id"]]["outputs"][link["origin_slot"]]
                assert link["id"] in source["links"]
            if link["target_id"] == EXIT:
                target = subgraph["outputs"][link["target_slot"]]
                assert link["id"] in target["linkIds"]
            else:
                target = held[link["target_id"]]["inputs"][link["target_slot"]]
                assert target["link"] == link["id"]
            assert source["type"] == target["type"] == link["type"]
        linked = sum(socket["link"] is not None for each in held.values() for socket in each["inputs"])
        assert linked + len(subgraph["outputs"]) == len(subgraph["links"])

    def test_the_placed_node_shows_what_the_subgraph_takes_and_gives(self, file: Path) -> None:
        node, subgraph = read(file)
        for side in ("inputs", "outputs"):
            shown = [(socket["name"], socket["type"]) for socket in node[side]]
            assert shown == [(socket["name"], socket["type"]) for socket in subgraph[side]]
        widgets = [socket["name"] for socket in node["inputs"] if "widget" in socket]
        assert [name for _, name in node["properties"]["proxyWidgets"]] == widgets
