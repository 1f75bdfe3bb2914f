"""Prompts learned from one image a class, with the explainability loss and without: which classes gain?

A context is shared by all classes, so it also serves names that came without an image. What it costs them to be learned
from others shows how far it rests on names at all; CoOp's follow-up measures it so (Zhou et al. 2022, CoCoOp, "base to
new").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from classification_data import Pool
from classification_tasks import LISTS, Task, mean_classifier_accuracy, one_shot_accuracy
from clip_explainability.core.classification.class_prompts import LearningSettings
from clip_explainability.core.classification.zero_shot import PromptFeatures
from clip_explainability.core.clip import ExplainableCLIP
from intervals import mean_interval

RATES = (0.002, 0.02)
"""Learning rates: CoOp's, and ten times as much. Without lambda the first, with it the second is the better one for a
list of all classes (``--choose``)."""
WITHOUT, WITH = "lambda_0", "lambda"

Accuracies = dict[str, np.ndarray]
"""For each of the lists ``[levels]``; over tasks ``[tasks, levels]``."""


@dataclass
class OneShot:
    """What was found in each task: of the mean classifier, and of each rate without and with lambda."""

    zero_shot: list[Accuracies]
    learned: dict[tuple[float, str], list[Accuracies]]

    @classmethod
    def empty(cls) -> OneShot:
        """No tasks yet."""
        return cls([], {(rate, arm): [] for rate in RATES for arm in (WITHOUT, WITH)})

    def add(
        self, clip: ExplainableCLIP, pool: Pool, task: Task, prompts: PromptFeatures, explainability_weight: float
    ) -> str:
        """Measure a task; returns a line to print."""
        self.zero_shot.append(mean_classifier_accuracy(pool, task, prompts))
        for rate in RATES:
            plain = LearningSettings(explainability_weight=0.0, learning_rate=rate)
            for arm, weight in ((WITHOUT, 0.0), (WITH, explainability_weight)):
                settings = replace(plain, explainability_weight=weight)
                self.learned[rate, arm].append(one_shot_accuracy(clip, pool, task, settings))
        gains = {
            rate: {
                name: float(np.mean(self.learned[rate, WITH][-1][name] - self.learned[rate, WITHOUT][-1][name]))
                for name in self.zero_shot[-1]
            }
            for rate in RATES
        }
        return "; ".join(
            f"rate {rate:g}: " + ", ".join(f"{name} {gain:+.3f}" for name, gain in row.items())
            for rate, row in gains.items()
        )

    def over_tasks(self, rate: float, arm: str) -> Accuracies:
        """``[tasks, levels]`` for each list."""
        return _stack(self.learned[rate, arm])

    def summary(self) -> dict[str, Any]:
        """Means over tasks and levels, and differences task by task, of each list."""
        found = {(rate, arm): self.over_tasks(rate, arm) for rate in RATES for arm in (WITHOUT, WITH)}
        gain = {rate: _minus(found[rate, WITH], found[rate, WITHOUT]) for rate in RATES}
        return {
            "mean_of_embeddings": _intervals(_stack(self.zero_shot)),
            "learned": {
                f"{rate:g}": {
                    WITHOUT: _intervals(found[rate, WITHOUT]),
                    WITH: _intervals(found[rate, WITH]),
                    "gain": _intervals(gain[rate]),
                    "gain_by_clutter": {
                        name: [mean_interval(column) for column in values.T] for name, values in gain[rate].items()
                    },
                }
                for rate in RATES
            },
            "gain_over_best_without": _intervals(_minus(found[RATES[1], WITH], found[RATES[0], WITHOUT])),
        }


def _stack(tasks: list[Accuracies]) -> Accuracies:
    return {name: np.stack([task[name] for task in tasks]) for name in LISTS if name in tasks[0]}


def _minus(first: Accuracies, second: Accuracies) -> Accuracies:
    return {name: first[name] - second[name] for name in first}


def _intervals(found: Accuracies) -> dict[str, dict[str, float]]:
    return {name: mean_interval(values.mean(axis=1)) for name, values in found.items()}


def choose_lambda(
    clip: ExplainableCLIP, pool: Pool, tasks: list[Task], weights: tuple[float, ...]
) -> dict[str, dict[str, Any]]:
    """Accuracy with each lambda at each rate, and its gain over lambda 0 at the same rate."""
    rows: dict[str, dict[str, Any]] = {}
    for rate in RATES:
        plain: Accuracies = {}
        for weight in weights:
            settings = LearningSettings(explainability_weight=weight, learning_rate=rate)
            found = _stack([one_shot_accuracy(clip, pool, task, settings) for task in tasks])
            plain = plain or found
            name = f"rate {rate:g}, lambda {weight:g}"
            rows[name] = {"accuracy": _intervals(found), "gain": _intervals(_minus(found, plain))}
            print(name, {key: value["mean"] for key, value in rows[name]["accuracy"].items()}, flush=True)
    return rows
