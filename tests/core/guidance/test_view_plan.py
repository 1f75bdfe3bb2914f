from __future__ import annotations

import pytest
import torch
from clip_explainability.core.boxes.constraint import from_box
from clip_explainability.core.guidance.cutouts import draw_windows, seeded_generator
from clip_explainability.core.guidance.view_plan import masked_views, plan_views

CORNER = from_box("corner", (0.0, 0.0, 0.3, 0.3), 64, 64)
OTHER = from_box("other", (0.5, 0.5, 1.0, 1.0), 64, 64, weight=3.0)


def plan(count: int = 9, seed: int = 0):  # type: ignore[no-untyped-def]
    windows = draw_windows(count, seeded_generator(seed, 1.0), smallest=0.5)
    return plan_views(windows, (CORNER, OTHER), torch.Generator().manual_seed(seed))


def test_weights_sum_to_one_also_over_the_parts() -> None:
    whole = plan()
    assert torch.allclose(whole.weights.sum(dim=1), torch.ones(2))
    assert sum(weight for _, _, weight in whole.masked) == pytest.approx(1)
    parts = list(whole.passes(4))
    assert sum(share for _, share in parts) == pytest.approx(1)
    assert torch.allclose(
        torch.stack([part.weights.sum(dim=1) * share for part, share in parts]).sum(dim=0), torch.ones(2)
    )
    assert sum(weight * share for part, share in parts for _, _, weight in part.masked) == pytest.approx(1)


def test_windows_that_cut_an_object_off_say_nothing_of_it() -> None:
    windows = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.4, 0.4, 0.6, 0.6]])
    weights = plan_views(windows, (CORNER, OTHER), torch.Generator().manual_seed(0)).weights
    assert weights.tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_objects_take_turns_in_the_masked_views() -> None:
    masked = plan(count=12).masked
    assert len(masked) == masked_views(12) == 4
    assert sorted(k for k, _, _ in masked) == [0, 0, 1, 1]


def test_masks_lie_where_the_windows_show_them() -> None:
    windows = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.5]])
    masks = plan_views(windows, (OTHER,), torch.Generator().manual_seed(0)).masks
    assert masks[0, 0].mean().item() == pytest.approx(0.25, abs=1e-3)
    assert masks[0, 1].mean().item() == pytest.approx(1.0, abs=0.03)
