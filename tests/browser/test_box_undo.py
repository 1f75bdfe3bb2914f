"""Undo and redo: the editor's own buttons, and the graph's Ctrl+Z."""

from __future__ import annotations

from box_page import BoxPage, box, state

ONE = state(box(0.25, 0.25, 0.5, 0.5))


def draw_two(boxes: BoxPage) -> None:
    boxes.draw((0.1, 0.1), (0.4, 0.4), "a cat")
    boxes.draw((0.6, 0.6), (0.9, 0.9), "a dog")


def redo_all(boxes: BoxPage) -> None:
    boxes.expect_button("Redo")
    while boxes.button("Redo").is_enabled():
        boxes.button("Redo").click()


class TestOwnButtons:
    def test_step_by_step_back_and_forth(self, boxes: BoxPage) -> None:
        draw_two(boxes)
        undo, redo = boxes.button("Undo"), boxes.button("Redo")
        seen = [boxes.labels()]
        while undo.is_enabled():
            undo.click()
            seen.append(boxes.labels())
        assert seen[-1] == []
        assert ["a cat"] in seen
        while redo.is_enabled():
            redo.click()
        assert boxes.labels() == ["a cat", "a dog"]

    def test_a_new_step_ends_redo(self, boxes: BoxPage) -> None:
        draw_two(boxes)
        boxes.button("Undo").click()
        boxes.draw((0.5, 0.1), (0.8, 0.3), "a fox")
        assert boxes.button("Redo").is_disabled()


class TestTheGraphsOwn:
    def test_ctrl_z_takes_back_the_last_box_not_the_node(self, boxes: BoxPage, picture) -> None:
        draw_two(boxes)
        boxes.undo_until(["a cat"])  # first its label, then itself
        assert boxes.node_count() == 1
        assert boxes.root.locator(".cxb-box[data-box]").count() == 1
        picture(boxes, "10-after-undo")
        boxes.undo_until(["a cat", "a dog"], "Control+Shift+z")

    def test_the_editor_stays_usable_and_keeps_the_focus(self, boxes: BoxPage) -> None:
        draw_two(boxes)
        boxes.undo_until(["a cat"])
        boxes.page.wait_for_function("() => document.activeElement?.dataset?.focus === 'stage'")
        boxes.draw((0.55, 0.1), (0.9, 0.4), "a fox")
        assert boxes.labels() == ["a cat", "a fox"]
        boxes.press("ArrowLeft", "Delete")
        assert boxes.labels() == ["a cat"]
        assert boxes.node_count() == 1

    def test_nudges_are_steps_too(self, boxes: BoxPage) -> None:
        boxes.start(ONE)
        boxes.focus()
        boxes.press("Tab", "ArrowRight")
        moved = boxes.boxes()[0]["x"]
        boxes.undo()
        assert boxes.rect()[0] == 0.25 != moved

    def test_a_box_drawn_by_mistake_goes_before_its_label_is_typed(self, boxes: BoxPage) -> None:
        boxes.drag((0.2, 0.2), (0.6, 0.6))
        assert boxes.focused() == "inplace"
        boxes.undo()
        assert boxes.saved() == ""
        boxes.page.wait_for_function("() => document.activeElement?.dataset?.focus === 'stage'")
        boxes.undo("Control+Shift+z")
        assert len(boxes.boxes()) == 1

    def test_own_buttons_follow_the_graph(self, boxes: BoxPage) -> None:
        draw_two(boxes)
        boxes.undo_until(["a cat"])
        redo_all(boxes)
        assert boxes.labels() == ["a cat", "a dog"]

    def test_own_buttons_follow_the_graph_into_a_label_typed_with_a_pause(self, boxes: BoxPage) -> None:
        """The graph takes a step after 0.6 s of rest; the editor must have the same one."""
        boxes.drag((0.1, 0.1), (0.4, 0.4))
        boxes.page.keyboard.type("a do")
        boxes.wait_for_step()
        boxes.press("g", "Enter")
        boxes.undo()
        assert boxes.labels() == ["a do"]
        redo_all(boxes)
        assert boxes.labels() == ["a dog"]

    def test_own_buttons_follow_the_graph_between_nudges(self, boxes: BoxPage) -> None:
        """The graph takes a step when Shift is let go."""
        boxes.start(ONE)
        boxes.focus()
        boxes.press("Tab", "Shift+ArrowRight")
        boxes.wait_for_step()
        first = boxes.rect()
        boxes.press("ArrowRight")
        second = boxes.rect()
        boxes.undo()
        assert boxes.rect() == first != second
        redo_all(boxes)
        assert boxes.rect() == second

    def test_own_buttons_follow_a_step_of_the_graph_that_is_two_of_theirs(self, boxes: BoxPage) -> None:
        """The graph adds to its step what comes within moments: here the nudge of a copy just made."""
        boxes.start(ONE)
        boxes.focus()
        boxes.press("Tab")
        boxes.page.keyboard.press("Control+d")
        boxes.page.keyboard.press("ArrowRight")
        boxes.wait_for_step()
        nudged = boxes.rect(1)
        boxes.undo_until(["a cat"])
        redo_all(boxes)
        assert boxes.rect(1) == nudged
