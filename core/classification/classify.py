"""A batch of images and a class list in, probabilities out: the path of the classifier node."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..clip import ExplainableCLIP
from ..views import Fit
from .cache import FeatureCache
from .class_prompts import ClassPrompts
from .classes import ClassList
from .ensembles import Ensemble, Scores, score
from .explainability_weights import class_word_shares, explainability_weights
from .learned_context import encode_learned
from .zero_shot import PromptFeatures, Report, encode_classes, encode_images


@dataclass(frozen=True)
class Prompting:
    """How classes become prompts: in templates, or in a learned context (which then takes the templates' place)."""

    classes: ClassList
    templates: tuple[str, ...]
    learned: ClassPrompts | None = None


@dataclass(frozen=True)
class Classification:
    """Scores of B images (see :class:`.ensembles.Scores`) with the class names they are about."""

    names: tuple[str, ...]
    scores: Scores
    warnings: tuple[str, ...]


def classify(
    clip: ExplainableCLIP,
    images: torch.Tensor,
    prompting: Prompting,
    ensemble: Ensemble = "mean of embeddings",
    temperature: float = 1.0,
    fit: Fit = "crop",
    cache: FeatureCache | None = None,
    images_key: torch.Tensor | None = None,
    report: Report | None = None,
) -> Classification:
    """Classify B images.

    Args:
        images: ``[B, 1, 3 or 4, H, W]`` in 0..1, any size.
        temperature: > 0; divides the logits.
        cache: remembers features from call to call; None: nothing is remembered.
        images_key: the tensor by whose identity the cache knows the images; None: ``images`` itself.
        report: called with (steps done, steps in total) of what is being encoded; may raise to stop.

    Raises:
        InputError: an input can't be used.
    """
    cache = cache or FeatureCache()
    found = cache.of_images(
        clip,
        images if images_key is None else images_key,
        fit,
        lambda: encode_images(clip, images, fit, report=report),
    )
    features = prompt_features(clip, prompting, cache, report)
    weights = None
    if ensemble == "explainability-weighted":
        weights = template_weights(clip, features, cache, report)
    scores = score(found, features.features, clip.logit_scale, ensemble, temperature, weights)
    return Classification(prompting.classes.names, scores, prompting.classes.warnings)


def prompt_features(
    clip: ExplainableCLIP, prompting: Prompting, cache: FeatureCache, report: Report | None = None
) -> PromptFeatures:
    """Features of all prompts; with learned prompts one "template" a class, ``[C, 1, D]``."""
    classes = prompting.classes.classes
    if prompting.learned is not None:
        learned = encode_learned(clip, prompting.learned, prompting.classes.names)
        return PromptFeatures(learned.unsqueeze(1), classes, ("{}",))
    templates = prompting.templates
    features = cache.of_text(
        clip, (classes, templates), lambda: encode_classes(clip, classes, templates, report=report).features
    )
    return PromptFeatures(features, classes, templates)


def template_weights(
    clip: ExplainableCLIP, prompts: PromptFeatures, cache: FeatureCache, report: Report | None = None
) -> torch.Tensor:
    """Weights of the explainability-weighted ensemble ``[C, T]``; even where there is one template."""
    if len(prompts.templates) == 1:
        return torch.ones(prompts.features.shape[:2])
    key = ("shares", prompts.classes, prompts.templates)
    return explainability_weights(cache.of_text(clip, key, lambda: class_word_shares(clip, prompts, report=report)))
