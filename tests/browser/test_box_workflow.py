"""Boxes travel: to the server, into files, to clones and other nodes, into subgraphs, between renderers."""

from __future__ import annotations

import json

import pytest
from box_page import WORKFLOW_NODE, BoxPage, box, state
from clip_explainability.core.boxes import editor_state
from clip_explainability.nodes.box_spatial_constraint import BoxSpatialConstraint

TWO = state(box(0.1, 0.1, 0.3, 0.3, "a cat"), box(0.6, 0.6, 0.3, 0.3, "a dog", weight=2, color="#123456"))


class TestQueue:
    def test_python_receives_what_was_drawn(self, boxes: BoxPage) -> None:
        boxes.draw((0.1, 0.2), (0.45, 0.83), "a red car", keys=("Control",))
        boxes.row(1).locator(".cxb-weight").fill("1.5")
        inputs = boxes.queue()
        (received,) = editor_state.read(inputs["boxes"])
        x, y, width, height = (boxes.boxes()[0][key] for key in ("x", "y", "width", "height"))
        assert received.box == pytest.approx((x, y, x + width, y + height))
        assert (received.label, received.weight, received.color) == ("a red car", 1.5, boxes.boxes()[0]["color"])
        assert inputs["boxes"] == boxes.saved()
        assert BoxSpatialConstraint.VALIDATE_INPUTS(boxes=[inputs["boxes"]]) is True

    def test_the_node_runs_on_what_was_queued(self, boxes: BoxPage) -> None:
        pytest.importorskip("torch")
        boxes.start(TWO)
        inputs = boxes.queue()
        found, masks, *_ = BoxSpatialConstraint().constrain(**{name: [value] for name, value in inputs.items()})[
            "result"
        ]
        assert [each.label for each in found] == ["a cat", "a dog"]
        assert masks.shape == (2, 512, 512)


class TestSaving:
    def test_a_file_comes_back_unchanged(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.click((0.2, 0.2))
        boxes.press("ArrowRight")
        saved = boxes.graph("node.serialize()")
        boxes.load(saved)
        assert boxes.saved() == saved["widgets_values"][4]

    def test_a_state_that_nobody_touches_is_not_rewritten(self, boxes: BoxPage) -> None:
        """So a workflow saved in one renderer opens unchanged in the other."""
        boxes.start(TWO)
        boxes.click((0.2, 0.2))
        boxes.root.hover()
        assert boxes.saved() == TWO
        assert boxes.queue()["boxes"] == TWO

    def test_how_the_editor_looks_is_kept_with_the_node(self, boxes: BoxPage) -> None:
        boxes.root.locator('select[aria-label="Latent grid"]').select_option("8")
        boxes.button("Snap").click()
        saved = boxes.graph("node.serialize()")
        boxes.load(saved)
        assert boxes.root.locator('select[aria-label="Latent grid"]').input_value() == "8"
        assert boxes.button("Snap").get_attribute("aria-pressed") == "false"

    def test_a_clone_has_the_boxes_and_its_own_life(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.graph(
            "(() => { const c = node.clone(); c.pos = [900, 90]; app.canvas.graph.add(c); window.cloneId = c.id })()"
        )
        boxes.settle(8)
        boxes.click((0.2, 0.2))
        boxes.press("Delete")
        assert boxes.labels() == ["a dog"]
        boxes.node_id = boxes.page.evaluate("() => window.cloneId")
        assert boxes.labels() == ["a cat", "a dog"]

    def test_both_renderers_write_the_same(self, boxes: BoxPage) -> None:
        boxes.root.locator('select[aria-label="Latent grid"]').select_option("16")
        boxes.draw((0.1, 0.2), (0.45, 0.83), "a car")
        assert boxes.saved() == (
            '{"version":1,"boxes":[{"id":"b1","label":"a car","x":0.09375,"y":0.1875,"width":0.34375,"height":0.65625,'
            '"weight":1,"color":"#4d9de0"}]}'
        )


class TestClipboard:
    def test_boxes_go_from_node_to_node(self, boxes: BoxPage) -> None:
        other = {**WORKFLOW_NODE, "id": 2, "pos": [900, 90], "size": [360, 640]}
        values = [512, 512, "a photo of {}", 0]
        boxes.load(
            {**WORKFLOW_NODE, "widgets_values": [*values, TWO], "pos": [480, 90], "size": [400, 640]},
            {**other, "widgets_values": [*values, ""]},
        )
        editors = boxes.page.locator(".cxb-root:visible")
        source = editors.filter(has=boxes.page.locator(".cxb-row"))
        source.locator(".cxb-surface").focus()
        boxes.press("Control+a", "Control+c")
        target = editors.filter(has_not=boxes.page.locator(".cxb-row"))
        target.locator(".cxb-surface").focus()
        boxes.press("Control+v")
        boxes.node_id = 2
        assert boxes.labels() == ["a cat", "a dog"]
        assert boxes.boxes()[1]["weight"] == 2
        assert boxes.node_count() == 2

    def test_cut_and_paste(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.click((0.2, 0.2))
        boxes.press("Control+x")
        assert boxes.labels() == ["a dog"]
        boxes.press("Control+v")
        assert boxes.labels() == ["a dog", "a cat"]

    def test_a_pasted_box_does_not_hide_the_first(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.click((0.2, 0.2))
        boxes.press("Control+c", "Control+v")
        assert boxes.rect(0)[:2] != boxes.rect(2)[:2]

    @pytest.mark.parametrize(
        ("pasted", "rects", "said"),
        [
            ("(128, 64, 256, 128)", [[0.25, 0.125, 0.5, 0.25]], "1 box pasted."),
            ("a cat: 0.1, 0.2, 0.3, 0.4", [[0.1, 0.2, 0.3, 0.4]], "1 box pasted."),
            (
                "[[128, 64, 256, 128], [0.5, 0.5, 0.25, 0.25]]",
                [[0.25, 0.125, 0.5, 0.25], [0.5, 0.5, 0.25, 0.25]],
                "2 box",
            ),
            (
                state(box(0.5, 0.5, 0.25, 0.25, "good"), box(120, 80, 2000, 100, "too wide"), box(0.9, 0, 0.2, 1)),
                [[0.5, 0.5, 0.25, 0.25]],
                "1 box pasted. Box 2 reaches outside the picture (512 × 512 px). Box 3 reaches outside",
            ),
            ('{"x": 0.1, "y": 0.1, "width": 0, "height": 0.5}', [], "Nothing pasted. Box 1 has no area."),
            ('[{"x": "left"}]', [], 'Nothing pasted. "x" of box 1 is not a usable number.'),
        ],
    )
    def test_pixels_are_understood_and_what_is_unusable_is_named(
        self, boxes: BoxPage, pasted: str, rects: list[list[float]], said: str
    ) -> None:
        boxes.start()
        boxes.page.evaluate("text => navigator.clipboard.writeText(text)", pasted)
        boxes.focus()
        boxes.press("Control+v")
        assert [boxes.rect(i) for i in range(len(boxes.boxes()))] == rects
        message = boxes.root.locator(".cxb-message")
        assert said in (message.inner_text() if message.is_visible() else boxes.status())

    def test_text_that_is_no_box_is_refused(self, boxes: BoxPage) -> None:
        boxes.start(TWO)
        boxes.page.evaluate("() => navigator.clipboard.writeText('<b>hello</b>')")
        boxes.focus()
        boxes.press("Control+v")
        assert "no boxes" in boxes.status()
        assert boxes.saved() == TWO
        assert boxes.node_count() == 1


class TestSubgraph:
    def test_the_editor_works_inside_one(self, boxes: BoxPage, picture) -> None:
        boxes.start(TWO)
        boxes.page.evaluate(
            "() => { const { canvas } = window.app; const node = canvas.graph.getNodeById(1);"
            " const made = canvas.graph.convertToSubgraph(new Set([node]));"
            " canvas.openSubgraph ? canvas.openSubgraph(made.subgraph, made.node) : canvas.setGraph(made.subgraph) }"
        )
        boxes.page.wait_for_function("() => !!document.querySelector('.cxb-root')?.offsetParent")
        boxes.settle(10)
        boxes.node_id = boxes.page.evaluate("() => window.app.canvas.graph.nodes[0].id")
        boxes.page.evaluate(
            "() => { const ds = window.app.canvas.ds; const node = window.app.canvas.graph.nodes[0];"
            " ds.scale = 1; ds.offset[0] = 420 - node.pos[0]; ds.offset[1] = 90 - node.pos[1];"
            " window.app.canvas.setDirty(true, true) }"
        )
        boxes.settle(8)
        assert boxes.labels() == ["a cat", "a dog"]
        boxes.draw((0.6, 0.1), (0.9, 0.4), "a fox")
        picture(boxes, "15-subgraph")
        assert boxes.labels() == ["a cat", "a dog", "a fox"]
        boxes.page.evaluate("async () => { await window.app.queuePrompt(0) }")
        boxes.page.wait_for_timeout(200)
        (inputs,) = [each["inputs"] for each in boxes.harness.last_prompt().values()]
        assert len(json.loads(inputs["boxes"])["boxes"]) == 3
