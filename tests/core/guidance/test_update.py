from __future__ import annotations

import pytest
import torch
from clip_explainability.core.guidance.update import guided_prediction, rms, shape_gradient


def test_normalised_gradients_have_rms_one_whatever_their_size() -> None:
    gradient = torch.randn(3, 4, 8, 8) * torch.tensor([1e-7, 1.0, 1e5]).view(3, 1, 1, 1)
    assert torch.allclose(rms(shape_gradient(gradient, True, 0.0)).flatten(), torch.ones(3), rtol=1e-4)


def test_the_clamp_is_in_units_of_the_samples_rms() -> None:
    gradient = torch.zeros(1, 1, 10, 10)
    gradient[..., 0, 0] = 50.0  # rms 5
    assert shape_gradient(gradient, True, 3.0).max().item() == pytest.approx(3.0)
    assert shape_gradient(gradient, False, 3.0).max().item() == pytest.approx(15.0)


def test_zero_and_broken_gradients_move_nothing() -> None:
    gradient = torch.randn(3, 2, 2)
    gradient[0] = 0
    gradient[1, 0, 0] = float("nan")
    shaped = shape_gradient(gradient, True, 3.0)
    assert shaped[:2].abs().max() == 0
    assert shaped[2].abs().max() > 0


def test_the_update_by_hand() -> None:
    gradient = torch.tensor([1.0, -1.0]).view(1, 1, 1, 2)
    result = guided_prediction(torch.ones(1, 1, 1, 2), rms(3 * gradient), gradient, 0.1)
    assert torch.allclose(result.flatten(), torch.tensor([0.7, 1.3]))
