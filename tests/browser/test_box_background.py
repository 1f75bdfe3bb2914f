"""The picture behind the boxes, and its shape."""

from __future__ import annotations

from typing import Any

import pytest
from box_page import WORKFLOW_NODE, BoxPage, box, state

ONE = state(box(0.25, 0.25, 0.5, 0.5))
NODE = {**WORKFLOW_NODE, "widgets_values": [512, 512, "a photo of {}", 0, ONE]}


def linked(boxes: BoxPage, source: dict[str, Any], name: str, kind: str) -> None:
    """Load a source node wired to this input."""
    upstream = {"id": 2, "pos": [20, 90], "size": [300, 200], "flags": {}, "mode": 0, **source}
    upstream["outputs"] = [{"name": kind, "type": kind, "links": [1]}]
    node = {**NODE, "inputs": [{"name": name, "type": kind, "link": 1}]}
    boxes.load(upstream, node, links=[[1, 2, 0, 1, 0, kind]])


def aspect(boxes: BoxPage) -> float:
    place = boxes.root.locator(".cxb-picture").bounding_box()
    return place["width"] / place["height"]


def shown(boxes: BoxPage) -> str:
    return boxes.root.locator(".cxb-image").evaluate("image => image.hidden ? '' : image.src")


def wait_for_aspect(boxes: BoxPage, wanted: float) -> None:
    boxes.page.wait_for_function(
        "wanted => { const r = document.querySelector('.cxb-root .cxb-picture').getBoundingClientRect();"
        " return Math.abs(r.width / r.height - wanted) < 0.02 }",
        arg=wanted,
    )


def test_width_and_height_shape_the_picture(boxes: BoxPage) -> None:
    boxes.load({**NODE, "widgets_values": [1024, 512, "a photo of {}", 0, ONE]})
    assert aspect(boxes) == pytest.approx(2, abs=0.02)
    boxes.graph("(node.widgets[1].value = 1024, node.widgets[1].callback?.(1024))")
    wait_for_aspect(boxes, 1)
    assert boxes.saved() == ONE


def test_a_connected_latent_shapes_it(boxes: BoxPage) -> None:
    linked(boxes, {"type": "EmptyLatentImage", "widgets_values": [512, 768, 1]}, "latent", "LATENT")
    wait_for_aspect(boxes, 512 / 768)


def test_a_connected_load_image_is_shown_before_any_run(boxes: BoxPage, picture) -> None:
    linked(boxes, {"type": "LoadImage", "widgets_values": ["wide.png", "image"]}, "image", "IMAGE")
    wait_for_aspect(boxes, 2)
    assert "wide.png" in shown(boxes)
    picture(boxes, "11-background")
    boxes.graph(
        "(() => { const w = app.canvas.graph.getNodeById(2).widgets[0];"
        " w.value = 'tall.png'; w.callback?.('tall.png') })()"
    )
    boxes.root.hover()
    wait_for_aspect(boxes, 0.5)
    assert "tall.png" in shown(boxes)
    boxes.root.locator('[aria-label="Background picture"]').select_option("none")
    assert shown(boxes) == ""


def test_the_last_runs_picture_is_shown_after_it(boxes: BoxPage) -> None:
    boxes.load(
        {**NODE, "outputs": [{"name": "preview", "type": "IMAGE", "links": [1], "slot_index": 3}]},
        {"id": 2, "type": "PreviewImage", "pos": [920, 90], "size": [200, 200], "flags": {}, "mode": 0,
         "inputs": [{"name": "images", "type": "IMAGE", "link": 1}]},
        links=[[1, 1, 3, 2, 0, "IMAGE"]],
    )  # fmt: skip
    boxes.harness.executed("2", {"images": [{"filename": "result.png", "subfolder": "", "type": "temp"}]})
    boxes.page.wait_for_function("() => document.querySelector('.cxb-root .cxb-image')?.src.includes('result.png')")
    boxes.root.locator('[aria-label="Background picture"]').select_option("input")
    assert shown(boxes) == ""


def test_the_nodes_own_run_tells_size_and_input(boxes: BoxPage) -> None:
    boxes.harness.executed("1", {"box_editor_size": [640, 320]})
    boxes.page.wait_for_timeout(100)
    assert aspect(boxes) == pytest.approx(1, abs=0.02)  # nothing is linked: the widgets rule
    assert boxes.graph("node.imgs?.length ?? 0") == 0


def test_brightness(boxes: BoxPage) -> None:
    boxes.root.locator('[aria-label="Brightness of the background"]').fill("0.3")
    assert boxes.root.locator(".cxb-image").evaluate("image => image.style.opacity") == "0.3"


INTO_SUBGRAPH = """ids => {
  const { canvas } = window.app;
  const nodes = ids.map(id => canvas.graph.getNodeById(id));
  const made = canvas.graph.convertToSubgraph(new Set(nodes));
  return made.node.id;
}"""
OPEN = """id => {
  const { canvas } = window.app;
  const outer = canvas.graph.getNodeById(id);
  canvas.openSubgraph ? canvas.openSubgraph(outer.subgraph, outer) : canvas.setGraph(outer.subgraph);
  return outer.subgraph.nodes.map(node => [node.type, node.id]);
}"""
IMAGE = {"type": "LoadImage", "widgets_values": ["wide.png", "image"]}
LATENT = {"type": "EmptyLatentImage", "widgets_values": [512, 1024, 1]}


def enter(boxes: BoxPage, *ids: int) -> int:
    """Make a subgraph of these nodes and open it; the outer node's id."""
    outer = boxes.page.evaluate(INTO_SUBGRAPH, list(ids))
    inner = dict(boxes.page.evaluate(OPEN, outer))
    boxes.node_id = inner.get("BoxSpatialConstraint", boxes.node_id)
    boxes.page.wait_for_function("() => [...document.querySelectorAll('.cxb-root')].some(e => e.offsetParent)")
    boxes.settle(6)
    boxes.root.hover()
    return outer


@pytest.mark.parametrize(
    ("source", "name", "kind", "wanted"), [(IMAGE, "image", "IMAGE", 2), (LATENT, "latent", "LATENT", 0.5)]
)
def test_inside_a_subgraph_size_and_picture_come_from_outside(
    boxes: BoxPage, picture, source: dict[str, Any], name: str, kind: str, wanted: float
) -> None:
    linked(boxes, source, name, kind)
    enter(boxes, 1)
    wait_for_aspect(boxes, wanted)
    assert ("wide.png" in shown(boxes)) == (name == "image")
    picture(boxes, f"16-subgraph-{name}")


def test_two_subgraphs_deep(boxes: BoxPage) -> None:
    linked(boxes, IMAGE, "image", "IMAGE")
    inner = boxes.page.evaluate(INTO_SUBGRAPH, [1])
    outer = boxes.page.evaluate(INTO_SUBGRAPH, [inner])
    for _ in range(2):
        found = boxes.page.evaluate(OPEN, outer)
        outer = found[0][1]
    boxes.page.wait_for_function("() => [...document.querySelectorAll('.cxb-root')].some(e => e.offsetParent)")
    boxes.root.hover()
    wait_for_aspect(boxes, 2)


def test_a_picture_that_comes_out_of_a_subgraph(boxes: BoxPage) -> None:
    linked(boxes, IMAGE, "image", "IMAGE")
    boxes.page.evaluate(INTO_SUBGRAPH, [2])
    boxes.settle(6)
    boxes.root.hover()
    wait_for_aspect(boxes, 2)
    assert "wide.png" in shown(boxes)


def test_a_result_outside_the_subgraph_is_shown_inside(boxes: BoxPage) -> None:
    preview = {"id": 3, "type": "PreviewImage", "pos": [900, 90], "size": [200, 200], "flags": {}, "mode": 0}
    preview["inputs"] = [{"name": "images", "type": "IMAGE", "link": 1}]
    outputs = [
        {"name": name, "type": kind, "links": [1] if name == "preview" else None}
        for name, kind in zip(
            ("constraints", "masks", "bboxes", "preview", "prompts"),
            ("EXPLAINABILITY_CONSTRAINTS", "MASK", "BOUNDING_BOX", "IMAGE", "STRING"),
            strict=True,
        )
    ]
    boxes.load({**NODE, "outputs": outputs}, preview, links=[[1, 1, 3, 3, 0, "IMAGE"]])
    enter(boxes, 1)
    boxes.harness.executed("3", {"images": [{"filename": "result.png", "subfolder": "", "type": "temp"}]})
    boxes.page.wait_for_function("() => document.querySelector('.cxb-image').src.includes('result.png')")
