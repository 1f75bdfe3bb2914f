"""Prompts learned from one labelled picture a class: CoOp with NTLB's explainability loss.

Zhou et al. 2022 ("Learning to prompt", CoOp): context vectors shared by all classes stand in for the template's
words. Paiss et al. 2022 (NTLB, section 4) add that the class's name shall be what the text rests on:

    L = CE + λ (−mean_i e[i, y_i] + mean_{i,c} e°[i, c])

``e[i, c]`` is the largest relevancy among the tokens of class c's name for image i (row EOT of R, the EOT entry set
to 0, divided by the sum over all tokens; explained score: the logit) and ``e°`` is ``e`` with the true entries set
to 0. First order (the reference code's): ``∂s/∂A`` is taken as a constant and the loss reaches the context through
A alone; the full derivative goes through both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP
from ..errors import InputError
from ..grad_mode import gradients, normal
from ..relevancy import word_relevancy
from .class_prompts import ClassPrompts, LearningSettings
from .learned_context import ContextPrompts, trace_context

_MOMENTUM, _WEIGHT_DECAY = 0.9, 5e-4  # CoOp's SGD
_WARM_UP_EPOCHS, _WARM_UP_RATE = 1, 1e-5
_INITIAL_SPREAD = 0.02


class EpochReport(NamedTuple):
    """After an epoch: how many are done of how many, the mean loss, and the accuracy (0..1) on the support set."""

    epoch: int
    epochs: int
    loss: float
    accuracy: float


@dataclass
class _Best:
    loss: float
    context: torch.Tensor


class PromptLearner:
    """Learns the context of class prompts from the features of a few labelled images.

    ``for report in learner.epochs(): ...`` trains an epoch a step and may be left at any point;
    :meth:`prompts` is then the best so far.

    Args:
        classes: C distinct names.
        image_features: L2-normalised ``[N, D]``, N >= 1.
        labels: class index of each image ``[N]``.

    Raises:
        InputError: settings out of range, images and labels that don't match, a class without an image, a class
            name too long for the context, or a text tower that can't take learned prompts.
    """

    def __init__(
        self,
        clip: ExplainableCLIP,
        classes: tuple[str, ...],
        image_features: torch.Tensor,
        labels: torch.Tensor,
        settings: LearningSettings,
    ) -> None:
        settings.check()
        _check_support(classes, image_features, labels)
        self.clip, self.classes, self.settings = clip, classes, settings
        self._frame = ContextPrompts.build(clip, classes, settings.context_tokens, settings.position)
        self._images = normal(image_features).float().to(clip.device)
        self._labels = normal(labels).long().to(clip.device)
        self._random = torch.Generator().manual_seed(settings.seed)
        start = torch.randn(settings.context_tokens, self._frame.width, generator=self._random) * _INITIAL_SPREAD
        self._context = start.to(clip.device)
        self._best = _Best(math.inf, self._context.clone())
        self._history: list[EpochReport] = []

    def epochs(self) -> Iterator[EpochReport]:
        """Train; yields after every epoch."""
        with gradients():
            context = normal(self._context).clone().requires_grad_()
            optimizer = torch.optim.SGD([context], lr=_WARM_UP_RATE, momentum=_MOMENTUM, weight_decay=_WEIGHT_DECAY)
        for epoch in range(self.settings.epochs):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(epoch, self.settings)
            total, correct = 0.0, 0
            order = torch.randperm(len(self._labels), generator=self._random).to(self._labels.device)
            for batch in order.split(self.settings.batch_size):
                before = context.detach().clone()
                with gradients():
                    loss, hits = self._loss(context, self._images[batch], self._labels[batch])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                if not context.isfinite().all():
                    raise InputError(
                        f"learning diverged in epoch {epoch + 1}: lower lambda ({self.settings.explainability_weight})"
                        f" or the learning rate ({self.settings.learning_rate})"
                    )
                total, correct = total + float(loss.detach()) * len(batch), correct + hits
            report = EpochReport(
                epoch + 1, self.settings.epochs, total / len(self._labels), correct / len(self._labels)
            )
            self._history.append(report)
            self._context = context.detach().clone()
            if report.loss < self._best.loss:  # the loss is that of the context before the epoch's last step
                self._best = _Best(report.loss, before)
            yield report

    def prompts(self) -> ClassPrompts:
        """What was learned: the last epoch's context once all are done, else that of the lowest loss so far."""
        complete = len(self._history) == self.settings.epochs
        context = self._context if complete else self._best.context
        return ClassPrompts(
            context=context.detach().float().cpu(),
            classes=self.classes,
            settings=self.settings,
            fingerprint=self.clip.fingerprint,
            clip_name=self.clip.name,
            history=tuple(tuple(report) for report in self._history),
        )

    def _loss(self, context: torch.Tensor, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, int]:
        trace = trace_context(self.clip, self._frame, context)
        logits = self.clip.logit_scale * images @ trace.features.T
        loss = F.cross_entropy(logits, labels)
        hits = int((logits.argmax(dim=1) == labels).sum())
        if self.settings.explainability_weight:
            full = self.settings.derivative == "full"
            rows = word_relevancy(trace, images, self.clip.logit_scale, create_graph=full)
            evidence = name_evidence(rows, trace.pooled, self._frame.name_mask)
            term = explainability_loss(evidence, labels, self.settings.minimise_others)
            loss = loss + self.settings.explainability_weight * term
        return loss, hits


def name_evidence(relevancy: torch.Tensor, pooled: torch.Tensor, name_mask: torch.Tensor) -> torch.Tensor:
    """``e`` ``[B, C]``: the largest share of relevancy on a token of the class's name.

    Args:
        relevancy: ``[B, C, T]`` from :func:`..relevancy.word_relevancy`. pooled: ``[C]``.
        name_mask: ``[C, T]`` of 0 and 1.
    """
    without_self = relevancy * (1 - F.one_hot(pooled, relevancy.shape[-1]))
    shares = without_self / without_self.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    return (shares * name_mask).amax(dim=-1)


def explainability_loss(evidence: torch.Tensor, labels: torch.Tensor, minimise_others: bool = True) -> torch.Tensor:
    """``−mean_i e[i, y_i] + mean_{i,c} e°[i, c]`` of ``e`` ``[B, C]``; without the second term on request."""
    own = evidence.gather(1, labels.unsqueeze(1))
    loss = -own.mean()
    if minimise_others:
        loss = loss + (evidence.sum() - own.sum()) / evidence.numel()
    return loss


def learning_rate(epoch: int, settings: LearningSettings) -> float:
    """One warm-up epoch at 1e-5, then a cosine from the set rate to 0 over all epochs (CoOp's schedule)."""
    if epoch < _WARM_UP_EPOCHS:
        return _WARM_UP_RATE
    return settings.learning_rate * (1 + math.cos(math.pi * epoch / settings.epochs)) / 2


def _check_support(classes: tuple[str, ...], image_features: torch.Tensor, labels: torch.Tensor) -> None:
    if len(image_features) != len(labels):
        raise InputError(f"labels: {len(labels)} for {len(image_features)} images; give one label an image")
    if len(classes) < 2:
        raise InputError(f"labels name {len(classes)} class; learning to tell classes apart takes at least two")
    if not image_features.isfinite().all():
        raise InputError("an image gave a feature that is not finite; look for NaN pixels or load the CLIP in float32")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise InputError(f"labels: an index lies outside 0..{len(classes) - 1}")
    missing = [name for index, name in enumerate(classes) if index not in labels.tolist()]
    if missing:
        raise InputError(f"no image for class {', '.join(map(repr, missing[:5]))}; add one, or leave the class out")
