"""Models of video with sound pack both into one tensor; guidance sees and moves the video."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from clip_explainability.nodes.host.guidance import _Streams
from clip_explainability.nodes.host.prediction import Prediction

VIDEO, SOUND = (1, 4, 2, 3, 3), (1, 8, 5)


def packed(video: torch.Tensor, sound: torch.Tensor) -> torch.Tensor:
    return torch.cat([video.reshape(len(video), 1, -1), sound.reshape(len(sound), 1, -1)], dim=-1)


def streams(shapes: list[tuple[int, ...]] | None) -> tuple[_Streams, list[torch.Tensor]]:
    video, sound = torch.rand(2, *VIDEO[1:]), torch.rand(2, *SOUND[1:])
    noisy = packed(video, sound)
    base = SimpleNamespace(latent_shapes=shapes)
    again = lambda x: x * 2  # noqa: E731
    prediction = Prediction(base, noisy, torch.ones(2), noisy + 1, [], {}, again, 0, [])
    return _Streams(prediction), [video, sound]


def test_the_video_is_seen_and_put_back_beside_the_sound() -> None:
    found, (video, sound) = streams([VIDEO, SOUND])
    assert torch.equal(found.noisy, video)
    assert torch.equal(found.denoise(video + 3), (video + 3) * 2)
    assert torch.equal(found.joined(found.denoised * 0), packed(video * 0, sound + 1))


def test_one_kind_of_latents_is_left_as_it_is() -> None:
    for shapes in (None, [VIDEO]):
        found, parts = streams(shapes)
        assert torch.equal(found.noisy, packed(*parts))
        assert found.joined(parts[0]) is parts[0]
