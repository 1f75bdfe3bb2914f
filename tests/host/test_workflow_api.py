"""From the editor's file to the API form, without a server: every way in which an input gets its value."""

from __future__ import annotations

from typing import Any

import pytest
from workflow_api import UnknownNode, to_api

INFO: dict[str, Any] = {
    "Loader": {"input": {"required": {"model": [["a", "b"], {}]}}},
    "Sampler": {
        "input": {
            "required": {"seed": ["INT", {}], "image": ["IMAGE"], "text": ["STRING", {"multiline": True}]},
            "optional": {"boxes": ["OUR_BOXES", {}], "size": ["INT", {}], "extra": ["IMAGE"]},
        },
        "input_order": {"required": ["image", "seed", "text"], "optional": ["boxes", "size", "extra"]},
    },
    "Filter": {"input": {"required": {"image": ["IMAGE"], "amount": ["FLOAT", {}]}}},
}


def node(number: int, kind: str, values: Any = (), **others: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "widgets_values": values, "inputs": [], "outputs": [], **others}


def socket(name: str, link: int | None, kind: str = "IMAGE", **others: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "link": link, **others}


def convert(*nodes: dict[str, Any], links: Any = ()) -> dict[str, dict[str, Any]]:
    api = to_api({"nodes": list(nodes), "links": list(links)}, INFO)
    return {number: entry["inputs"] for number, entry in api.items()}


SAMPLER_VALUES = [7, "randomize", "a cat", "[]", 64]


def test_widget_values_are_named_in_the_editors_order() -> None:
    sampler = node(2, "Sampler", SAMPLER_VALUES, inputs=[socket("image", None), socket("extra", None)])
    assert convert(sampler) == {"2": {"seed": 7, "text": "a cat", "boxes": "[]", "size": 64}}


def test_newer_editors_list_widgets_with_the_sockets() -> None:
    inputs = [
        socket("image", None),
        *(socket(name, None, kind, widget={"name": name}) for name, kind in [("seed", "INT"), ("boxes", "OUR_BOXES")]),
        socket("extra", None),
    ]
    sampler = node(2, "Sampler", SAMPLER_VALUES, inputs=inputs)
    assert convert(sampler) == {"2": {"seed": 7, "text": "a cat", "boxes": "[]", "size": 64}}


def test_a_link_wins_over_the_widget_that_it_was_converted_from() -> None:
    sampler = node(2, "Sampler", SAMPLER_VALUES, inputs=[socket("image", None), socket("text", 5, "STRING")])
    loader = node(1, "Loader", ["b"])
    assert convert(loader, sampler, links=[[5, 1, 0, 2, 1, "STRING"]])["2"]["text"] == ["1", 0]


def test_reroutes_and_bypassed_nodes_are_stepped_through() -> None:
    loader = node(1, "Loader", ["b"])
    reroute = node(2, "Reroute", inputs=[socket("", 10, "*")])
    bypassed = node(3, "Filter", [0.5], inputs=[socket("image", 11)], outputs=[{"type": "IMAGE"}], mode=4)
    last = node(4, "Filter", [0.25], inputs=[socket("image", 12)])
    links = [[10, 1, 0, 2, 0, "*"], [11, 2, 0, 3, 0, "*"], {"id": 12, "origin_id": 3, "origin_slot": 0}]
    assert convert(loader, reroute, bypassed, last, links=links) == {
        "1": {"model": "b"},
        "4": {"image": ["1", 0], "amount": 0.25},
    }


def test_a_muted_node_takes_its_links_with_it() -> None:
    muted = node(1, "Loader", ["b"], mode=2)
    last = node(2, "Filter", [0.25], inputs=[socket("image", 1)])
    assert convert(muted, last, links=[[1, 1, 0, 2, 0, "IMAGE"]]) == {"2": {"amount": 0.25}}


def test_primitives_hand_over_their_value() -> None:
    primitive = node(1, "PrimitiveNode", [0.75, "fixed"])
    inputs = [socket("image", None), socket("amount", 1, "FLOAT", widget={"name": "amount"})]
    assert convert(primitive, node(2, "Filter", [0.25], inputs=inputs), links=[[1, 1, 0, 2, 1, "FLOAT"]]) == {
        "2": {"amount": 0.75}
    }


def test_notes_are_left_out_and_unknown_nodes_named() -> None:
    assert convert(node(1, "MarkdownNote", ["read me"])) == {}
    with pytest.raises(UnknownNode, match="NotInstalled"):
        convert(node(1, "NotInstalled"))
