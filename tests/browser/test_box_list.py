"""The list, the numbers and the tools: every value edited in place, named for a screen reader."""

from __future__ import annotations

import pytest
from box_page import BoxPage, box, state

TWO = state(box(0.1, 0.1, 0.3, 0.3, "a cat"), box(0.6, 0.6, 0.3, 0.3, "a dog"))


class TestRows:
    def test_label_weight_and_colour_are_edited_in_place(self, boxes: BoxPage, picture) -> None:
        boxes.start(TWO)
        boxes.row(2).locator(".cxb-label").fill("a wolf")
        boxes.row(2).locator(".cxb-weight").fill("2.5")
        boxes.row(2).locator(".cxb-color").fill("#ff0088")
        boxes.settle()
        picture(boxes, "07-list")
        wolf = boxes.boxes()[1]
        assert (wolf["label"], wolf["weight"], wolf["color"]) == ("a wolf", 2.5, "#ff0088")
        assert boxes.selected() == [2]

    def test_a_colour_stays_with_its_box(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.click((0.7, 0.7))
        boxes.press("ArrowLeft")
        color = boxes.boxes()[1]["color"]
        boxes.press("{")
        assert boxes.labels() == ["a dog", "a cat"]
        assert boxes.boxes()[0]["color"] == color
        boxes.click((0.2, 0.2))
        boxes.press("Delete")
        again = boxes.boxes()[0]["color"]
        boxes.draw((0.02, 0.02), (0.2, 0.2), "a fox")
        assert boxes.boxes()[0]["color"] == again != boxes.boxes()[1]["color"]

    def test_a_weight_out_of_range_is_not_taken(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.row(1).locator(".cxb-weight").fill("-3")
        boxes.row(1).locator(".cxb-weight").press("Enter")
        assert "-3" not in boxes.saved()
        assert boxes.row(1).locator(".cxb-weight").input_value() == "1"

    def test_hide_and_lock(self, boxes: BoxPage, picture) -> None:
        boxes.start(TWO)
        boxes.row(1).get_by_label("Hide box 1").click()
        boxes.row(2).get_by_label("Lock box 2").click()
        boxes.page.mouse.move(5, 5)
        picture(boxes, "08-hidden-and-locked")
        assert [each.get("hidden") for each in boxes.boxes()] == [True, None]
        assert [each.get("locked") for each in boxes.boxes()] == [None, True]
        boxes.drag((0.7, 0.7), (0.65, 0.65))
        boxes.press("Enter")
        assert boxes.rect(1) == [0.6, 0.6, 0.3, 0.3]
        boxes.row(1).get_by_label("Show box 1").click()
        boxes.row(2).get_by_label("Unlock box 2").click()
        assert "hidden" not in boxes.saved()
        assert "locked" not in boxes.saved()

    def test_problems_are_shown_where_they_are(self, boxes: BoxPage, picture) -> None:
        boxes.start(state(box(0, 0, 0.2, 0.2, ""), box(0.3, 0.3, 0.2, 0.2, "a cat"), box(0.6, 0.6, 0.2, 0.2, "A cat ")))
        picture(boxes, "09-problems")
        notes = [boxes.row(number).locator(".cxb-note") for number in (1, 2, 3)]
        assert "No label" in notes[0].get_attribute("aria-label")
        assert "Same label as box 3" in notes[1].get_attribute("aria-label")
        assert "Same label as box 2" in notes[2].get_attribute("aria-label")

    def test_arrow_keys_go_up_and_down_and_delete_deletes(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.row(1).locator(".cxb-place").focus()
        boxes.press("ArrowDown")
        assert boxes.selected() == [2]
        boxes.press("Alt+ArrowUp")
        assert boxes.labels() == ["a dog", "a cat"]
        boxes.row(1).locator(".cxb-place").click()
        boxes.press("Delete")
        assert boxes.labels() == ["a cat"]
        assert boxes.node_count() == 1

    def test_clicking_numbers_with_shift_selects_several(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.row(1).locator(".cxb-place").click()
        boxes.row(2).locator(".cxb-place").click(modifiers=["Shift"])
        assert boxes.selected() == [1, 2]


class TestNumbers:
    def field(self, boxes: BoxPage, name: str):
        return boxes.root.locator(f'.cxb-numbers [aria-label="{name}"]')

    def test_pixels(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.click((0.2, 0.2))
        for name, value in (("Left edge", "64"), ("Top edge", "128"), ("Width", "256"), ("Height", "32")):
            self.field(boxes, name).fill(value)
            self.field(boxes, name).press("Enter")
        assert boxes.rect() == [0.125, 0.25, 0.5, round(32 / 512, 3)]

    def test_per_cent(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.root.locator('[aria-label="Unit of the numbers"]').select_option("%")
        boxes.click((0.7, 0.7))
        assert float(self.field(boxes, "Left edge").input_value()) == pytest.approx(60)
        self.field(boxes, "Left edge").fill("25")
        self.field(boxes, "Left edge").press("Enter")
        assert boxes.rect(1)[0] == 0.25

    def test_what_does_not_fit_is_pushed_inside(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.click((0.2, 0.2))
        self.field(boxes, "Left edge").fill("9999")
        self.field(boxes, "Left edge").press("Enter")
        assert boxes.rect()[0] == pytest.approx(0.7, abs=1e-3)


class TestTools:
    def test_buttons_do_what_keys_do(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.click((0.2, 0.2))
        boxes.button("Duplicate").click()
        assert len(boxes.boxes()) == 3
        boxes.button("Send backward").click()
        assert [each["id"] for each in boxes.boxes()][1] == "b3"
        boxes.button("Bring forward").click()
        assert [each["id"] for each in boxes.boxes()][2] == "b3"
        boxes.button("Delete").click()
        boxes.button("Add").click()
        boxes.press("Enter")
        assert len(boxes.boxes()) == 3

    def test_every_control_has_a_name(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        nameless = boxes.root.evaluate(
            "root => [...root.querySelectorAll('button, input, select, [tabindex]')]"
            ".filter(e => !e.getAttribute('aria-label') && !e.textContent).map(e => e.className)"
        )
        assert nameless == []

    def test_what_happens_is_said(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.focus()
        boxes.press("Tab")
        assert "a cat, 1 of 2" in boxes.status()
        assert boxes.root.locator('[role="status"][aria-live="polite"]').count() == 1
