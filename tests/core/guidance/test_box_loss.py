from __future__ import annotations

import math

import pytest
import torch
from clip_explainability.core.guidance.box_loss import box_weight, overlap, soft_region

LEFT = torch.tensor([[1.0, 0.0], [1.0, 0.0]])


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_region_is_the_sharpened_share_of_the_peak() -> None:
    relevancy = torch.tensor([[0.4, 0.2], [0.04, 0.0]])
    region = soft_region(relevancy, (2, 2))
    expected = [[sigmoid(20 * 0.9), sigmoid(20 * 0.4)], [0.5, sigmoid(-2)]]
    assert torch.allclose(region, torch.tensor(expected), atol=1e-5)


def test_scale_of_the_relevancy_does_not_matter() -> None:
    relevancy = torch.rand(3, 3)
    assert torch.allclose(soft_region(relevancy, (6, 6)), soft_region(1e-4 * relevancy, (6, 6)), atol=1e-5)


def test_a_map_without_relevancy_has_no_nan() -> None:
    relevancy = torch.zeros(2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(overlap(soft_region(relevancy, (4, 4)), torch.ones(4, 4)), relevancy)
    assert gradient.isfinite().all()


def test_ntlbs_term_by_hand() -> None:
    region = torch.tensor([[0.8, 0.1], [0.2, 0.3]])
    inside, outside = 0.8 + 0.2, 0.1 + 0.3
    assert overlap(region, LEFT).item() == pytest.approx(2 * inside / (2 * inside + outside))


def test_ntlbs_term_is_content_with_an_almost_empty_box_and_fill_is_not() -> None:
    almost_empty = torch.tensor([[0.02, 0.0], [0.0, 0.0]])
    assert overlap(almost_empty, LEFT).item() == pytest.approx(1.0)
    assert overlap(almost_empty, LEFT, fill=1.0).item() < 0.03
    assert overlap(LEFT, LEFT, fill=1.0).item() == pytest.approx(1.0)


def test_fill_one_is_the_dice_coefficient() -> None:
    region = torch.rand(4, 4)
    mask = (torch.rand(4, 4) > 0.5).float()
    dice = 2 * (region * mask).sum() / (region.sum() + mask.sum())
    assert overlap(region, mask, fill=1.0).item() == pytest.approx(dice.item(), rel=1e-5)


def test_an_empty_mask_gives_zero() -> None:
    assert overlap(torch.rand(4, 4), torch.zeros(4, 4)).item() == 0


def test_weight_of_a_quarter_and_of_nothing() -> None:
    assert box_weight(0.25) == pytest.approx(0.3)
    assert math.isfinite(box_weight(0.0))


def test_gradients_to_second_order() -> None:
    relevancy = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1.0, 0, 0, 0]] * 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda r: overlap(soft_region(r, (4, 4)), mask, 0.3), relevancy)
    assert torch.autograd.gradgradcheck(lambda r: overlap(soft_region(r, (4, 4)), mask, 0.3), relevancy)
