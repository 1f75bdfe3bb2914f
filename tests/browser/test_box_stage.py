"""The place to draw in, and what stands around it: it stays where it is, can be enlarged, and says what went wrong."""

from __future__ import annotations

from box_page import WORKFLOW_NODE, BoxPage, box, state

MANY = state(*[box(0.05 * i, 0.05 * i, 0.1, 0.1, f"box {i}") for i in range(12)])


def stage(boxes: BoxPage) -> list[float]:
    place = boxes.root.locator(".cxb-stage").bounding_box()
    return [round(place[side], 1) for side in ("x", "y", "width", "height")]


def test_the_stage_is_large_and_stays_where_it_is(boxes: BoxPage, picture) -> None:
    boxes.start()
    before = stage(boxes)
    assert min(before[2:]) >= 320
    for i in range(4):
        boxes.draw((0.1 + 0.2 * i, 0.1), (0.2 + 0.2 * i, 0.8), f"box {i}")
    boxes.graph(f"widget.value = {MANY!r}")
    boxes.settle(5)
    boxes.harness.failed("1", "something to read")
    boxes.root.locator(".cxb-message").wait_for()
    assert stage(boxes) == before
    picture(boxes, "17-stage")


def test_a_small_saved_node_still_has_it(boxes: BoxPage) -> None:
    boxes.start(MANY, size=[380, 300])
    boxes.settle(6)
    assert min(stage(boxes)[2:]) >= 320


def test_the_frontends_panel_does_not_narrow_the_editor(boxes: BoxPage) -> None:
    boxes.start(MANY)
    boxes.graph("(widget.width = 267, app.canvas.setDirty(true, true), 0)")
    before = stage(boxes)
    boxes.settle(6)
    assert stage(boxes) == before
    assert boxes.root.bounding_box()["width"] > 0.85 * WORKFLOW_NODE["size"][0]


def test_clear_all_spares_locked_boxes_and_can_be_undone(boxes: BoxPage) -> None:
    boxes.start(
        state(box(0.1, 0.1, 0.2, 0.2, "a"), box(0.5, 0.5, 0.2, 0.2, "b", locked=True), box(0.6, 0.1, 0.2, 0.2, "c"))
    )
    boxes.button("Clear all").click()
    assert boxes.labels() == ["b"]
    boxes.button("Undo").click()
    assert boxes.labels() == ["a", "b", "c"]


def test_the_keys_are_listed(boxes: BoxPage, picture) -> None:
    boxes.start(MANY)
    boxes.focus()
    boxes.press("?")
    keys = boxes.root.locator(".cxb-keys")
    assert "draw a box" in keys.inner_text()
    picture(boxes, "18-keys")
    boxes.press("Escape")
    assert not keys.is_visible()


def test_enlarged_it_fills_the_page_and_goes_back(boxes: BoxPage, picture) -> None:
    boxes.start(state(box(0.1, 0.1, 0.3, 0.3)))
    before = stage(boxes)
    boxes.focus()
    boxes.press("f")
    boxes.page.locator("dialog .cxb-root").wait_for()
    assert min(stage(boxes)[2:]) > 500
    boxes.draw((0.5, 0.5), (0.9, 0.9), "drawn large")
    assert boxes.labels() == ["a cat", "drawn large"]
    picture(boxes, "19-enlarged")
    boxes.press("Escape", "Escape")
    assert boxes.page.locator("dialog[open]").count() == 0
    boxes.settle(6)
    assert stage(boxes) == before
    boxes.draw((0.5, 0.1), (0.9, 0.4), "drawn small")
    assert boxes.labels() == ["a cat", "drawn large", "drawn small"]


def test_undo_works_while_enlarged(boxes: BoxPage) -> None:
    boxes.start(state(box(0.1, 0.1, 0.3, 0.3)))
    boxes.focus()
    boxes.press("f", "n")
    boxes.press("Enter")
    boxes.wait_for_step()
    assert len(boxes.boxes()) == 2
    boxes.undo_until(["a cat"])
    boxes.page.locator("dialog .cxb-root").wait_for()
    boxes.page.evaluate("() => document.querySelector('dialog').close()")
    boxes.root.wait_for()


def test_what_a_run_said_stands_in_the_editor(boxes: BoxPage) -> None:
    boxes.start()
    message = boxes.root.locator(".cxb-message")
    boxes.harness.failed("7", "not this node's")
    boxes.harness.failed("1", "boxes: nothing is drawn; draw a box")
    message.wait_for()
    assert "nothing is drawn" in message.inner_text()
    boxes.draw((0.1, 0.1), (0.5, 0.5), "a cat")
    assert not message.is_visible()
