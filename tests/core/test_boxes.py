"""Boxes, masks and constraints: the geometry everything else stands on."""

from __future__ import annotations

import pytest
import torch
from clip_explainability.core import boxes
from hypothesis import given
from hypothesis import strategies as st


@st.composite
def some_boxes(draw: st.DrawFn) -> boxes.Box:
    x0, x1 = sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    y0, y1 = sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    return x0, y0, x1, y1


sides = st.integers(1, 70)


class TestMasks:
    def test_a_box_on_whole_pixels_is_ones_inside_and_zeros_outside(self) -> None:
        mask = boxes.box_mask((0.25, 0.5, 0.75, 1.0), height=4, width=8)
        expected = torch.zeros(4, 8)
        expected[2:, 2:6] = 1
        assert torch.equal(mask, expected)

    @given(some_boxes(), sides, sides)
    def test_a_mask_has_its_boxs_area_on_every_grid(self, box: boxes.Box, height: int, width: int) -> None:
        mask = boxes.box_mask(box, height, width)
        assert mask.shape == (height, width)
        assert mask.dtype == torch.float32
        assert boxes.area_ratio(mask) == pytest.approx(boxes.area(box), abs=1e-5)

    def test_a_box_thinner_than_a_pixel_does_not_vanish(self) -> None:
        assert boxes.box_mask((0.51, 0.0, 0.52, 1.0), 8, 8).sum() > 0

    def test_masks_made_in_inference_mode_can_be_saved_for_backward(self) -> None:
        with torch.inference_mode():
            made = [boxes.from_box("a", (0, 0, 0.5, 0.5), 8, 8), boxes.from_mask("b", torch.rand(8, 8))]
            resized = [constraint.mask_at(4, 4) for constraint in made]
        weights = torch.ones(4, 4, requires_grad=True)
        for mask in resized:
            (weights * mask).sum().backward()
        assert all(not constraint.mask.is_inference() for constraint in made)

    @pytest.mark.parametrize("size", [(16, 16), (3, 5), (8, 4), (4, 40)])
    def test_a_full_mask_stays_full_at_every_size(self, size: tuple[int, int]) -> None:
        assert torch.allclose(boxes.resize_mask(torch.ones(8, 8), *size), torch.ones(size), atol=1e-6)

    def test_free_form_masks_are_cleaned(self) -> None:
        mask = boxes.from_mask("a", torch.tensor([[float("nan"), 2.0], [-1.0, 0.5]])).mask
        assert mask.tolist() == [[0, 1], [0, 0.5]]


class TestConstraint:
    def test_it_knows_its_area_and_bounds(self) -> None:
        drawn = boxes.from_box("a cat", (0.25, 0.0, 0.75, 0.5), 16, 16, prompt="a photo of a cat", weight=2)
        assert drawn.area_ratio == pytest.approx(0.25)
        assert drawn.bounds == drawn.box == (0.25, 0.0, 0.75, 0.5)
        free = boxes.from_mask("a dog", drawn.mask)
        assert free.box is None
        assert free.bounds == (0.25, 0.0, 0.75, 0.5)
        assert free.prompt == "a dog"

    def test_a_box_is_drawn_anew_at_another_size(self) -> None:
        drawn = boxes.from_box("a", (1 / 3, 0, 1, 1), 2, 2)
        assert drawn.mask_at(3, 3)[0].tolist() == pytest.approx([0, 1, 1])

    def test_masks_of_one_batch_share_the_first_ones_size(self) -> None:
        batch = boxes.masks([boxes.from_box("a", boxes.WHOLE, 4, 6), boxes.from_mask("b", torch.ones(9, 9))])
        assert batch.shape == (2, 4, 6)
        assert boxes.masks([]).shape == (0, 1, 1)


class TestOverlap:
    def test_half_overlapping_boxes(self) -> None:
        assert boxes.iou((0, 0, 0.5, 1), (0.25, 0, 0.75, 1)) == pytest.approx(1 / 3)

    @given(some_boxes(), some_boxes())
    def test_iou_is_symmetric_and_bounded(self, a: boxes.Box, b: boxes.Box) -> None:
        assert 0 <= boxes.iou(a, b) == boxes.iou(b, a) <= 1 + 1e-12

    def test_masks_and_boxes_agree(self) -> None:
        a, b = (0.0, 0.0, 0.5, 1.0), (0.25, 0.0, 0.75, 1.0)
        assert boxes.mask_iou(boxes.box_mask(a, 8, 8), boxes.box_mask(b, 8, 8)) == pytest.approx(boxes.iou(a, b))

    def test_nothing_overlaps_nothing(self) -> None:
        assert boxes.iou((0, 0, 0, 0), (1, 1, 1, 1)) == 0
        assert boxes.mask_iou(torch.zeros(2, 2), torch.zeros(2, 2)) == 0


class TestPixels:
    @given(some_boxes(), sides, sides)
    def test_pixel_boxes_lie_inside_and_have_an_area(self, box: boxes.Box, height: int, width: int) -> None:
        found = boxes.to_pixels(box, height, width)
        assert found["x"] >= 0
        assert found["y"] >= 0
        assert found["width"] >= 1
        assert found["height"] >= 1
        assert found["x"] + found["width"] <= width
        assert found["y"] + found["height"] <= height

    def test_there_and_back(self) -> None:
        pixels = boxes.to_pixels((0.125, 0.25, 0.5, 0.75), 64, 128)
        assert pixels == {"x": 16, "y": 16, "width": 48, "height": 32}
        assert boxes.from_pixels(16, 16, 48, 32, 64, 128) == (0.125, 0.25, 0.5, 0.75)
