"""The editor without a pointer, and what of it the graph gets to see."""

from __future__ import annotations

import pytest
from box_page import BoxPage, box, state

ONE = state(box(0.25, 0.25, 0.5, 0.5))
THREE = state(box(0.1, 0.1, 0.2, 0.2, "a cat"), box(0.4, 0.4, 0.2, 0.2, "a dog"), box(0.7, 0.7, 0.2, 0.2, "a fox"))
PIXEL = 1 / 512


def start(boxes: BoxPage, text: str, *keys: str) -> None:
    """Load, put the focus on the picture, select the first box."""
    boxes.start(text)
    boxes.focus()
    boxes.press("Tab", *keys)


class TestNudging:
    @pytest.mark.parametrize(
        ("key", "dx", "dy"), [("ArrowLeft", -1, 0), ("ArrowRight", 1, 0), ("ArrowUp", 0, -1), ("ArrowDown", 0, 1)]
    )
    def test_arrows_move_a_pixel_and_with_shift_ten(self, boxes: BoxPage, key: str, dx: int, dy: int) -> None:
        start(boxes, ONE, key, f"Shift+{key}")
        x, y, width, height = (boxes.boxes()[0][name] for name in ("x", "y", "width", "height"))
        assert (x, y) == pytest.approx((0.25 + 11 * dx * PIXEL, 0.25 + 11 * dy * PIXEL), abs=1e-5)
        assert (width, height) == (0.5, 0.5)

    def test_with_a_grid_they_move_a_cell(self, boxes: BoxPage) -> None:
        boxes.start(ONE)
        boxes.root.locator('select[aria-label="Latent grid"]').select_option("16")
        boxes.focus()
        boxes.press("Tab", "ArrowRight")
        assert boxes.boxes()[0]["x"] == pytest.approx(0.25 + 16 * PIXEL, abs=1e-5)

    def test_alt_and_arrows_resize(self, boxes: BoxPage) -> None:
        start(boxes, ONE, "Alt+ArrowRight", "Alt+ArrowUp")
        found = boxes.boxes()[0]
        assert (found["x"], found["y"]) == (0.25, 0.25)
        assert found["width"] == pytest.approx(0.5 + PIXEL, abs=1e-5)
        assert found["height"] == pytest.approx(0.5 - PIXEL, abs=1e-5)


class TestCommands:
    def test_tab_goes_through_the_boxes_and_then_on(self, boxes: BoxPage) -> None:
        start(boxes, THREE)
        seen = [boxes.selected()]
        for _ in range(2):
            boxes.press("Tab")
            seen.append(boxes.selected())
        assert seen == [[1], [2], [3]]
        assert boxes.focused() == "stage"
        boxes.press("Shift+Tab")
        assert boxes.selected() == [2]
        boxes.press("Tab", "Tab")
        assert boxes.focused() != "stage"

    def test_delete_and_backspace(self, boxes: BoxPage) -> None:
        start(boxes, THREE, "Delete")
        assert boxes.labels() == ["a dog", "a fox"]
        boxes.press("Backspace")
        assert boxes.labels() == ["a fox"]
        assert boxes.node_count() == 1

    def test_duplicate(self, boxes: BoxPage) -> None:
        start(boxes, ONE, "Control+d")
        assert boxes.labels() == ["a cat", "a cat"]
        assert boxes.rect(1)[0] == pytest.approx(0.25 + 16 * PIXEL, abs=1e-3)
        assert boxes.boxes()[0]["color"] != boxes.boxes()[1]["color"]
        assert boxes.selected() == [2]
        assert boxes.node_count() == 1

    def test_escape_clears_the_selection(self, boxes: BoxPage) -> None:
        start(boxes, THREE, "Control+a")
        assert boxes.selected() == [1, 2, 3]
        boxes.press("Escape")
        assert boxes.selected() == []

    def test_order(self, boxes: BoxPage) -> None:
        start(boxes, THREE, "]")
        assert boxes.labels() == ["a dog", "a cat", "a fox"]
        boxes.press("}")
        assert boxes.labels() == ["a dog", "a fox", "a cat"]
        boxes.press("[", "{")
        assert boxes.labels() == ["a cat", "a dog", "a fox"]

    def test_a_box_without_a_pointer(self, boxes: BoxPage) -> None:
        boxes.focus()
        boxes.press("n")
        boxes.page.keyboard.type("a hat")
        boxes.press("Enter")
        assert boxes.labels() == ["a hat"]
        assert boxes.rect()[2:] == [0.4, 0.4]

    def test_enter_edits_the_label_and_escape_ends_it(self, boxes: BoxPage) -> None:
        start(boxes, ONE, "Enter")
        boxes.page.keyboard.type("a lion")
        boxes.press("Escape")
        assert boxes.labels() == ["a lion"]
        assert boxes.focused() == "stage"

    def test_hide_and_lock(self, boxes: BoxPage) -> None:
        start(boxes, THREE, "l", "Delete", "ArrowRight")
        assert boxes.boxes()[0]["locked"] is True
        assert boxes.rect(0) == [0.1, 0.1, 0.2, 0.2]
        boxes.press("h")
        assert boxes.boxes()[0]["hidden"] is True
        assert "hidden" in boxes.status()


class TestTheGraphSeesNothing:
    def test_no_key_of_the_editor_reaches_it(self, boxes: BoxPage) -> None:
        boxes.page.evaluate(
            "() => { window.leaked = []; window.addEventListener('keydown', e => {"
            " if (!['Shift', 'Control', 'Alt', 'Meta'].includes(e.key)) window.leaked.push(e.key) }) }"
        )
        start(boxes, ONE)
        where = boxes.graph("[...node.pos]")
        boxes.press(
            "ArrowRight", "Shift+ArrowDown", "Control+d", "Delete", "Control+a", "q", "w", "r", ".", "Escape", "Space"
        )
        assert boxes.page.evaluate("() => window.leaked") == []
        assert boxes.node_count() == 1
        assert boxes.graph("[...node.pos]") == where
        assert boxes.graph("node.mode") == 0

    def test_letters_typed_into_a_label_stay_there(self, boxes: BoxPage) -> None:
        boxes.start(ONE)
        boxes.row(1).locator(".cxb-label").fill("")
        boxes.row(1).locator(".cxb-label").focus()
        boxes.page.keyboard.type("rhino w q . delete")
        boxes.press("Delete", "Backspace")
        assert boxes.labels() == ["rhino w q . delet"]
        assert boxes.node_count() == 1
