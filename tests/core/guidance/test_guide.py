from __future__ import annotations

import pytest
import torch
from clip_explainability.core.boxes.constraint import from_box
from clip_explainability.core.guidance.guide import Guide, GuideSettings, SamplerCall
from clip_explainability.core.guidance.objective import Objective
from clip_explainability.core.guidance.report import plot_curves, report_data, step_pictures
from tiny_clips import tiny_clip

FACTORS = torch.tensor([[0.3, 0.2, 0.3], [0.3, 0.5, 0.2], [-0.3, 0.2, 0.3], [-0.2, -0.3, -0.7]])


def objective() -> Objective:
    return Objective(tiny_clip("vit-cls"), "a dog and a cat", (from_box("dog", (0, 0, 0.5, 1), 32, 32),))


def call(sigma: float = 5.0, key: int = 1, batch: int = 2, **others) -> SamplerCall:  # type: ignore[no-untyped-def]
    noise = torch.Generator().manual_seed(3)
    with torch.inference_mode():  # as the host has it
        denoised = torch.randn(batch, 4, 16, 16, generator=noise)
        noisy = denoised + sigma * torch.randn(batch, 4, 16, 16, generator=noise)
    decode = lambda x: (torch.einsum("bchw,cd->bdhw", x, FACTORS) + 1) / 2  # noqa: E731
    percent = lambda share: 10.0 * (1 - share)  # noqa: E731
    return SamplerCall(denoised, noisy, sigma, key, None, percent, decode, **others)


def run(guide: Guide, calls: list[SamplerCall]) -> list[torch.Tensor]:
    results = []
    with torch.inference_mode():
        for each in calls:
            guide.starts_run(each)
            results.append(guide.steer(each))
    return results


def settings(**changes) -> GuideSettings:  # type: ignore[no-untyped-def]
    return GuideSettings(**{"cutouts": 3, "end": 1.0, **changes})


def test_a_step_goes_downhill_and_is_as_long_as_the_strength_says() -> None:
    guide = Guide(objective(), settings(strength=0.05, repeats=4, clamp=0.0))
    (result,) = run(guide, [call()])
    steps = guide.record.steps
    assert all(after < before for before, after in zip(steps[0].total, steps[-1].total, strict=True))
    assert [change for step in steps for change in step.change] == pytest.approx([0.05] * 8, rel=1e-3)
    assert result.shape == (2, 4, 16, 16)


def test_strength_zero_only_measures() -> None:
    guide, given = Guide(objective(), settings(strength=0.0)), call()
    assert run(guide, [given])[0] is given.denoised
    assert len(guide.record.steps) == 1


def test_outside_the_window_nothing_is_touched() -> None:
    guide, given = Guide(objective(), settings(start=0.2, end=0.6)), [call(9.0), call(3.0)]
    assert [result is each.denoised for result, each in zip(run(guide, given), given, strict=True)] == [True, True]
    assert guide.record.steps == []


def test_every_second_step() -> None:
    guide = Guide(objective(), settings(every=2))
    run(guide, [call(sigma) for sigma in (9.0, 8.0, 7.0, 6.0)])
    assert [step.sigma for step in guide.record.steps] == [9.0, 7.0]


def test_reruns_are_equal_and_other_seeds_are_not() -> None:
    first, again = (run(Guide(objective(), settings()), [call()])[0] for _ in range(2))
    (other,) = run(Guide(objective(), settings(seed=1)), [call()])
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_batch_is_guided_as_its_pictures_are_one_by_one() -> None:
    given = call(batch=2)
    (together,) = run(Guide(objective(), settings()), [given])
    single = SamplerCall(given.denoised[1:], given.noisy[1:], *list(vars(given).values())[2:])
    (apart,) = run(Guide(objective(), settings()), [single])
    assert torch.allclose(together[1:], apart, atol=1e-4)


def test_the_full_route_descends_through_the_denoiser() -> None:
    seen = []

    def denoise(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.requires_grad)
        return x.flip(-1) * 0.5

    guide = Guide(objective(), settings(full=True))
    (result,) = run(guide, [call(denoise=denoise)])
    assert seen == [True]
    assert result.isfinite().all()


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    run(Guide(objective(), settings()), [call()])
    assert torch.equal(state, torch.random.get_rng_state())


def test_cancel_leaves_at_once() -> None:
    class Cancelled(Exception):
        pass

    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Cancelled

    guide = Guide(objective(), settings(repeats=5), check)
    with pytest.raises(Cancelled):
        run(guide, [call()])
    assert guide.record.steps == []


def test_a_new_run_starts_a_new_record() -> None:
    guide = Guide(objective(), settings())
    run(guide, [call(9.0), call(5.0), call(9.0, key=2)])
    assert [step.sigma for step in guide.record.steps] == [9.0]


def test_the_report_of_a_run() -> None:
    guide = Guide(objective(), settings())
    run(guide, [call(sigma) for sigma in (9.0, 8.0, 7.0)])
    data = report_data(guide.record)
    assert data["guided_calls"] == 3
    assert [word["word"] for word in data["images"][1]["words"]] == ["a", "dog", "and", "a", "cat"]
    assert data["images"][0]["boxes"][0]["label"] == "dog"
    assert plot_curves(guide.record).shape[-1] == 3
    assert step_pictures(guide.record).max() > 0.5
