"""core.boxes.geometry: what everything else about places stands on."""

from __future__ import annotations

import pytest
import torch
from clip_explainability.core.boxes import geometry
from hypothesis import given
from hypothesis import strategies as st


@st.composite
def some_boxes(draw: st.DrawFn) -> geometry.Box:
    x0, x1 = sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    y0, y1 = sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    return x0, y0, x1, y1


sides = st.integers(1, 70)


class TestMasks:
    def test_a_box_on_whole_pixels_is_ones_inside_and_zeros_outside(self) -> None:
        mask = geometry.box_mask((0.25, 0.5, 0.75, 1.0), height=4, width=8)
        expected = torch.zeros(4, 8)
        expected[2:, 2:6] = 1
        assert torch.equal(mask, expected)

    @given(some_boxes(), sides, sides)
    def test_a_mask_has_its_boxs_area_on_every_grid(self, box: geometry.Box, height: int, width: int) -> None:
        mask = geometry.box_mask(box, height, width)
        assert mask.shape == (height, width)
        assert mask.dtype == torch.float32
        assert geometry.area_ratio(mask) == pytest.approx(geometry.area(box), abs=1e-5)

    def test_a_box_thinner_than_a_pixel_does_not_vanish(self) -> None:
        assert geometry.box_mask((0.51, 0.0, 0.52, 1.0), 8, 8).sum() > 0

    @pytest.mark.parametrize("size", [(16, 16), (3, 5), (8, 4), (4, 40)])
    def test_a_full_mask_stays_full_at_every_size(self, size: tuple[int, int]) -> None:
        assert torch.allclose(geometry.resize_mask(torch.ones(8, 8), *size), torch.ones(size), atol=1e-6)


class TestOverlap:
    def test_half_overlapping_boxes(self) -> None:
        assert geometry.iou((0, 0, 0.5, 1), (0.25, 0, 0.75, 1)) == pytest.approx(1 / 3)

    @given(some_boxes(), some_boxes())
    def test_iou_is_symmetric_and_bounded(self, a: geometry.Box, b: geometry.Box) -> None:
        assert 0 <= geometry.iou(a, b) == geometry.iou(b, a) <= 1 + 1e-12

    def test_masks_and_boxes_agree(self) -> None:
        a, b = (0.0, 0.0, 0.5, 1.0), (0.25, 0.0, 0.75, 1.0)
        assert geometry.mask_iou(geometry.box_mask(a, 8, 8), geometry.box_mask(b, 8, 8)) == pytest.approx(
            geometry.iou(a, b)
        )

    def test_nothing_overlaps_nothing(self) -> None:
        assert geometry.iou((0, 0, 0, 0), (1, 1, 1, 1)) == 0
        assert geometry.mask_iou(torch.zeros(2, 2), torch.zeros(2, 2)) == 0


class TestPixels:
    @given(some_boxes(), sides, sides)
    def test_pixel_boxes_lie_inside_and_have_an_area(self, box: geometry.Box, height: int, width: int) -> None:
        found = geometry.to_pixels(box, height, width)
        assert found["x"] >= 0
        assert found["y"] >= 0
        assert found["width"] >= 1
        assert found["height"] >= 1
        assert found["x"] + found["width"] <= width
        assert found["y"] + found["height"] <= height

    def test_there_and_back(self) -> None:
        pixels = geometry.to_pixels((0.125, 0.25, 0.5, 0.75), 64, 128)
        assert pixels == {"x": 16, "y": 16, "width": 48, "height": 32}
        assert geometry.from_pixels(16, 16, 48, 32, 64, 128) == (0.125, 0.25, 0.5, 0.75)
