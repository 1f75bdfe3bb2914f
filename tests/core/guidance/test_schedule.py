from __future__ import annotations

from clip_explainability.core.guidance.schedule import RunDetector, StepCounter, Window


def test_the_window_is_inclusive() -> None:
    window = Window(10.0, 1.0)
    assert [sigma in window for sigma in (10.1, 10.0, 5.0, 1.0, 0.9)] == [False, True, True, True, False]


def test_calls_at_repeated_or_higher_sigmas_belong_to_the_step() -> None:
    counter = StepCounter()
    assert [counter.count(sigma) for sigma in (10.0, 8.0, 10.0, 8.0, 5.0, 5.0)] == [0, 1, 1, 1, 2, 2]


def test_a_known_schedule_gives_exact_steps() -> None:
    counter, schedule = StepCounter(), (10.0, 5.0, 1.0, 0.0)
    assert [counter.count(sigma, schedule) for sigma in (10.0, 7.0, 5.0, 2.0, 1.0, 0.5)] == [0, 0, 1, 1, 2, 2]


def test_runs_are_told_apart_by_key_or_by_a_return_to_the_start() -> None:
    runs = RunDetector()
    calls = [(1, 10.0), (1, 5.0), (1, 7.0), (1, 1.0), (2, 10.0), (2, 1.0), (2, 10.0)]
    assert [runs.starts(key, sigma) for key, sigma in calls] == [True, False, False, False, True, False, True]


def test_heuns_second_evaluation_at_the_first_sigma_is_no_new_run() -> None:
    runs = RunDetector()
    assert [runs.starts(1, sigma) for sigma in (10.0, 10.0, 5.0)] == [True, False, False]
