"""core.boxes.constraint: an object and the place it should take."""

from __future__ import annotations

import pytest
import torch
from clip_explainability.core.boxes import constraint, geometry


class TestConstraint:
    def test_it_knows_its_area_and_bounds(self) -> None:
        drawn = constraint.from_box("a cat", (0.25, 0.0, 0.75, 0.5), 16, 16, prompt="a photo of a cat", weight=2)
        assert drawn.area_ratio == pytest.approx(0.25)
        assert drawn.bounds == drawn.box == (0.25, 0.0, 0.75, 0.5)
        free = constraint.from_mask("a dog", drawn.mask)
        assert free.box is None
        assert free.bounds == (0.25, 0.0, 0.75, 0.5)
        assert free.prompt == "a dog"

    def test_a_box_is_drawn_anew_at_another_size(self) -> None:
        drawn = constraint.from_box("a", (1 / 3, 0, 1, 1), 2, 2)
        assert drawn.mask_at(3, 3)[0].tolist() == pytest.approx([0, 1, 1])

    def test_masks_of_one_batch_share_the_first_ones_size(self) -> None:
        batch = constraint.masks(
            [constraint.from_box("a", geometry.WHOLE, 4, 6), constraint.from_mask("b", torch.ones(9, 9))]
        )
        assert batch.shape == (2, 4, 6)
        assert constraint.masks([]).shape == (0, 1, 1)

    def test_masks_made_in_inference_mode_can_be_saved_for_backward(self) -> None:
        with torch.inference_mode():
            made = [constraint.from_box("a", (0, 0, 0.5, 0.5), 8, 8), constraint.from_mask("b", torch.rand(8, 8))]
            resized = [constraint.mask_at(4, 4) for constraint in made]
        weights = torch.ones(4, 4, requires_grad=True)
        for mask in resized:
            (weights * mask).sum().backward()
        assert all(not constraint.mask.is_inference() for constraint in made)

    def test_free_form_masks_are_cleaned(self) -> None:
        mask = constraint.from_mask("a", torch.tensor([[float("nan"), 2.0], [-1.0, 0.5]])).mask
        assert mask.tolist() == [[0, 1], [0, 0.5]]
