from __future__ import annotations

import math

import pytest
import torch
from clip_explainability.core.guidance.similarity import cosine_distance, spherical_distance


def at(degrees: float) -> torch.Tensor:
    return torch.tensor([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))], dtype=torch.float64)


@pytest.mark.parametrize("degrees", [10, 60, 90, 135])
def test_spherical_distance_is_half_the_squared_angle(degrees: float) -> None:
    expected = math.radians(degrees) ** 2 / 2
    assert spherical_distance(at(0), at(degrees)).item() == pytest.approx(expected, rel=1e-9)


def test_equal_and_opposite_vectors_have_finite_gradients() -> None:
    for degrees in (0, 180):
        feature = at(degrees).requires_grad_()
        (gradient,) = torch.autograd.grad(spherical_distance(feature, at(0)), feature)
        assert gradient.isfinite().all()


def test_cosine_distance() -> None:
    assert cosine_distance(at(0), at(60)).item() == pytest.approx(0.5)


def test_many_images_against_many_texts() -> None:
    images, texts = torch.stack([at(0), at(30)]), torch.stack([at(0), at(45), at(90)])
    assert spherical_distance(images[:, None], texts).shape == (2, 3)


def test_second_derivative() -> None:
    feature = at(70).requires_grad_()
    assert torch.autograd.gradgradcheck(spherical_distance, (feature, at(20)))
