"""Box Spatial Constraint: every source of objects, every size, every mistake."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.nodes import host
from clip_explainability.nodes.box_spatial_constraint import BoxSpatialConstraint
from clip_explainability.nodes.pick_spatial_constraint import PickSpatialConstraint

CAR = {"label": "a red car", "x": 0.1, "y": 0.2, "width": 0.4, "height": 0.5, "weight": 1.5, "color": "#112233"}
TREE = {"label": "a tree", "x": 0.5, "y": 0.0, "width": 0.5, "height": 1.0}


def state(*boxes: dict[str, Any]) -> str:
    return json.dumps({"version": 1, "boxes": list(boxes)})


@pytest.fixture(autouse=True)
def no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "preview_images", lambda images, key="images", **_: {key: [tuple(images.shape)]})


def run(drawn: str = "", **inputs: Any) -> Any:
    """Run the node as ComfyUI does where a node takes lists."""
    given = {"width": 64, "height": 32, "template": "a photo of {}", "boxes": drawn, **inputs}
    with torch.inference_mode():
        return BoxSpatialConstraint().constrain(**{name: [value] for name, value in given.items()})


def result(*arguments: Any, **inputs: Any) -> Any:
    return run(*arguments, **inputs)["result"]


class TestDrawnBoxes:
    def test_every_output_speaks_of_the_same_objects(self) -> None:
        constraints, masks, bboxes, preview, prompts = result(state(CAR, TREE))
        assert [each.label for each in constraints] == ["a red car", "a tree"]
        assert prompts == ["a photo of a red car", "a photo of a tree"] == [each.prompt for each in constraints]
        assert constraints[0].weight == 1.5
        assert constraints[0].color == "#112233"
        assert masks.shape == (2, 32, 64)
        assert masks[1].mean() == pytest.approx(0.5)
        assert bboxes[0][1] == {"x": 32, "y": 0, "width": 32, "height": 32, "label": "a tree"}
        assert preview.shape == (1, 32, 64, 3)
        assert 0 <= preview.min() <= preview.max() <= 1

    def test_the_template_is_plain_text(self) -> None:
        *_, prompts = result(state({**CAR, "label": "{0.__class__} {}"}), template="{} {x} {}")
        assert prompts == ["{0.__class__} {} {x} {0.__class__} {}"]

    def test_labels_of_any_script_are_drawn(self) -> None:
        assert result(state({**CAR, "label": "قطة 🐈 猫 " * 40}), width=200, height=100)[3].std() > 0


class TestSize:
    def test_an_image_gives_its_size_and_lies_behind_the_boxes(self) -> None:
        output = run(state(CAR), image=torch.rand(2, 48, 80, 4))
        assert output["result"][1].shape == (1, 48, 80)
        assert output["result"][3].shape == (2, 48, 80, 3)
        assert output["ui"]["box_editor_size"] == [80, 48]
        assert output["ui"]["box_editor_image"] == [(1, 48, 80, 3)]

    def test_a_large_image_is_shrunk_for_the_editor_only(self) -> None:
        output = run(state(CAR), image=torch.rand(1, 64, 2048, 3))
        assert output["ui"]["box_editor_image"] == [(1, 32, 1024, 3)]
        assert output["result"][3].shape == (1, 64, 2048, 3)

    @pytest.mark.parametrize("samples", [torch.zeros(1, 4, 10, 12), torch.zeros(1, 16, 3, 10, 12)])
    def test_a_latent_gives_its_size(self, samples: torch.Tensor) -> None:
        assert result(state(CAR), latent={"samples": samples})[1].shape == (1, 80, 96)

    def test_a_latent_may_say_its_own_scale(self) -> None:
        latent = {"samples": torch.zeros(1, 16, 10, 12), "downscale_ratio_spacial": 16}
        assert result(state(CAR), latent=latent)[1].shape == (1, 160, 192)


class TestDetectors:
    BOX = {"x": 16, "y": 8, "width": 16, "height": 8}

    @pytest.mark.parametrize("form", [BOX, [BOX], [[BOX]], [[BOX], []]])
    def test_one_a_list_and_lists_for_each_frame(self, form: Any) -> None:
        constraints, *_ = result(bboxes=form, labels="a dog")
        assert [(each.label, each.box) for each in constraints] == [("a dog", (0.25, 0.25, 0.5, 0.5))]

    def test_the_frame_is_chosen(self) -> None:
        constraints, *_ = result(bboxes=[[self.BOX], [{**self.BOX, "x": 0, "label": "a fox"}]], frame=1)
        assert constraints[0].box[0] == 0
        with pytest.raises(InputError, match="frame"):
            result(bboxes=[[self.BOX]], frame=3)

    def test_a_detectors_own_labels_serve_where_none_are_given(self) -> None:
        named = [{**self.BOX, "label": "dog"}, self.BOX]
        assert result(bboxes=named, labels="a cat")[4] == ["a photo of dog", "a photo of a cat"]
        assert result(bboxes=named, labels="a wolf\na cat")[4] == ["a photo of a wolf", "a photo of a cat"]

    def test_what_overshoots_the_picture_is_cut(self) -> None:
        constraints, *_ = result(bboxes={"x": -10.5, "y": -1, "width": 500, "height": 17.0}, labels="a sky")
        assert constraints[0].box == (0, 0, 1, 0.5)

    @pytest.mark.parametrize(
        "bad",
        [
            {**BOX, "width": 0},
            {**BOX, "x": 900},
            {**BOX, "x": float("nan")},
            {**BOX, "x": float("inf")},
            {"x": 1},
            {**BOX, "x": "left"},
            [1, 2, 3, 4],
            7,
        ],
    )
    def test_bad_boxes_are_refused(self, bad: Any) -> None:
        with pytest.raises(InputError, match="bboxes"):
            result(bboxes=[bad] if isinstance(bad, dict) else bad, labels="a dog")

    @pytest.mark.parametrize("labels", ["", "a\nb\nc"])
    def test_labels_must_match_in_number(self, labels: str) -> None:
        with pytest.raises(InputError, match="labels"):
            result(bboxes=[self.BOX, self.BOX], labels=labels)

    def test_labels_and_boxes_may_come_as_lists_of_other_nodes(self) -> None:
        with torch.inference_mode():
            output = BoxSpatialConstraint().constrain(
                [64], [32], ["{}"], bboxes=[self.BOX, self.BOX], labels=["a cat", "a dog"], boxes=[""]
            )
        assert output["result"][4] == ["a cat", "a dog"]


class TestMasks:
    def test_labelled_masks_are_objects_of_any_shape(self) -> None:
        circle = (torch.cartesian_prod(torch.arange(32), torch.arange(64)) - 16).float().norm(dim=1).reshape(32, 64) < 9
        constraints, masks, bboxes, *_ = result(state(CAR), masks=circle.float()[None], labels="a ball")
        assert [each.label for each in constraints] == ["a red car", "a ball"]
        assert constraints[1].box is None
        assert torch.equal(masks[1] > 0.5, circle)
        assert bboxes[0][1] == {"x": 8, "y": 8, "width": 17, "height": 17, "label": "a ball"}

    def test_without_labels_they_are_the_shapes_of_the_drawn_boxes(self) -> None:
        constraints, *_ = result(state(CAR, TREE), masks=torch.rand(2, 16, 16))
        assert [each.label for each in constraints] == ["a red car", "a tree"]
        assert constraints[0].box is None
        assert constraints[0].weight == 1.5

    @pytest.mark.parametrize("count", [1, 3])
    def test_more_boxes_than_masks_or_more_masks_than_boxes(self, count: int) -> None:
        with pytest.raises(InputError, match="masks"):
            result(state(CAR, TREE), masks=torch.ones(count, 8, 8))

    def test_an_empty_mask_is_refused(self) -> None:
        with pytest.raises(InputError, match="empty"):
            result(masks=torch.zeros(1, 8, 8), labels="a ghost")

    @pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (1, 1, 8, 8)])
    def test_any_usual_shape_of_mask(self, shape: tuple[int, ...]) -> None:
        assert len(result(masks=torch.ones(shape), labels="a wall")[0]) == 1


class TestChains:
    def test_chained_constraints_come_first_and_take_this_size(self) -> None:
        first, *_ = result(state(TREE))
        constraints, masks, *_ = result(state(CAR), constraints=first, width=16, height=16)
        assert [each.label for each in constraints] == ["a tree", "a red car"]
        assert masks.shape == (2, 16, 16)
        assert constraints[0].mask.shape == (16, 16)

    def test_pick_hands_out_one_object(self) -> None:
        constraints, *_ = result(state(CAR, TREE))
        prompt, mask, bbox, weight, label = PickSpatialConstraint().pick(constraints, 2)
        assert (prompt, label, weight) == ("a photo of a tree", "a tree", 1)
        assert torch.equal(mask[0], constraints[1].mask)
        assert bbox == {"x": 32, "y": 0, "width": 32, "height": 32}
        for number in (0, 3):
            with pytest.raises(InputError, match="number"):
                PickSpatialConstraint().pick(constraints, number)


class TestMistakes:
    @pytest.mark.parametrize("drawn", [{**CAR, "label": ""}, {**CAR, "width": 0}, {**CAR, "x": 0.9}, {}])
    def test_bad_boxes_are_refused_before_anything_runs(self, drawn: dict[str, Any]) -> None:
        for wrapped in (state(drawn), [state(drawn)]):
            said = BoxSpatialConstraint.VALIDATE_INPUTS(boxes=wrapped)
            assert isinstance(said, str)
            assert "box 1" in said

    def test_good_boxes_pass(self) -> None:
        assert BoxSpatialConstraint.VALIDATE_INPUTS(boxes=[state(CAR)]) is True
        assert BoxSpatialConstraint.VALIDATE_INPUTS() is True

    def test_a_template_without_a_place_for_the_label(self) -> None:
        with pytest.raises(InputError, match="template"):
            result(state(CAR), template="a photo")

    def test_nothing_at_all(self) -> None:
        with pytest.raises(InputError, match="nothing is drawn"):
            result()
        with pytest.raises(InputError, match="hidden"):
            result(state({**CAR, "hidden": True}))

    def test_one_label_twice_is_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        output = run(state(CAR, {**TREE, "label": "A red car"}))
        assert len(output["ui"]["box_editor_warnings"]) == 1
        assert "a red car" in caplog.text


def test_validating_loads_no_torch() -> None:
    """The host validates before every run; it must stay quick (here torch is loaded already, so only look)."""
    module = sys.modules["clip_explainability.core.boxes.editor_state"]
    assert not any(name == "torch" for name in vars(module))
