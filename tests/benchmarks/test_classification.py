"""benchmarks/classification.py on a tiny CLIP: who is told apart from whom, and a whole small run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from clip_explainability.core.classification.class_prompts import LearningSettings
from clip_explainability.core.classification.zero_shot import encode_images
from tiny_clips import tiny_clip

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NAMES = ("dog", "cat", "frog", "car", "tree")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import classification

    yield classification
    for name in [name for name in sys.modules if name.startswith("classification")]:
        sys.modules.pop(name)
    for name in ("benchmark_pack", "intervals"):
        sys.modules.pop(name, None)


def a_pool(benchmark: Any, features: torch.Tensor, support: torch.Tensor | None = None) -> Any:
    """Equally many images of each of five classes; every second at the second clutter level."""
    labels = torch.arange(5).repeat_interleave(len(features) // 5)
    return benchmark.Pool(NAMES, features, labels, torch.arange(len(features)) % 2, ("0", "1"), support)


def a_task(classes: list[int], support: list[int]) -> Any:
    from classification_tasks import Task

    return Task(0, torch.tensor(classes), torch.tensor([]), torch.tensor(support))


def test_images_are_told_apart_within_each_list_of_classes(benchmark: Any) -> None:
    from classification_tasks import _accuracy_of_lists

    # An image of dog looks like a tree first and like a dog second; every other image like its class.
    features = torch.eye(5).repeat_interleave(4, dim=0)
    features[2:4] = F.normalize(torch.tensor([[0.6, 0.0, 0.0, 0.0, 0.8]]), dim=-1)
    found = _accuracy_of_lists(a_pool(benchmark, features), a_task([0, 1], [0, 4]), torch.eye(5))
    assert {name: values.round(3).tolist() for name, values in found.items()} == {
        "learned": [1.0, 1.0],
        "others": [1.0, 1.0],
        "all": [0.875, 0.9],  # 8 and 10 images are left at the two levels, one wrong at each
    }


def test_images_to_learn_from_are_not_tested_on(benchmark: Any) -> None:
    from classification_tasks import _accuracy_of_lists

    wrong = torch.arange(20) % 4 < 2  # the first two of each class: they look like another
    features = torch.where(wrong.unsqueeze(1), torch.eye(5).roll(1, 0).repeat_interleave(4, 0), torch.eye(5)[:, None]
                           .expand(5, 4, 5).flatten(0, 1))  # fmt: skip
    found = _accuracy_of_lists(a_pool(benchmark, features, support=wrong), a_task([0, 1], [0, 4]), torch.eye(5))
    assert [values.tolist() for values in found.values()] == [[1.0, 1.0]] * 3
    found = _accuracy_of_lists(a_pool(benchmark, features), a_task([0, 1], [0, 4]), torch.eye(5))
    assert found["all"].mean() < 1


def test_without_other_classes_there_is_one_list(benchmark: Any) -> None:
    from classification_tasks import _accuracy_of_lists

    found = _accuracy_of_lists(a_pool(benchmark, torch.eye(5).repeat(2, 1)), a_task([0, 1, 2, 3], [0]), torch.eye(5))
    assert list(found) == ["learned"]


def test_a_small_run_from_tasks_to_tables(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tiny_clip("vit-cls")
    noise = torch.rand(60, 3, *clip.image_size, generator=torch.Generator().manual_seed(0))
    pool = replace(a_pool(benchmark, encode_images(clip, noise)), vendor="noto")
    monkeypatch.setattr(benchmark, "throughput_ratio", lambda *_: 1.0)
    monkeypatch.setattr(sys.modules["classification_one_shot"], "LearningSettings", partial(LearningSettings, epochs=5))
    results = benchmark.measure(clip, pool, ("a {}", "{} there"), benchmark.Size(2, 3, 0, 0), 3.0)
    assert "task 2 of 2" in capsys.readouterr().out

    one_shot = results["one_shot"]
    assert [(row["others"], row["rate"]) for row in one_shot["learned"]] == [
        (others, rate) for rate in (0.002, 0.02) for others in (0, 1, 3)
    ]
    for row in one_shot["learned"]:
        for name in ("learned", "others", "all"):
            difference = row["lambda"][name]["mean"] - row["lambda_0"][name]["mean"]
            assert row["gain"][name]["mean"] == pytest.approx(difference, abs=2e-4)
    slow, fast = one_shot["over_crowds"]
    for name in ("learned", "others", "all"):
        mean = np.mean([row["gain"][name]["mean"] for row in one_shot["learned"][:3]])
        assert slow["gain"][name]["mean"] == pytest.approx(mean, abs=2e-4)
    whole = one_shot["over_rates_and_crowds"]
    gain = whole["gain"]["learned"]
    assert gain["mean"] == pytest.approx(
        (slow["gain"]["learned"]["mean"] + fast["gain"]["learned"]["mean"]) / 2, abs=2e-4
    )
    assert results["accuracy"]["one_shot_lambda_0"] == whole["lambda_0"]["learned"]["mean"]
    assert results["accuracy"]["one_shot_lambda"] == whole["lambda"]["learned"]["mean"]
    assert results["one_shot_gain_ci95"] == [gain["low"], gain["high"]]

    size = {"tasks": 2, "ways": 3}
    results["about"] = {"clip": "tiny", "images": "noise", "templates": "two", "size": size, "classes": 5,
                        "seconds": 1, "torch": "2", "threads": 1}  # fmt: skip
    text = benchmark.write_markdown(results, tmp_path / "found.md")
    assert text == (tmp_path / "found.md").read_text("utf-8")
    assert "| prompts | the 3 with a picture | the other 2 | all 5 |" in text
    assert "| rate 0.02, 3 other objects: lambda = 3 |" in text
    benchmark.write_plot(results, tmp_path / "found.png")
    assert (tmp_path / "found.png").stat().st_size > 10_000
