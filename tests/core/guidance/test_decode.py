from __future__ import annotations

import torch
from clip_explainability.core.guidance.decode import clamp_pixels, latents_to_rgb


def test_latents_to_rgb_by_hand() -> None:
    latents = torch.tensor([0.5, -0.2]).view(1, 2, 1, 1)
    rgb = latents_to_rgb(latents, [[1.0, 0.0, 0.5], [0.0, 1.0, 1.0]], bias=[0.1, 0.0, 0.0])
    assert torch.allclose(rgb.flatten(), torch.tensor([0.8, 0.4, 0.525]))


def test_a_videos_first_frame_and_a_formats_reshape() -> None:
    latents = torch.rand(1, 1, 4, 2, 2)
    unfold = lambda x: x[..., :1]  # noqa: E731
    rgb = latents_to_rgb(latents, [[1.0, 1.0, 1.0]], reshape=unfold)
    assert rgb.shape == (1, 3, 2, 1)
    assert torch.allclose(rgb[:, 0], (latents[:, 0, 0, :, :1] + 1) / 2)


def test_saturated_pixels_can_come_back_and_not_go_further() -> None:
    pixels = torch.tensor([1.5, 1.5, -0.5, -0.5, 0.5], requires_grad=True)
    weights = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])  # the loss's gradient: descent goes the other way
    (gradient,) = torch.autograd.grad((clamp_pixels(pixels) * weights).sum(), pixels)
    assert gradient.tolist() == [1.0, 0.0, 0.0, -1.0, 1.0]
