"""Turn a workflow file (UI form, as the editor saves it) into the API form that ``/prompt`` takes.

The editor's own "Save (API)" does this in the browser. Doing it here means that the example workflows which
users open are the very files that the demo and the tests run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Node = dict[str, Any]
ObjectInfo = dict[str, dict[str, Any]]
Link = tuple[int, int]  # origin node, origin slot

MUTED, BYPASSED = 2, 4
FRONTEND_ONLY = {"Note", "MarkdownNote", "PrimitiveNode", "Reroute"}
WIDGET_TYPES = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
SEED_NAMES = {"seed", "noise_seed"}
CONTROL_VALUES = {"fixed", "increment", "decrement", "randomize"}


class UnknownNode(ValueError):
    """A node of the workflow is not installed in the server."""


def to_api(workflow: dict[str, Any], object_info: ObjectInfo) -> dict[str, dict[str, Any]]:
    """The API form of a workflow, given what the server's ``/object_info`` says of its nodes."""
    return _Graph(workflow, object_info).to_api()


def read_workflow(file: Path) -> dict[str, Any]:
    """A workflow file's content."""
    workflow: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return workflow


class _Graph:
    def __init__(self, workflow: dict[str, Any], object_info: ObjectInfo) -> None:
        if workflow.get("definitions", {}).get("subgraphs"):
            raise ValueError("workflows with subgraphs are not converted: unpack the subgraph and save again")
        self.nodes: dict[int, Node] = {node["id"]: node for node in workflow["nodes"]}
        self.links: dict[int, Link] = dict(_links(workflow.get("links", [])))
        self.object_info = object_info

    def to_api(self) -> dict[str, dict[str, Any]]:
        return {
            str(node["id"]): {
                "class_type": node["type"],
                "inputs": self._inputs(node),
                "_meta": {"title": node.get("title") or self._display_name(node)},
            }
            for node in self.nodes.values()
            if node["type"] not in FRONTEND_ONLY and node.get("mode", 0) not in (MUTED, BYPASSED)
        }

    def _display_name(self, node: Node) -> str:
        name: str = self.object_info.get(node["type"], {}).get("display_name") or node["type"]
        return name

    def _inputs(self, node: Node) -> dict[str, Any]:
        inputs = self._widget_values(node)
        for socket in node.get("inputs", []):
            if socket.get("link") is None:
                continue
            name = socket["name"]
            source = self._source(socket["link"])
            if source is None:
                inputs.pop(name, None)
            elif self.nodes[source[0]]["type"] == "PrimitiveNode":
                inputs[name] = self.nodes[source[0]]["widgets_values"][0]
            else:
                inputs[name] = [str(source[0]), source[1]]
        return inputs

    def _source(self, link_id: int) -> Link | None:
        """The output that really feeds a link: behind reroutes and bypassed nodes; None behind a muted one."""
        link: Link | None = self.links.get(link_id)
        while link is not None:
            node, slot = self.nodes[link[0]], link[1]
            if node.get("mode", 0) == MUTED:
                return None
            if node["type"] == "Reroute":
                link = self._linked(node["inputs"][:1])
            elif node.get("mode", 0) == BYPASSED:
                link = self._linked(_passed_through(node, slot))
            else:
                return link
        return None

    def _linked(self, sockets: list[dict[str, Any]]) -> Link | None:
        for socket in sockets:
            if socket.get("link") is not None:
                return self.links.get(socket["link"])
        return None

    def _widget_values(self, node: Node) -> dict[str, Any]:
        if node["type"] not in self.object_info:
            raise UnknownNode(f"node {node['id']} is a {node['type']}, which this server does not know")
        values = node.get("widgets_values") or []
        if isinstance(values, dict):
            return dict(values)
        found: dict[str, Any] = {}
        position = 0
        for name, spec in _specs(self.object_info[node["type"]]):
            if not _is_widget(name, spec, node):
                continue
            if position >= len(values):
                break
            found[name] = values[position]
            position += 1
            if _has_control(name, spec) and position < len(values) and values[position] in CONTROL_VALUES:
                position += 1
        return found


def _links(links: list[Any]) -> Iterator[tuple[int, Link]]:
    for link in links:
        if isinstance(link, dict):
            yield link["id"], (link["origin_id"], link["origin_slot"])
        else:
            yield link[0], (link[1], link[2])


def _specs(info: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Inputs in the order in which the editor lays out their widgets."""
    for group in ("required", "optional"):
        specs = info["input"].get(group, {})
        for name in info.get("input_order", {}).get(group, specs):
            yield name, specs[name]


def _is_widget(name: str, spec: list[Any], node: Node) -> bool:
    options = spec[1] if len(spec) > 1 else {}
    if options.get("forceInput"):
        return False
    if isinstance(spec[0], list) or spec[0] in WIDGET_TYPES:
        return True
    # A widget of a type of our own: newer editors list it with the sockets and mark it, older ones don't list it.
    socket = next((socket for socket in node.get("inputs", []) if socket["name"] == name), None)
    return socket is None or "widget" in socket


def _has_control(name: str, spec: list[Any]) -> bool:
    options = spec[1] if len(spec) > 1 else {}
    return bool(options.get("control_after_generate")) or (spec[0] == "INT" and name in SEED_NAMES)


def _passed_through(node: Node, slot: int) -> list[dict[str, Any]]:
    """The inputs that a bypassed node may hand to this output: the one at the same place first, then by type."""
    wanted = node["outputs"][slot]["type"]
    inputs = [socket for socket in node.get("inputs", []) if socket["type"] == wanted]
    return sorted(inputs, key=lambda socket: node["inputs"].index(socket) != slot)[:1]


def main() -> None:
    """Print the API form of a workflow file: ``workflow_api.py FILE HOST:PORT``."""
    from host_client import ComfyClient

    with ComfyClient(sys.argv[2]) as client:
        print(json.dumps(to_api(read_workflow(Path(sys.argv[1])), client.object_info()), indent=2))


if __name__ == "__main__":
    main()
