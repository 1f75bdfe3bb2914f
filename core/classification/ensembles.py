"""From features to probabilities: five ways to make many templates one classifier.

Notation: ``f_i`` image features ``[B, D]``, ``e_ct`` prompt features ``[C, T, D]``, all L2-normalised; logit
``z_ict = scale · <f_i, e_ct>``. Every function is pure and indifferent to the order of classes, templates, images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F

from ..errors import InputError

Ensemble = Literal["mean of embeddings", "mean of logits", "majority vote", "zpe weights", "explainability-weighted"]
ENSEMBLES: tuple[Ensemble, ...] = get_args(Ensemble)

_IMAGES_PER_PASS = 64


@dataclass(frozen=True)
class Scores:
    """What an ensemble says of B images and C classes.

    Attributes:
        probabilities: ``[B, C]``, each row sums to 1.
        ranking: ``[B, C]`` class indices, best first.
        class_vectors: ``[C, D]``, L2-normalised: the direction of each class, which maps explain.
        agreement: ``[B]`` in 0..1: share of the templates whose own best class is the ensemble's.
    """

    probabilities: torch.Tensor
    ranking: torch.Tensor
    class_vectors: torch.Tensor
    agreement: torch.Tensor

    @property
    def top(self) -> torch.Tensor:
        """Index of each image's best class ``[B]``."""
        return self.ranking[:, 0]

    @property
    def margin(self) -> torch.Tensor:
        """Best minus second-best probability ``[B]``; 1 where there is one class."""
        ranked = self.probabilities.gather(1, self.ranking)
        return ranked[:, 0] - ranked[:, 1] if ranked.shape[1] > 1 else torch.ones(len(ranked))


def class_vectors(prompt_features: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """``normalise(Σ_t w_ct e_ct)``: ``[C, T, D]`` to ``[C, D]``; the plain mean is open_clip's classifier.

    Args:
        weights: ``[T]`` or ``[C, T]``, >= 0; None: all equal.
    """
    return F.normalize(_weighted_sum(prompt_features, weights), dim=-1)


def _weighted_sum(prompt_features: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    if weights is None:
        return prompt_features.mean(dim=1)
    shares = weights / weights.sum(dim=-1, keepdim=True)
    return torch.einsum("ct,ctd->cd", shares.expand(prompt_features.shape[:2]), prompt_features)


def zpe_weights(
    image_features: torch.Tensor, prompt_features: torch.Tensor, scale: float, sharpness: float = 1.0
) -> torch.Tensor:
    """Template weights ``[T]`` from unlabelled images, summing to 1 (ZPE: Allingham et al. 2023).

    ``softmax_t(sharpness · mean_i max_c (z_ict − mean_i z_ict))``: a template counts as much as its best logit
    rises above what that prompt gives to any image. A single image has nothing to rise above: all weights equal.

    Args:
        image_features: ``[B, D]``; the more images, the better the weights.
        scale: logit scale.
    """
    scores = [
        (logits - logits.mean(dim=0)).amax(dim=1).mean()
        for features in prompt_features.unbind(dim=1)
        for logits in [scale * image_features @ features.T]
    ]
    return (sharpness * torch.stack(scores)).softmax(dim=0)


def template_predictions(image_features: torch.Tensor, prompt_features: torch.Tensor) -> torch.Tensor:
    """The best class of every image by every single template: ``[B, T]`` class indices."""
    return torch.cat(
        [
            torch.stack([(chunk @ features.T).argmax(dim=1) for features in prompt_features.unbind(dim=1)], dim=1)
            for chunk in image_features.split(_IMAGES_PER_PASS)
        ]
    )


def score(
    image_features: torch.Tensor,
    prompt_features: torch.Tensor,
    scale: float,
    ensemble: Ensemble = "mean of embeddings",
    temperature: float = 1.0,
    weights: torch.Tensor | None = None,
) -> Scores:
    """Classify B images.

    Args:
        image_features: ``[B, D]``; prompt_features: ``[C, T, D]``.
        scale: the CLIP's logit scale (100 for OpenAI's).
        ensemble: ``"mean of embeddings"`` (open_clip's), ``"mean of logits"`` (the mean is not normalised again, so
            classes whose templates disagree score lower), ``"majority vote"`` (probability = share of templates; the
            mean logit breaks ties; temperature changes nothing), ``"zpe weights"`` or ``"explainability-weighted"``.
        temperature: logits are divided by it; above 1 flattens the probabilities, the ranking stays.
        weights: ``[C, T]`` from :mod:`.explainability_weights`, for that ensemble alone.

    Raises:
        InputError: unknown ensemble, or a temperature that is not above 0.
    """
    if ensemble not in ENSEMBLES:
        raise InputError(f"ensemble is {ensemble!r}; choose one of: {', '.join(ENSEMBLES)}")
    if not temperature > 0:
        raise InputError(f"temperature is {temperature}; it divides the logits, so choose a value above 0")
    if ensemble == "zpe weights":
        weights = zpe_weights(image_features, prompt_features, scale)
    elif ensemble != "explainability-weighted":
        weights = None
    elif weights is None:
        raise InputError("ensemble 'explainability-weighted' needs the weights of explainability_weights.py")
    vectors = class_vectors(prompt_features, weights)
    mean = _weighted_sum(prompt_features, None) if ensemble in ("mean of logits", "majority vote") else vectors
    logits = scale * image_features @ mean.T
    probabilities = (logits / temperature).softmax(dim=1)
    own = template_predictions(image_features, prompt_features)
    ranks = logits
    if ensemble == "majority vote":
        votes = F.one_hot(own, len(prompt_features)).sum(dim=1).to(logits)
        ranks = votes + logits.softmax(dim=1) / 2  # below one vote: breaks ties only
        probabilities = votes / own.shape[1]
    ranking = ranks.argsort(dim=1, descending=True, stable=True)
    agreement = (own == ranking[:, :1]).float().mean(dim=1)
    return Scores(probabilities, ranking, vectors, agreement)
