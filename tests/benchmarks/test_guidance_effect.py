"""benchmarks/guidance_effect.py without its host: tasks, judgement, the store's names, the report."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
BOXES = ((0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0))


@pytest.fixture
def effect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import guidance_effect

    yield guidance_effect
    for name in ("guidance_effect", "guidance_effect_report", "guidance_studio", "benchmark_pack", "machine", "pack"):
        sys.modules.pop(name, None)


def a_task(effect: Any) -> Any:
    return effect.Task(("frog", "car"), BOXES, 1)


def seen(name: str, *box: float, confidence: float = 0.9) -> Any:
    return SimpleNamespace(class_name=name, box=box, confidence=confidence)


def test_tasks_have_two_classes_in_boxes_that_do_not_overlap(effect: Any) -> None:
    tasks = effect.make_tasks(50, 0)
    assert tasks == effect.make_tasks(50, 0)
    for task in tasks:
        assert len(set(task.names)) == 2
        assert effect.overlap(*task.boxes) == 0
        for x0, y0, x1, y1 in task.boxes:
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1
            assert effect.BOX_SHARES[0] <= min(x1 - x0, y1 - y0)
            assert max(x1 - x0, y1 - y0) <= effect.BOX_SHARES[1]


def test_a_picture_is_judged_by_presence_and_place(effect: Any) -> None:
    judged = effect.judge_picture(a_task(effect), [seen("frog", 0.1, 0.1, 0.4, 0.4), seen("car", 0.1, 0.1, 0.4, 0.4)])
    assert (judged["missing_word_rate"], judged["all_present"], judged["centre_in_box_rate"]) == (0, 1, 0.5)
    assert judged["box_miou"] == pytest.approx(0.5 * 0.09 / 0.25)


def test_what_is_missing_is_in_no_box_and_strangers_are_counted(effect: Any) -> None:
    judged = effect.judge_picture(a_task(effect), [seen("car", 0.6, 0.6, 1.0, 1.0), seen("owl", 0.0, 0.0, 0.5, 0.5)])
    assert (judged["missing_word_rate"], judged["centre_in_box_rate"], judged["strangers"]) == (0.5, 0.5, 1)


def test_of_two_of_a_class_the_surer_one_counts(effect: Any) -> None:
    two = [seen("frog", 0.6, 0.6, 0.9, 0.9, confidence=0.95), seen("frog", 0.1, 0.1, 0.4, 0.4, confidence=0.8)]
    assert effect.judge_picture(a_task(effect), two)["centre_in_box_rate"] == 0


def test_stored_pictures_are_told_apart_by_what_they_depend_on(effect: Any) -> None:
    sampling, boxed = effect.SETTINGS["text"], effect.VARIANTS["text"]["ours_boxes"]
    moved = replace(a_task(effect), boxes=a_task(effect).boxes[::-1])
    assert effect.digest(a_task(effect), None, sampling, 1) == effect.digest(moved, None, sampling, 1)
    assert effect.digest(a_task(effect), boxed, sampling, 1) != effect.digest(moved, boxed, sampling, 1)
    assert effect.digest(a_task(effect), boxed, sampling, 1) != effect.digest(a_task(effect), boxed, sampling, 4)
    assert effect.digest(a_task(effect), boxed, sampling, 1) != effect.digest(
        a_task(effect), boxed, effect.SETTINGS["no_text"], 1
    )


def test_the_report_names_every_variant_and_pick(effect: Any, tmp_path: Path) -> None:
    from guidance_effect_report import PICTURED, TITLES, write_report

    names = [*effect.VARIANTS["text"], *effect.PICKS]
    assert set(names) == set(TITLES)
    assert {pick.of for pick in effect.PICKS.values()} <= set(effect.VARIANTS["text"])
    judged = [effect.judge_picture(a_task(effect), [seen("frog", 0.1, 0.1, 0.4, 0.4)]) for _ in range(3)]
    row = {key: [one[key] for one in judged] for key in judged[0]}
    pictures = {("text", name): np.zeros((3, 96, 96, 3), np.uint8) for name in names}
    step = {"unguided": 1.0, "similarity": 2.0, "words": 3.0, "boxes3": 4.0}
    machine = dict.fromkeys(("processor", "accelerator", "cores", "threads", "torch", "python", "date"), "x")
    result = {"prompts": 3, "first_seed": 0, "seconds": 1, "machine": machine, "seconds_a_step": step}
    write_report(result, {"text": {name: dict(row) for name in names}}, [a_task(effect)] * 3, pictures, tmp_path)
    table = (tmp_path / "guidance_effect.md").read_text("utf-8")
    assert all(f"| {title} | 0.500 ±0.000" in table for title in TITLES.values())
    assert result["centre_in_box_rate"]["ours_boxes_by_boxes"]["mean"] == 0.5
    assert result["cost_ratio_vs_similarity"] == {"words": 1.5, "boxes3": 2.0}
    assert set(PICTURED) <= set(TITLES)
