"""core.evaluation.metrics on maps whose scores are known."""

from __future__ import annotations

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.core.evaluation import metrics


def square_mask(size: int = 8, low: int = 2, high: int = 5) -> torch.Tensor:
    mask = torch.zeros(1, size, size)
    mask[0, low:high, low:high] = 1
    return mask


def scores(maps: torch.Tensor, masks: torch.Tensor, **options) -> dict[str, float]:
    found = metrics.score_maps(maps, masks, **options)
    return {name: float(getattr(found, name)[0]) for name in ("iou", "contrast", "pointing", "auc", "in_box")}


def test_the_mask_itself_is_a_perfect_map():
    assert scores(square_mask(), square_mask()) == {"iou": 1, "contrast": 1, "pointing": 1, "auc": 1, "in_box": 1}


def test_the_opposite_of_the_mask_is_the_worst_map():
    found = scores(1 - square_mask(), square_mask())
    assert found == {"iou": 0, "contrast": -1, "pointing": 0, "auc": 0, "in_box": 0}


@pytest.mark.parametrize("value", [0.0, 0.7, -3.0])
def test_a_constant_map_finds_nothing(value):
    found = scores(torch.full((1, 8, 8), value), square_mask())
    assert found == {"iou": 0, "contrast": 0, "pointing": 0, "auc": 0.5, "in_box": 0}


@pytest.mark.parametrize("mask", [torch.zeros(1, 8, 8), torch.ones(1, 8, 8)], ids=["nowhere", "everywhere"])
def test_where_there_is_nothing_to_find_scores_are_undefined(mask):
    found = metrics.score_maps(torch.rand(1, 8, 8), mask)
    assert all(torch.isnan(getattr(found, name)).all() for name in ("iou", "contrast", "pointing", "auc", "in_box"))


def test_scores_do_not_depend_on_scale_and_offset():
    maps, mask = torch.rand(1, 8, 8), square_mask()
    assert scores(maps, mask) == pytest.approx(scores(maps * 7 - 3, mask), abs=1e-5)


def test_iou_at_a_threshold():
    heat = torch.zeros(1, 8, 8)
    heat[0, 2:5, 2:4] = 1.0  # 6 of the object's 9 pixels
    heat[0, 7, 0:3] = 0.6  # 3 others
    assert scores(heat, square_mask(), threshold=0.9)["iou"] == pytest.approx(6 / 9)
    assert scores(heat, square_mask(), threshold=0.5)["iou"] == pytest.approx(6 / 12)


def test_contrast_is_the_difference_of_means():
    heat = torch.rand(1, 8, 8)
    heat[0, 0, 0], heat[0, 0, 1] = 0, 1  # already min-max normalised
    inside = square_mask()[0].bool()
    expected = heat[0][inside].mean() - heat[0][~inside].mean()
    assert scores(heat, square_mask())["contrast"] == pytest.approx(float(expected), abs=1e-6)


def test_auc_counts_pairs_with_ties_as_half():
    heat = torch.randint(0, 4, (1, 8, 8)).float()
    inside = square_mask()[0].bool()
    pairs = [(p > n) + 0.5 * (p == n) for p in heat[0][inside] for n in heat[0][~inside]]
    assert scores(heat, square_mask())["auc"] == pytest.approx(float(sum(pairs) / len(pairs)), abs=1e-6)


def test_in_box_share_takes_the_box_around_the_mask():
    mask = torch.zeros(1, 8, 8)
    mask[0, 1, 1] = mask[0, 3, 5] = 1  # box: rows 1..3, columns 1..5
    heat = torch.zeros(1, 8, 8)
    heat[0, 2, 3] = heat[0, 6, 6] = heat[0, 7, 7] = 1
    assert scores(heat, mask)["in_box"] == pytest.approx(1 / 3)


def test_pixels_that_are_not_valid_count_for_nothing():
    heat, valid = square_mask() * 0.5, torch.ones(8, 8, dtype=torch.bool)
    heat[0, 0] = 9.0
    valid[0] = False
    assert scores(heat, square_mask(), valid=valid) == {
        "iou": 1, "contrast": 1, "pointing": 1, "auc": 1, "in_box": 1,
    }  # fmt: skip


def test_the_best_threshold_is_found():
    heat = square_mask() * 0.3
    heat[0, 3, 3] = 1.0
    heat[0, 7, 7] = 0.2
    assert 0.2 < metrics.best_threshold([(heat, square_mask())]) <= 0.3


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(InputError, match=r"\(1, 8, 8\).*\(1, 4, 4\)"):
        metrics.score_maps(torch.rand(1, 8, 8), torch.ones(1, 4, 4))
    with pytest.raises(InputError, match="threshold is 2"):
        metrics.score_maps(torch.rand(1, 8, 8), square_mask(), threshold=2)


def test_interval_holds_the_mean_and_narrows_with_more_values():
    generator = torch.Generator().manual_seed(0)
    few, many = (torch.rand(count, generator=generator) for count in (30, 3000))
    mean, low, high = metrics.mean_with_interval(few)
    assert low < mean < high
    assert metrics.mean_with_interval(many)[2] - metrics.mean_with_interval(many)[1] < (high - low) / 5


def test_values_of_one_scene_are_drawn_together():
    values = torch.rand(40, generator=torch.Generator().manual_seed(0)).repeat_interleave(25)
    scenes = torch.arange(40).repeat_interleave(25)
    alone, together = metrics.mean_with_interval(values), metrics.mean_with_interval(values, scenes)
    assert together[2] - together[1] > 3 * (alone[2] - alone[1])


def test_undefined_values_are_left_out():
    assert metrics.mean_with_interval(torch.tensor([1.0, float("nan"), 1.0])) == (1, 1, 1)
    assert all(value != value for value in metrics.mean_with_interval(torch.tensor([float("nan")])))


def test_what_can_t_be_scored_has_a_reason() -> None:
    maps, masks = torch.rand(5, 4, 4), torch.zeros(5, 4, 4)
    masks[:, :2] = 1
    maps[1, 0, 0], masks[2, 0, 0], masks[3], masks[4] = float("nan"), float("inf"), 0, 1
    reasons = metrics.why_undefined(maps, masks)
    assert reasons[0] is None
    for reason, word in zip(reasons[1:], ("map has NaN", "mask has NaN", "empty", "everything"), strict=True):
        assert reason is not None
        assert word in reason
    assert metrics.score_maps(maps, masks).iou.isnan().tolist() == [False, True, True, True, True]
