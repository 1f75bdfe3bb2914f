"""One task of the classification benchmark: some classes, their test images, one labelled image of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from classification_data import Pool, crowded_features
from clip_explainability.core.classification.class_prompts import LearningSettings
from clip_explainability.core.classification.ensembles import ENSEMBLES, class_vectors, score, template_predictions
from clip_explainability.core.classification.explainability_weights import explainability_weights
from clip_explainability.core.classification.learned_context import encode_learned
from clip_explainability.core.classification.prompt_learning import PromptLearner
from clip_explainability.core.classification.zero_shot import PromptFeatures
from clip_explainability.core.clip import ExplainableCLIP

LISTS = ("learned", "others", "all")
"""Lists of classes to choose from: those with a labelled image, those without, both together."""


@dataclass(frozen=True)
class Task:
    """Classes (indices into the pool's), and indices of the images to test on and of one a class to learn from."""

    seed: int
    classes: torch.Tensor
    test: torch.Tensor
    support: torch.Tensor


def draw_task(pool: Pool, seed: int, ways: int) -> Task:
    """``ways`` classes at random, one labelled image of each, all other (test) images of those classes."""
    rng = np.random.default_rng((70, seed))
    classes = rng.permutation(len(pool.classes))[:ways]
    support, test = [], []
    for index in classes:
        of_class = (pool.labels == int(index)).nonzero().flatten().numpy()
        free = of_class if pool.support is None else of_class[pool.support[of_class].numpy()]
        chosen = int(rng.choice(free))
        support.append(chosen)
        test += [i for i in of_class if i != chosen and (pool.support is None or not pool.support[i])]
    return Task(seed, torch.from_numpy(classes.copy()), torch.tensor(test), torch.tensor(support))


def local_labels(pool: Pool, task: Task, images: torch.Tensor) -> torch.Tensor:
    """Labels of images of the pool, numbered within the task."""
    number = torch.full((len(pool.classes),), -1)
    number[task.classes] = torch.arange(len(task.classes))
    return number[pool.labels[images]]


def by_level(pool: Pool, images: torch.Tensor, right: torch.Tensor) -> np.ndarray:
    """Accuracy at each clutter level ``[levels]`` from what is right of these images of the pool."""
    levels = pool.levels[images]
    return np.array([float(right[levels == level].float().mean()) for level in range(len(pool.level_names))])


def zero_shot_accuracy(
    clip: ExplainableCLIP, pool: Pool, task: Task, prompts: PromptFeatures, shares: torch.Tensor, sharpness: float
) -> dict[str, np.ndarray]:
    """Accuracy ``[levels]`` of each ensemble, and ``[levels, templates]`` of every single template.

    ZPE sees the test images of one level at a time, without their labels.
    """
    features, labels = pool.features[task.test], local_labels(pool, task, task.test)
    own, weights = prompts.features[task.classes], explainability_weights(shares[task.classes], sharpness)
    predictions = template_predictions(features, own)
    right = predictions == labels.unsqueeze(1)
    found = {"templates": np.stack([by_level(pool, task.test, column) for column in right.T], axis=1)}
    for ensemble in ENSEMBLES:
        hits = torch.zeros(len(labels), dtype=torch.bool)
        for level in range(len(pool.level_names)):
            at = pool.levels[task.test] == level
            hits[at] = score(features[at], own, clip.logit_scale, ensemble, weights=weights).top == labels[at]
        found[ensemble] = by_level(pool, task.test, hits)
    return found


def support_features(clip: ExplainableCLIP, pool: Pool, task: Task, others: int) -> torch.Tensor:
    """Features ``[classes, D]`` of the labelled images; in crowded ones ``others`` objects have no label."""
    if not others:
        return pool.features[task.support]
    assert pool.vendor is not None
    return crowded_features(clip, pool.vendor, [pool.classes[i] for i in task.classes], others, task.seed)


def one_shot_accuracy(
    clip: ExplainableCLIP, pool: Pool, task: Task, support: torch.Tensor, settings: LearningSettings
) -> dict[str, np.ndarray]:
    """Accuracy ``[levels]`` for each of :data:`LISTS` of prompts learned from ``support``, with the task's seed."""
    names = tuple(pool.classes[i] for i in task.classes)
    learner = PromptLearner(clip, names, support, torch.arange(len(names)), replace(settings, seed=task.seed))
    for _ in learner.epochs():
        pass
    return _accuracy_of_lists(pool, task, encode_learned(clip, learner.prompts(), pool.classes))


def mean_classifier_accuracy(pool: Pool, task: Task, prompts: PromptFeatures) -> dict[str, np.ndarray]:
    """The same of the mean of all templates' embeddings, for all of the pool's classes."""
    return _accuracy_of_lists(pool, task, class_vectors(prompts.features))


def _accuracy_of_lists(pool: Pool, task: Task, class_features: torch.Tensor) -> dict[str, np.ndarray]:
    """``class_features``: ``[C, D]`` of all of the pool's classes. Without two other classes there is but one list."""
    own = torch.zeros(len(pool.classes), dtype=torch.bool)
    own[task.classes] = True
    lists = dict(zip(LISTS, (own, ~own, torch.ones_like(own)), strict=True))
    if (~own).sum() < 2:
        lists = {LISTS[0]: own}
    tested = torch.ones(len(pool.labels), dtype=torch.bool) if pool.support is None else ~pool.support
    tested[task.support] = False
    logits = pool.features @ class_features.T
    found = {}
    for name, offered in lists.items():
        images = tested & offered[pool.labels]
        winners = logits[images].masked_fill(~offered, -torch.inf).argmax(dim=1)
        found[name] = by_level(pool, images, winners == pool.labels[images])
    return found
