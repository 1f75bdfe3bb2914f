"""The library in few names: what ``import clip_explainability`` offers to scripts and notebooks.

Stable by the changelog: a name here keeps its meaning and its arguments within a major version. Everything else of
``core`` may move. Images are tensors ``[B, 3 or 4, H, W]`` in 0..1 throughout; :func:`read_image` makes one of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .classification.class_prompts import ClassPrompts, LearningSettings
from .classification.classes import from_names
from .classification.classify import Classification, Prompting
from .classification.classify import classify as _classify
from .classification.ensembles import Ensemble
from .classification.prompt_learning import PromptLearner
from .classification.support import support_from_batch
from .classification.templates import preset_templates
from .clip import ExplainableCLIP
from .errors import InputError
from .explain import Explanation, explain
from .guidance.objective import Objective, Weights
from .loading.sources import DEMO, load_source
from .methods import METHODS, MapOptions
from .pictures import read_image
from .ranking import rank_images as rank
from .words.neglected import NeglectedWords, find_neglected
from .words.neglected import judge_words as word_scores

if TYPE_CHECKING:
    from .loading.activation import Activation
    from .views import Fit

__all__ = [
    "METHODS",
    "ClassPrompts",
    "Classification",
    "ExplainableCLIP",
    "Explanation",
    "InputError",
    "LearningSettings",
    "MapOptions",
    "NeglectedWords",
    "Objective",
    "Weights",
    "classify",
    "explain",
    "find_neglected",
    "learn_prompts",
    "load_clip",
    "rank",
    "read_image",
    "word_scores",
]


def load_clip(
    source: str | Path = "demo",
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    activation: Activation = "auto",
    download: bool = False,
    folder: str | Path | None = None,
) -> ExplainableCLIP:
    """Load a CLIP whose towers can be explained.

    Args:
        source: ``"demo"``: the embedded CLIP of pictograms. A path: a checkpoint file of open_clip's or Hugging
            Face's. ``"open_clip: model/tag"``: one of open_clip's pretrained models, such as
            ``"open_clip: ViT-B-32/laion2b_s34b_b79k"``.
        dtype: of the weights; maps are most exact in fp32.
        activation: of a file that has no configuration beside it.
        download: whether the network may be used for an ``open_clip:`` model that is not in ``folder`` yet.
        folder: where pretrained models are kept; default ``~/.cache/clip_explainability``.

    Raises:
        InputError: no such source, or a file that holds no CLIP; the message says what to take instead.
    """
    name = DEMO if str(source) == "demo" else str(source)
    kept = folder if folder is not None else Path.home() / ".cache" / "clip_explainability"
    clip = load_source(name, lambda path: path if Path(path).exists() else None, str(kept), download, dtype, activation)
    clip.model.to(device)
    return clip


def classify(
    clip: ExplainableCLIP,
    images: torch.Tensor,
    classes: Sequence[str] | ClassPrompts,
    *,
    templates: str | Sequence[str] = "imagenet 80",
    ensemble: Ensemble = "mean of embeddings",
    temperature: float = 1.0,
    fit: Fit = "crop",
    report: Callable[[int, int], None] | None = None,
) -> Classification:
    """Zero-shot classification that does not hang on one phrasing.

    Args:
        images: ``[B, 1, 3 or 4, H, W]`` in 0..1, any size.
        classes: names, or what :func:`learn_prompts` learned (which takes the templates' place).
        templates: a preset of the Prompt Ensemble Classifier node, or templates with ``{}`` for the name.
        ensemble: how templates are combined; see :mod:`.classification.ensembles`.
        temperature: > 0; divides the logits.
        fit: ``"crop"`` (the centre) or ``"stretch"``.
        report: called with (steps done, steps in total); may raise to stop.

    Returns:
        Class names and their :class:`.classification.ensembles.Scores`: ``scores.probabilities`` is ``[B, C]``.

    Raises:
        InputError: an input can't be used.
    """
    learned = classes if isinstance(classes, ClassPrompts) else None
    names = learned.classes if learned is not None else classes
    chosen = preset_templates(templates) if isinstance(templates, str) else tuple(templates)
    prompting = Prompting(from_names(names), chosen, learned)  # type: ignore[arg-type]
    return _classify(clip, images, prompting, ensemble, temperature, fit, report=report)


def learn_prompts(
    clip: ExplainableCLIP,
    images: torch.Tensor,
    labels: Sequence[str],
    settings: LearningSettings | None = None,
    *,
    fit: Fit = "crop",
    report: Callable[[int, int], None] | None = None,
) -> ClassPrompts:
    """Prompts learned from few labelled images: CoOp with NTLB's explainability loss (section 4).

    Args:
        images: ``[N, 1, 3 or 4, H, W]`` in 0..1, at least one a class.
        labels: the class name of each image.
        report: called with (epochs done, epochs in total); may raise to stop.

    Raises:
        InputError: settings out of range, or images and labels that don't match.
    """
    settings = settings or LearningSettings()
    if len(labels) != len(images):
        raise InputError(f"labels: {len(labels)} for {len(images)} images; give one label an image")
    support = support_from_batch(clip, images, labels, fit)
    learner = PromptLearner(clip, support.classes, support.features, support.labels, settings)
    for epoch in learner.epochs():
        if report is not None:
            report(epoch.epoch, epoch.epochs)
    return learner.prompts()
