"""Prompts learned from one image a class, with the explainability loss and without: where does it gain?

On the classes that were learned and on others, since a context is shared by all classes and serves names that came
without an image (CoOp's follow-up measures "base to new" so: Zhou et al. 2022, CoCoOp); from images of the object alone
and from crowded ones, whose label tells but one of the things that they show.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from classification_data import Pool
from classification_tasks import LISTS, Task, mean_classifier_accuracy, one_shot_accuracy, support_features
from clip_explainability.core.classification.class_prompts import LearningSettings
from clip_explainability.core.classification.zero_shot import PromptFeatures
from clip_explainability.core.clip import ExplainableCLIP
from intervals import mean_interval

RATES = (0.002, 0.02)
"""Learning rates: CoOp's, and ten times as much."""
LAMBDA = 10.0
"""Best of those tried over all classes and crowds, on the validation vendor (``--choose``)."""
OTHERS = (0, 1, 3)
"""Objects without a label in the labelled image of a demo scene."""
WITHOUT, WITH = "lambda_0", "lambda"

Accuracies = dict[str, np.ndarray]
"""For each of the lists ``[levels]``; over tasks ``[tasks, levels]``."""


class OneShot:
    """What was found, task by task: of the mean classifier, and of every crowd and rate without and with lambda."""

    def __init__(self, pool: Pool) -> None:
        self.others = OTHERS if pool.vendor else OTHERS[:1]
        self._zero_shot: list[Accuracies] = []
        self._learned: dict[tuple[int, float, str], list[Accuracies]] = {
            (others, rate, arm): [] for others in self.others for rate in RATES for arm in (WITHOUT, WITH)
        }

    def add(
        self, clip: ExplainableCLIP, pool: Pool, task: Task, prompts: PromptFeatures, explainability_weight: float
    ) -> None:
        """Measure a task."""
        self._zero_shot.append(mean_classifier_accuracy(pool, task, prompts))
        for others in self.others:
            support = support_features(clip, pool, task, others)
            for rate in RATES:
                for arm, weight in ((WITHOUT, 0.0), (WITH, explainability_weight)):
                    settings = LearningSettings(explainability_weight=weight, learning_rate=rate)
                    found = one_shot_accuracy(clip, pool, task, support, settings)
                    self._learned[others, rate, arm].append(found)

    def found(self, others: int, rate: float, arm: str) -> Accuracies:
        """``[tasks, levels]`` for each list."""
        return _stack(self._learned[others, rate, arm])

    def mean(self, rates: Iterable[float], arm: str) -> Accuracies:
        """The same as a mean over crowds and these rates."""
        return _mean(self.found(others, rate, arm) for rate in rates for others in self.others)

    def summary(self) -> dict[str, Any]:
        """Means over tasks and levels, and differences task by task, of each list."""
        zero_shot = _stack(self._zero_shot)

        def row(without: Accuracies, with_lambda: Accuracies) -> dict[str, Any]:
            gain = _minus(with_lambda, without)
            return {
                WITHOUT: _intervals(without),
                WITH: _intervals(with_lambda),
                "gain": _intervals(gain),
                "gain_by_clutter": {
                    name: [mean_interval(level) for level in values.T] for name, values in gain.items()
                },
                f"{WITHOUT} - mean_of_embeddings": _intervals(_minus(without, zero_shot)),
                f"{WITH} - mean_of_embeddings": _intervals(_minus(with_lambda, zero_shot)),
            }

        return {
            "mean_of_embeddings": _intervals(zero_shot),
            "learned": [
                {"others": others, "rate": rate, **row(*(self.found(others, rate, arm) for arm in (WITHOUT, WITH)))}
                for rate in RATES
                for others in self.others
            ],
            "over_crowds": [
                {"rate": rate, **row(*(self.mean([rate], arm) for arm in (WITHOUT, WITH)))} for rate in RATES
            ],
            "over_rates_and_crowds": row(*(self.mean(RATES, arm) for arm in (WITHOUT, WITH))),
        }


def _stack(tasks: list[Accuracies]) -> Accuracies:
    return {name: np.stack([task[name] for task in tasks]) for name in LISTS if name in tasks[0]}


def _minus(first: Accuracies, second: Accuracies) -> Accuracies:
    return {name: first[name] - second[name] for name in first}


def _mean(rows: Iterable[Accuracies]) -> Accuracies:
    """Of rows of equal shape."""
    rows = list(rows)
    return {name: np.mean([row[name] for row in rows], axis=0) for name in rows[0]}


def _intervals(found: Accuracies) -> dict[str, dict[str, float]]:
    return {name: mean_interval(values.mean(axis=1)) for name, values in found.items()}


def choose_lambda(
    clip: ExplainableCLIP, pool: Pool, tasks: list[Task], weights: tuple[float, ...]
) -> dict[str, dict[str, Any]]:
    """Accuracy with each lambda at each rate, over all crowds, and its gain over lambda 0 at the same rate."""
    rows: dict[str, dict[str, Any]] = {}
    supports = [[support_features(clip, pool, task, others) for others in OTHERS] for task in tasks]
    for rate in RATES:
        plain: Accuracies = {}
        for weight in weights:
            settings = LearningSettings(explainability_weight=weight, learning_rate=rate)
            found = _stack(
                [
                    _mean(one_shot_accuracy(clip, pool, task, support, settings) for support in crowds)
                    for task, crowds in zip(tasks, supports, strict=True)
                ]
            )
            plain = plain or found
            name = f"rate {rate:g}, lambda {weight:g}"
            rows[name] = {"accuracy": _intervals(found), "gain": _intervals(_minus(found, plain))}
            print(name, {key: value["mean"] for key, value in rows[name]["gain"].items()}, flush=True)
    return rows
