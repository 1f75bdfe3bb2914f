from __future__ import annotations

from functools import partial

import pytest
import torch
from clip_explainability.core.guidance.frames import carry_over, clip_around, frame_weights, frames_read, spread_frames
from clip_explainability.core.guidance.update import rms, shape_gradient

shaped = partial(shape_gradient, normalize=True, clamp=0.0)


def test_frames_are_spread_from_the_first_to_the_last() -> None:
    assert spread_frames(21, 1) == (0,)
    assert spread_frames(21, 3) == (0, 10, 20)
    assert spread_frames(2, 5) == (0, 1)
    assert frames_read(torch.zeros(1, 4, 8, 8), 3) == frames_read(torch.zeros(1, 4, 1, 8, 8), 3) == (0,)


def test_a_frame_is_decoded_with_its_neighbours() -> None:
    assert [clip_around(frame, 21) for frame in (0, 10, 20)] == [
        (slice(0, 2), 0),
        (slice(8, 12), 2),
        (slice(18, 21), 2),
    ]


def test_weights_blend_smoothly_between_guided_frames_and_fade_outside() -> None:
    weights = frame_weights(9, (2, 6))
    assert weights[2].tolist() == [1, 0]
    assert weights[4].tolist() == pytest.approx([0.5, 0.5])
    assert torch.allclose(weights[2:7].sum(dim=1), torch.ones(5))
    assert (weights[6:, 1].diff() < 0).all()
    assert (weights[:3, 0].diff() > 0).all()


def test_each_guided_frame_gets_the_strength_and_the_others_follow_their_neighbours() -> None:
    gradient = torch.zeros(2, 3, 9, 4, 4)
    gradient[:, :, [0, 8]] = torch.randn(2, 3, 2, 4, 4) * torch.tensor([1.0, 50.0]).view(1, 1, 2, 1, 1)
    moved = carry_over(gradient, (0, 8), shaped, follows_itself=False)
    assert torch.allclose(rms(moved)[:, 0, [0, 8]], torch.ones(2, 2, 1, 1), atol=1e-5)
    ends = shaped(gradient[:, :, [0, 8]])
    assert torch.allclose(moved[:, :, 4], ends.mean(dim=2), atol=1e-5)


def test_on_the_full_route_the_others_keep_their_share() -> None:
    gradient = torch.randn(1, 3, 5, 64, 64)
    gradient *= torch.tensor([2.0, 1.0, 0.1, 9.0, 4.0]).view(1, 1, 5, 1, 1)
    sizes = rms(carry_over(gradient, (0, 4), shaped, follows_itself=True)).flatten()
    # Between the guided frames' 2 and 4; none is moved further than those.
    assert sizes.tolist() == pytest.approx([1, 1 / 2.29, 0.1 / 3, 1, 1], rel=0.03)


def test_a_picture_is_only_shaped() -> None:
    gradient = torch.randn(2, 4, 8, 8)
    assert torch.equal(carry_over(gradient, (0,), shaped, follows_itself=True), shaped(gradient))
