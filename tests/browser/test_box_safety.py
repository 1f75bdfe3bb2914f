"""Hostile labels and broken states."""

from __future__ import annotations

import json

import pytest
from box_page import BoxPage, box, state

HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>"\'&{}'
BROKEN = '{"version":1,"boxes":[{"label":"precious work","x":0.1'


def test_labels_are_text_never_html(boxes: BoxPage, picture) -> None:
    boxes.start(state(box(0.1, 0.2, 0.6, 0.6, HOSTILE, color='red;background:url("http://example.com")', id="<b>")))
    boxes.click((0.4, 0.4))
    boxes.settle(5)
    picture(boxes, "12-hostile")
    assert boxes.page.evaluate("() => window.pwned ?? 0") == 0
    assert boxes.root.locator("script, .cxb-tag img").count() == 0
    assert boxes.root.locator(".cxb-tag").inner_text().endswith(HOSTILE)
    boxes.press("ArrowRight")
    assert boxes.labels() == [HOSTILE]


@pytest.mark.parametrize(
    "broken", [BROKEN, "[]", '{"version":9,"boxes":[]}', '{"version":1,"boxes":[{"x":"a"}]}', "null1"]
)
def test_a_broken_state_opens_empty_says_so_and_is_kept(boxes: BoxPage, broken: str) -> None:
    boxes.start(broken)
    assert "could not be read" in boxes.root.locator(".cxb-message").inner_text()
    assert boxes.root.locator(".cxb-box[data-box]").count() == 0
    assert boxes.saved() == broken


def test_drawing_over_a_broken_state_keeps_it_with_the_node(boxes: BoxPage, picture) -> None:
    boxes.start(BROKEN)
    picture(boxes, "13-broken")
    boxes.draw((0.1, 0.1), (0.5, 0.5), "a cat")
    assert boxes.labels() == ["a cat"]
    saved = boxes.graph("node.serialize()")
    assert saved["properties"]["box_editor_broken"] == BROKEN
    boxes.load(saved)
    assert "kept" in boxes.root.locator(".cxb-message").inner_text()
    boxes.root.get_by_text("Copy the text").click()
    assert boxes.page.evaluate("() => navigator.clipboard.readText()") == BROKEN
    boxes.root.get_by_text("Discard it").click()
    assert not boxes.root.locator(".cxb-message").is_visible()
    assert "box_editor_broken" not in boxes.graph("node.serialize()")["properties"]
    assert boxes.labels() == ["a cat"]


@pytest.mark.parametrize("value", [None, 7, {"version": 1}, ["a"], True])
def test_values_of_any_type_do_no_harm(boxes: BoxPage, value: object) -> None:
    boxes.graph(f"(widget.value = {json.dumps(value)}, 0)")
    boxes.settle()
    boxes.draw((0.1, 0.1), (0.5, 0.5), "still works")
    assert boxes.labels() == ["still works"]


def test_many_boxes(boxes: BoxPage, picture) -> None:
    many = [box((i % 16) / 16, (i // 16) / 16, 1 / 16, 1 / 16, f"thing {i}") for i in range(256)]
    boxes.start(state(*many))
    assert boxes.root.locator(".cxb-row").count() == 256
    boxes.focus()
    boxes.press("Control+d", "Control+a", "Control+d")
    assert "At most 256" in boxes.status()
    picture(boxes, "14-many")


def test_boxes_from_a_link_cannot_be_edited_here(boxes: BoxPage) -> None:
    """Hosts that turn widgets into inputs can feed the state over a link."""
    boxes.start(state(box(0.1, 0.1, 0.3, 0.3)))
    boxes.page.evaluate("() => {}")
    assert boxes.graph("widget.options.socketless") is True
