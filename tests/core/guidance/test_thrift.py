from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from clip_explainability.core.guidance.guide import Guide, GuideSettings, SamplerCall
from clip_explainability.core.guidance.memory import PASS_BYTES
from clip_explainability.core.guidance.objective import Objective
from clip_explainability.core.guidance.thrift import Thrift
from tiny_clips import tiny_clip


class Run:
    """Calls of a sampler whose denoiser and decoder fail as told."""

    def __init__(self, denoiser_fails: Callable[[str], bool], decoder_fails: Callable[[str], bool]) -> None:
        objective = Objective(tiny_clip("vit-cls"), "a dog")
        self.guide = Guide(objective, GuideSettings(cutouts=2, end=1.0, repeats=2))
        self.said: list[str] = []
        self.given_back = 0
        self.fails = denoiser_fails, decoder_fails
        self.thrift = Thrift(
            self.guide, lambda error: isinstance(error, torch.OutOfMemoryError), self.give_back, self.said.append
        )

    def give_back(self) -> None:
        self.given_back += 1

    def call(self, measure: str) -> SamplerCall:
        def through(x: torch.Tensor, fails: Callable[[str], bool]) -> torch.Tensor:
            if fails(measure):
                raise torch.OutOfMemoryError("no memory left")
            return x * 0.5

        noise = torch.Generator().manual_seed(0)
        denoised, noisy = torch.randn(2, 1, 3, 16, 16, generator=noise)
        return SamplerCall(
            denoised,
            noisy,
            5.0,
            1,
            None,
            lambda share: 10.0 * (1 - share),
            lambda x: torch.sigmoid(through(x, self.fails[1])),
            None if measure == "cheap" else lambda x: through(x, self.fails[0]),
        )

    def step(self, full: bool = True) -> torch.Tensor:
        return self.thrift.steer(self.call, full)


def never(measure: str) -> bool:
    return False


def test_nothing_changes_while_there_is_memory() -> None:
    run = Run(never, never)
    run.step()
    assert (run.thrift.measure, run.said, len(run.guide.record.steps)) == ("as asked", [], 2)


def test_finer_checkpoints_and_smaller_passes_come_first_and_stay() -> None:
    run = Run(lambda measure: measure == "as asked", never)
    for _ in range(2):
        run.step()
    assert run.thrift.measure == "finer"
    assert run.guide.objective.pass_bytes < PASS_BYTES
    assert (run.given_back, len(run.said), len(run.guide.record.steps)) == (1, 1, 4)
    assert run.guide.record.route["short_of_memory"] == run.said
    run.thrift.begin()
    assert (run.thrift.measure, run.guide.objective.pass_bytes) == ("as asked", PASS_BYTES)


def test_then_the_cheap_route() -> None:
    run = Run(lambda measure: True, never)
    result = run.step()
    assert run.thrift.measure == "cheap"
    assert not torch.equal(result, run.call("cheap").denoised)
    assert len(run.guide.record.steps) == 2


def test_at_last_the_run_ends_without_guidance_rather_than_not_at_all() -> None:
    for full in (True, False):
        run = Run(never, lambda measure: True)
        assert torch.equal(run.step(full), run.call("unguided").denoised)
        assert run.thrift.measure == "unguided"
        assert run.guide.record.steps == run.guide.record.previews == []


def test_memory_that_runs_out_amid_repeats_leaves_no_half_record() -> None:
    calls = []

    def second_time(measure: str) -> bool:
        calls.append(measure)
        return len(calls) == 2

    run = Run(second_time, never)
    run.step()
    assert calls == ["as asked", "as asked", "finer", "finer"]
    assert len(run.guide.record.steps) == 2


def test_other_errors_are_raised() -> None:
    run = Run(never, never)
    run.guide.check = lambda: (_ for _ in ()).throw(KeyError("something else"))
    with pytest.raises(KeyError):
        run.step()
    assert run.said == []
