from __future__ import annotations

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.core.guidance.latent_optimization import OptimizationSettings, optimize_latents
from clip_explainability.core.guidance.objective import Objective, Weights
from tiny_clips import tiny_clip


def decode(latents: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(latents[:, :3])


def optimize(start: torch.Tensor, **changes):  # type: ignore[no-untyped-def]
    objective = Objective(tiny_clip("vit-cls"), "a dog and a cat", weights=Weights(manipulation="stay" in changes))
    return optimize_latents(start, decode, objective, OptimizationSettings(**{"steps": 8, "cutouts": 2, **changes}))


def start() -> torch.Tensor:
    return torch.randn(2, 4, 24, 24, generator=torch.Generator().manual_seed(0))


def test_the_loss_falls_for_every_picture() -> None:
    _, record = optimize(start(), learning_rate=0.1)
    assert all(last < first for first, last in zip(record.steps[0].total, record.steps[-1].total, strict=True))


def test_same_seed_same_latents() -> None:
    assert torch.equal(optimize(start())[0], optimize(start())[0])


def test_staying_keeps_closer_to_the_start() -> None:
    free, held = (optimize(start(), stay=stay)[0] - start() for stay in (0.0, 50.0))
    assert held.square().mean() < 0.8 * free.square().mean()


def test_an_empty_start_and_inference_mode() -> None:
    with torch.inference_mode():
        result, _ = optimize(torch.zeros(1, 4, 16, 16), steps=2)
    assert result.abs().max() > 0


def test_it_stops_when_nothing_improves() -> None:
    _, record = optimize(start(), steps=40, learning_rate=1e-9, patience=3, noise=0.0)
    assert len(record.steps) < 40


def test_cancel() -> None:
    def report(done: int, total: int, images: torch.Tensor) -> None:
        assert images.shape == (2, 3, 24, 24)
        if done == 2:
            raise KeyboardInterrupt

    objective = Objective(tiny_clip("vit-cls"), "a dog")
    with pytest.raises(KeyboardInterrupt):
        optimize_latents(start(), decode, objective, OptimizationSettings(steps=9, cutouts=1), report)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_start_that_is_not_finite_is_refused(value: float) -> None:
    broken = start()
    broken[1, 0, 3, 3] = value
    with pytest.raises(InputError, match="latent: number 1 of the batch contains NaN"):
        optimize(broken)


def test_no_latents_at_all_are_refused() -> None:
    with pytest.raises(InputError, match="latent is empty"):
        optimize(torch.zeros(0, 4, 8, 8))


def optimize_through(decoder) -> None:  # type: ignore[no-untyped-def]
    optimize_latents(start(), decoder, Objective(tiny_clip("vit-cls"), "a dog"), OptimizationSettings(steps=2))


def test_latents_of_another_model_are_refused() -> None:
    other = torch.nn.ConvTranspose2d(16, 3, 8, 8)
    with pytest.raises(InputError, match=r"latent has the shape \(2, 4, 24, 24\), which this vae can't decode"):
        optimize_through(other)


def test_a_decoder_that_overflows_is_named() -> None:
    with pytest.raises(InputError, match="latent: the vae decodes it to NaN or infinite pixels"):
        optimize_through(lambda latents: latents[:, :3] / 0)
