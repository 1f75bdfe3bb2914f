"""Every gesture of a mouse, a finger or a pen."""

from __future__ import annotations

import pytest
from box_page import BoxPage, box, state

ONE = state(box(0.25, 0.25, 0.5, 0.5))
TWO = state(box(0.1, 0.1, 0.3, 0.3, "a cat"), box(0.6, 0.6, 0.3, 0.3, "a dog"))
NEAR = 0.006  # about three pixels of the picture


def near(*numbers: float) -> object:
    return pytest.approx(list(numbers), abs=NEAR)


class TestDrawing:
    def test_a_drag_draws_a_box_and_its_label_is_typed_at_once(self, boxes: BoxPage, picture) -> None:
        picture(boxes, "01-empty")
        boxes.drag((0.12, 0.2), (0.57, 0.83), release=False)
        picture(boxes, "02-drawing")
        boxes.page.mouse.up()
        boxes.page.keyboard.type("a red car")
        picture(boxes, "03-naming")
        boxes.press("Enter")
        assert boxes.rect() == near(0.12, 0.2, 0.45, 0.63)
        assert boxes.labels() == ["a red car"]
        assert boxes.focused() == "stage"

    def test_any_corner_may_be_the_first(self, boxes: BoxPage) -> None:
        boxes.draw((0.72, 0.58), (0.22, 0.13))
        assert boxes.rect() == near(0.22, 0.13, 0.5, 0.45)

    def test_starting_outside_is_clamped(self, boxes: BoxPage) -> None:
        boxes.draw((-0.03, -0.03), (0.4, 0.3))
        assert boxes.rect() == near(0, 0, 0.4, 0.3)

    def test_ending_outside_is_clamped(self, boxes: BoxPage) -> None:
        boxes.draw((0.6, 0.7), (1.6, 1.9))
        assert boxes.rect() == near(0.6, 0.7, 0.4, 0.3)

    def test_a_thin_box_does_not_vanish(self, boxes: BoxPage) -> None:
        boxes.draw((0.2, 0.45), (0.8, 0.45))
        assert boxes.rect()[3] >= 1 / 512

    def test_shift_draws_a_square(self, boxes: BoxPage) -> None:
        boxes.focus()
        boxes.press("d")
        boxes.draw((0.15, 0.2), (0.6, 0.4), keys=("Shift",))
        x, y, width, height = boxes.rect()
        assert [x, y] == near(0.15, 0.2)
        assert width == pytest.approx(height, abs=NEAR)
        assert width == pytest.approx(0.45, abs=2 * NEAR)

    def test_alt_draws_inside_another_box(self, boxes: BoxPage) -> None:
        boxes.start(ONE)
        boxes.draw((0.35, 0.4), (0.6, 0.65), "its head", keys=("Alt", "Control"))
        assert boxes.labels() == ["a cat", "its head"]
        assert boxes.rect(0) == [0.25, 0.25, 0.5, 0.5]
        assert boxes.rect(1) == near(0.35, 0.4, 0.25, 0.25)

    def test_the_draw_tool_draws_inside_another_box(self, boxes: BoxPage) -> None:
        boxes.start(ONE)
        boxes.button("Draw").click()
        boxes.draw((0.35, 0.4), (0.6, 0.65))
        assert len(boxes.boxes()) == 2

    def test_a_click_draws_nothing(self, boxes: BoxPage) -> None:
        boxes.click((0.4, 0.4))
        assert boxes.saved() == ""

    def test_escape_cancels_a_drag(self, boxes: BoxPage) -> None:
        boxes.drag((0.1, 0.1), (0.5, 0.5), release=False)
        boxes.press("Escape")
        boxes.page.mouse.up()
        assert boxes.saved() == ""


class TestMoving:
    def test_a_drag_moves(self, boxes: BoxPage) -> None:
        boxes.start(state(box(0.1, 0.15, 0.31, 0.27)))
        boxes.drag((0.2, 0.2), (0.43, 0.52), keys=("Control",))
        assert boxes.rect() == near(0.33, 0.47, 0.31, 0.27)

    def test_the_edge_stops_it(self, boxes: BoxPage) -> None:
        boxes.start(ONE)
        boxes.drag((0.5, 0.5), (1.4, 0.52))
        assert boxes.rect()[0] + boxes.rect()[2] == pytest.approx(1)
        assert boxes.rect()[2] == 0.5

    def test_shift_keeps_to_one_direction(self, boxes: BoxPage) -> None:
        boxes.start(state(box(0.1, 0.15, 0.31, 0.27)))
        boxes.page.mouse.move(*boxes.at((0.2, 0.2)))
        boxes.page.mouse.down()
        boxes.page.keyboard.down("Shift")
        boxes.page.mouse.move(*boxes.at((0.43, 0.24)), steps=4)
        boxes.page.mouse.up()
        boxes.page.keyboard.up("Shift")
        boxes.settle()
        assert boxes.rect() == near(0.33, 0.15, 0.31, 0.27)

    def test_several_move_together(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.click((0.2, 0.2))
        boxes.click((0.7, 0.7), keys=("Shift",))
        boxes.drag((0.2, 0.2), (0.25, 0.23), keys=("Control",))
        assert boxes.rect(0) == near(0.15, 0.13, 0.3, 0.3)
        assert boxes.rect(1) == near(0.65, 0.63, 0.3, 0.3)


@pytest.mark.parametrize(
    ("handle", "after"),
    [
        ("nw", (0.15, 0.2, 0.6, 0.55)),
        ("n", (0.25, 0.2, 0.5, 0.55)),
        ("ne", (0.25, 0.2, 0.4, 0.55)),
        ("e", (0.25, 0.25, 0.4, 0.5)),
        ("se", (0.25, 0.25, 0.4, 0.45)),
        ("s", (0.25, 0.25, 0.5, 0.45)),
        ("sw", (0.15, 0.25, 0.6, 0.45)),
        ("w", (0.15, 0.25, 0.6, 0.5)),
    ],
)
def test_each_of_the_eight_handles_resizes(boxes: BoxPage, handle: str, after: tuple[float, ...]) -> None:
    boxes.start(ONE)
    boxes.click((0.5, 0.5))
    x = 0.25 if "w" in handle else 0.75 if "e" in handle else 0.5
    y = 0.25 if "n" in handle else 0.75 if "s" in handle else 0.5
    boxes.drag((x, y), (x - 0.1, y - 0.05), keys=("Control",))
    assert boxes.rect() == near(*after)


class TestResizing:
    def test_a_handle_dragged_past_the_other_side_turns_the_box_over(self, boxes: BoxPage) -> None:
        boxes.start(state(box(0.4, 0.4, 0.2, 0.2)))
        boxes.click((0.5, 0.5))
        boxes.drag((0.6, 0.5), (0.22, 0.5), keys=("Control",))
        assert boxes.rect() == near(0.22, 0.4, 0.18, 0.2)

    def test_several_resize_together(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.focus()
        boxes.press("Control+a")
        boxes.drag((0.9, 0.9), (0.5, 0.5), keys=("Control",))
        assert boxes.rect(0) == near(0.1, 0.1, 0.15, 0.15)
        assert boxes.rect(1) == near(0.35, 0.35, 0.15, 0.15)


class TestSelecting:
    def test_click_shift_click_and_click_beside(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.click((0.2, 0.2))
        assert boxes.selected() == [1]
        boxes.click((0.7, 0.7), keys=("Shift",))
        assert boxes.selected() == [1, 2]
        boxes.click((0.7, 0.7), keys=("Shift",))
        assert boxes.selected() == [1]
        boxes.click((0.5, 0.05))
        assert boxes.selected() == []

    def test_a_frame_catches_what_it_touches(self, boxes: BoxPage, picture) -> None:
        boxes.start(TWO)
        boxes.drag((0.02, 0.02), (0.65, 0.65), keys=("Shift",), release=False)
        picture(boxes, "04-frame")
        boxes.page.mouse.up()
        boxes.settle()
        assert boxes.selected() == [1, 2]
        assert len(boxes.boxes()) == 2

    def test_clicking_again_reaches_the_box_beneath(self, boxes: BoxPage) -> None:
        boxes.start(state(box(0.2, 0.2, 0.6, 0.6, "under"), box(0.2, 0.2, 0.6, 0.6, "over")))
        boxes.click((0.5, 0.5))
        assert boxes.selected() == [2]
        boxes.click((0.5, 0.5))
        assert boxes.selected() == [1]

    def test_a_double_click_edits_the_label_in_place(self, boxes: BoxPage) -> None:
        boxes.start(ONE)
        boxes.page.mouse.dblclick(*boxes.at((0.5, 0.5)))
        boxes.page.keyboard.type("a lion")
        boxes.press("Enter")
        assert boxes.labels() == ["a lion"]


class TestSnapping:
    def test_to_edges_centre_and_thirds(self, boxes: BoxPage, picture) -> None:
        boxes.drag((0.012, 0.012), (0.49, 0.345), release=False)
        assert boxes.root.locator(".cxb-guide").count() == 2
        picture(boxes, "05-snapping")
        boxes.page.mouse.up()
        boxes.press("Enter")
        assert boxes.rect() == [0, 0, 0.5, round(171 / 512, 3)]

    def test_to_other_boxes(self, boxes: BoxPage) -> None:
        boxes.start(state(box(0.11, 0.12, 0.1, 0.2), box(0.6, 0.7, 0.3, 0.2)))
        boxes.drag((0.7, 0.8), (0.215, 0.6))
        assert boxes.rect(1)[0] == 0.11

    def test_control_switches_it_off(self, boxes: BoxPage) -> None:
        boxes.page.keyboard.down("Control")
        boxes.draw((0.012, 0.012), (0.49, 0.345), keys=())
        boxes.page.keyboard.up("Control")
        assert boxes.rect() == near(0.012, 0.012, 0.478, 0.333)
        assert boxes.rect()[0] > 0

    @pytest.mark.parametrize("grid", [8, 16])
    def test_to_the_latent_grid(self, boxes: BoxPage, grid: int) -> None:
        boxes.root.locator('select[aria-label="Latent grid"]').select_option(str(grid))
        boxes.draw((0.131, 0.141), (0.437, 0.571))
        found = boxes.boxes()[0]
        for key in ("x", "y", "width", "height"):
            assert found[key] * 512 / grid == pytest.approx(round(found[key] * 512 / grid), abs=1e-3)


class TestTouchAndPen:
    """Pointer events of other kinds, sent by the browser's own input pipeline or as a pen's events."""

    def test_a_finger_draws(self, boxes: BoxPage) -> None:
        cdp = boxes.page.context.new_cdp_session(boxes.page)
        touches = [boxes.at((0.2, 0.2)), boxes.at((0.35, 0.35)), boxes.at((0.62, 0.71))]
        for kind, (x, y) in zip(("touchStart", "touchMove", "touchMove"), touches, strict=True):
            cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        boxes.settle()
        assert boxes.rect() == near(0.2, 0.2, 0.42, 0.51)

    def test_a_pen_draws(self, boxes: BoxPage) -> None:
        cdp = boxes.page.context.new_cdp_session(boxes.page)
        steps = [("mousePressed", (0.2, 0.2)), ("mouseMoved", (0.4, 0.4)), ("mouseMoved", (0.62, 0.71))]
        for kind, point in [*steps, ("mouseReleased", (0.62, 0.71))]:
            x, y = boxes.at(point)
            event = {
                "type": kind,
                "x": x,
                "y": y,
                "button": "left",
                "buttons": 1,
                "pointerType": "pen",
                "clickCount": 1,
            }
            cdp.send("Input.dispatchMouseEvent", event)
        boxes.settle()
        assert boxes.rect() == near(0.2, 0.2, 0.42, 0.51)


class TestZoom:
    @pytest.mark.parametrize("scale", [0.6, 1.4])
    def test_drawing_lands_where_the_pointer_is(self, boxes: BoxPage, scale: float, picture) -> None:
        boxes.graph(f"(app.canvas.ds.scale = {scale}, app.canvas.ds.offset[1] = -60, app.canvas.setDirty(true, true))")
        boxes.settle(8)
        boxes.draw((0.2, 0.22), (0.7, 0.8), "at any zoom", keys=("Control",))
        picture(boxes, f"06-zoom-{scale}")
        assert boxes.rect() == pytest.approx([0.2, 0.22, 0.5, 0.58], abs=0.012)

    def test_the_wheel_zooms_the_graph(self, boxes: BoxPage) -> None:
        before = boxes.graph("app.canvas.ds.scale")
        boxes.page.mouse.move(*boxes.at((0.5, 0.5)))
        boxes.page.mouse.wheel(0, -120)
        boxes.page.wait_for_function("before => window.app.canvas.ds.scale > before", arg=before)

    def test_the_middle_button_pans_the_graph(self, boxes: BoxPage) -> None:
        before = boxes.graph("[...app.canvas.ds.offset]")
        boxes.page.mouse.move(*boxes.at((0.5, 0.5)))
        boxes.page.mouse.down(button="middle")
        x, y = boxes.at((0.5, 0.5))
        boxes.page.mouse.move(x + 60, y + 30, steps=5)
        boxes.page.mouse.up(button="middle")
        boxes.settle()
        after = boxes.graph("[...app.canvas.ds.offset]")
        assert after[0] - before[0] == pytest.approx(60, abs=5)
        assert boxes.saved() == ""

    def test_the_editor_grows_with_the_node(self, boxes: BoxPage) -> None:
        before = boxes.surface.bounding_box()
        boxes.graph("node.setSize([700, 760])")
        boxes.settle(8)
        after = boxes.surface.bounding_box()
        assert after["height"] > before["height"] + 50
        boxes.draw((0.2, 0.2), (0.7, 0.8))
        assert boxes.rect() == near(0.2, 0.2, 0.5, 0.6)
