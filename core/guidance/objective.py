"""What guidance descends: similarity to the prompt, words left behind, objects outside their boxes.

NTLB: for a picture x, seen through random windows and averaged over them,

    L(x) = similarity  spherical distance to the prompt; with boxes, also of each object to the picture outside of
                       whose box nothing is left                                            (similarity.py)
         + λ_words · word loss     minus the mean score of the neglected words               (word_loss.py)
         + λ_boxes · box loss      minus Σ_k λ_k · overlap of object k's relevancy and mask  (box_loss.py)
         + λ_contrast · contrast   is each box read as its object, and as nobody else's?     (box_contrast.py; ours)

The text side is encoded once. All terms but the last share one pass of the windows through the image tower; box maps
read its last block only, or as many as are asked for, and the word scores, linear in the image feature up to their
normalisation, cost one vector-Jacobian product through the text tower, taken at the windows' mean feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from ..boxes.constraint import Constraints
from ..clip import ExplainableCLIP
from ..precision import unit
from ..relevancy import ImageTrace, TextTrace, image_relevancy, trace_images, trace_texts, word_relevancy
from ..towers.text import require_word_tower
from ..towers.tokens import TokenBatch, tokenize
from ..words.scores import word_scores
from .box_contrast import box_contrast, views_inside, views_outside
from .box_loss import box_weight, overlap, soft_region
from .cutouts import cut, keep_masked
from .memory import PASS_BYTES, bytes_per_view
from .prompt import candidate_words, readable_prompt
from .similarity import cosine_distance, spherical_distance
from .view_plan import REGION_SIDE, ViewPlan, masked_views, plan_views
from .word_loss import NORMALIZATIONS, WordChoice, choose_words, word_loss


@dataclass(frozen=True)
class Weights:
    """Weights of the terms.

    Attributes:
        similarity: of the distance to the prompt (and of each object to its masked picture).
        words: NTLB's λ for neglected words (0.1).
        boxes: factor on NTLB's λ = 0.15 / √area of every box; 1 is the paper's.
        fill: how much an unfilled box counts; 0 is NTLB's term (see :func:`.box_loss.overlap`).
        box_blocks: how many of the image tower's last blocks the boxes' relevancy goes through; 1 is NTLB's, 0 all.
        contrast: of the boxes' contrast, which is not the paper's; 0 leaves it out.
        threshold: words scoring lower are neglected (NTLB: 0.7).
        manipulation: NTLB's other similarity, 1 − cos, for pictures that are changed rather than made.
    """

    similarity: float = 1.0
    words: float = 0.1
    boxes: float = 1.0
    fill: float = 0.0
    box_blocks: int = 1
    contrast: float = 0.0
    threshold: float = 0.7
    manipulation: bool = False


class Losses(NamedTuple):
    """The terms for B pictures, detached.

    Attributes:
        total: ``[B]``.
        terms: for each term its weighted value ``[B]``; they sum to the total.
        words: scores of the prompt's words ``[B, words]``, or None where words have no weight.
        chosen: the words that were raised, bool ``[B, words]``, or None.
        overlaps: for each box its overlap ``[B, boxes]`` in 0..1, or None.
    """

    total: torch.Tensor
    terms: dict[str, torch.Tensor]
    words: torch.Tensor | None
    chosen: torch.Tensor | None
    overlaps: torch.Tensor | None


@dataclass(frozen=True)
class _Texts:
    """The text side for one device and dtype: features of the prompt ``[D]`` and of the objects ``[K, D]``."""

    prompt: torch.Tensor
    objects: torch.Tensor
    trace: TextTrace | None


class Objective:
    """The loss of pictures and its gradient.

    Args:
        prompt: as the user wrote it, with marks and emphasis (see :mod:`.prompt`).
        constraints: objects and their masks; those of weight 0 are left out.
        choice: which words the word loss raises.

    Raises:
        InputError: the prompt is empty, no word is marked, or the text tower can't be explained.
    """

    def __init__(
        self,
        clip: ExplainableCLIP,
        prompt: str,
        constraints: Constraints = (),
        weights: Weights | None = None,
        choice: WordChoice = "neglected",
    ) -> None:
        self.clip = clip
        self.weights = weights or Weights()
        self.pass_bytes = PASS_BYTES
        self.choice = choice
        reads_boxes = self.weights.boxes or self.weights.contrast
        self.constraints = tuple(each for each in constraints if each.weight > 0) if reads_boxes else ()
        parsed = readable_prompt(prompt)
        if self.constraints and self.weights.boxes:
            remedy = "set box_weight to 0 and steer by box_contrast, or load a CLIP whose image tower is a ViT"
            clip.vision.require("attention", "box_weight, which steers where relevancy lies,", remedy)
        self.text = parsed.text
        self.object_texts = [readable_prompt(each.prompt, "constraints").text for each in self.constraints]
        with torch.inference_mode(False):  # nodes run under it, and autograd saves some of what is made here
            self.tokens: TokenBatch = tokenize(clip, [self.text])
            self.words = tuple(word.text for word in self.tokens.words[0])
            self.candidates = torch.zeros(len(self.words), dtype=torch.bool)
            if self.weights.words:
                require_word_tower(clip)
                self.candidates = candidate_words(parsed, self.tokens, choice)
        self._texts: tuple[tuple[torch.device, torch.dtype], _Texts] | None = None

    @property
    def reads_words(self) -> bool:
        return bool(self.candidates.any())

    @property
    def reads_contrast(self) -> bool:
        return bool(self.constraints) and self.weights.contrast > 0

    def views(self, windows: int) -> int:
        """Number of pictures that go through the image tower for so many windows of one picture."""
        if not self.constraints:
            return windows
        return windows + masked_views(windows) + (2 * len(self.constraints) if self.reads_contrast else 0)

    def gradient(
        self, images: torch.Tensor, windows: torch.Tensor, generator: torch.Generator
    ) -> tuple[Losses, torch.Tensor]:
        """The losses of pictures ``[B, 3, H, W]`` in 0..1 and the gradient of their sum, of the same shape.

        Call inside ``grad_mode.gradients()``. Windows (:func:`.cutouts.draw_windows`) that don't fit into one pass
        take several; the word term is then the mean over the passes.
        """
        leaf = images.detach().requires_grad_()
        parts, gradient = [], torch.zeros_like(leaf)
        for plan, share in self._passes(len(images), windows, generator):
            losses = self.evaluate(leaf, plan)
            gradient += torch.autograd.grad(losses.total.sum(), leaf)[0] * share
            parts.append((_detached(losses), share))
        losses = _mean(parts)
        if self.reads_contrast:
            contrast = self._contrast(leaf, generator)
            gradient += torch.autograd.grad(contrast.sum(), leaf)[0]
            losses = self._with_contrast(losses, contrast)
        return losses, gradient

    def losses(self, images: torch.Tensor, windows: torch.Tensor, generator: torch.Generator) -> Losses:
        """The losses alone. The terms take gradients of their own: call inside ``grad_mode.gradients()``."""
        passes = self._passes(len(images), windows, generator)
        found = _mean([(_detached(self.evaluate(images.detach(), plan)), share) for plan, share in passes])
        if self.reads_contrast:
            found = self._with_contrast(found, self._contrast(images.detach(), generator))
        return found

    def _passes(
        self, images: int, windows: torch.Tensor, generator: torch.Generator
    ) -> Iterator[tuple[ViewPlan, float]]:
        return plan_views(windows, self.constraints, generator).passes(self._views_per_pass(images))

    def _views_per_pass(self, images: int) -> int:
        return max(1, self.pass_bytes // (bytes_per_view(self.clip) * images))

    def evaluate(self, images: torch.Tensor, plan: ViewPlan) -> Losses:
        """All terms but the contrast, of pictures ``[B, 3, H, W]`` in 0..1, attached to the graph. Call inside
        ``gradients()``."""
        texts, weights = self.texts(), self.weights
        pixels = cut(images.to(self.clip.device, torch.float32), plan.windows, self.clip.image_size)
        maps = bool(self.constraints) and weights.boxes > 0
        trace = trace_images(self.clip, pixels.flatten(0, 1), blocks=(weights.box_blocks or None) if maps else 0)
        features = trace.features.unflatten(0, pixels.shape[:2])  # [windows, B, D]

        terms = {"similarity": weights.similarity * self._similarity(features, pixels, plan, texts)}
        scores = chosen = overlaps = None
        if texts.trace is not None:
            scores = self._word_scores(texts.trace, F.normalize(features.mean(dim=0), dim=-1))
            chosen = choose_words(scores, self.candidates.to(scores.device), self.choice, weights.threshold)
            terms["words"] = weights.words * word_loss(scores, chosen)
        if maps:
            overlaps = self._overlaps(trace, plan, texts)
            for index, constraint in enumerate(self.constraints):
                factor = weights.boxes * constraint.weight * box_weight(constraint.area_ratio)
                terms[f"box {index + 1}: {constraint.label}"] = -factor * overlaps[:, index]
        total = torch.stack(list(terms.values())).sum(dim=0)
        return Losses(total, terms, scores, chosen, overlaps)

    def _similarity(self, features: torch.Tensor, pixels: torch.Tensor, plan: ViewPlan, texts: _Texts) -> torch.Tensor:
        """``[B]``: the prompt's distance; with boxes averaged with the objects' distances to their masked views."""
        distance = cosine_distance if self.weights.manipulation else spherical_distance
        whole = distance(features, texts.prompt).mean(dim=0)
        if not self.constraints:
            return whole
        together = sum(constraint.weight for constraint in self.constraints)
        if plan.masked:
            objects, windows, shares = zip(*plan.masked, strict=True)
            views = keep_masked(pixels[list(windows)], plan.masks[list(objects), list(windows)], self.clip.image_mean)
            masked = trace_images(self.clip, views.flatten(0, 1), blocks=0).features.unflatten(0, views.shape[:2])
            each = distance(masked, texts.objects[list(objects)].unsqueeze(1))  # [views, B]
            whole = whole + together * (torch.tensor(shares).to(each).unsqueeze(1) * each).sum(dim=0)
        return whole / (1 + together)

    def _word_scores(self, trace: TextTrace, features: torch.Tensor) -> torch.Tensor:
        """Scores ``[B, words]`` of the prompt's words for image features ``[B, D]``."""
        relevancy = word_relevancy(trace, features, create_graph=torch.is_grad_enabled())
        return word_scores(relevancy, self.tokens, trace.pooled, NORMALIZATIONS[self.choice])[0]

    def _overlaps(self, trace: ImageTrace, plan: ViewPlan, texts: _Texts) -> torch.Tensor:
        """``[B, boxes]``: overlap of each object's relevancy with its mask, over the windows that show the mask."""
        relevancy = image_relevancy(trace, texts.objects, create_graph=torch.is_grad_enabled())
        regions = soft_region(relevancy, (REGION_SIDE, REGION_SIDE)).unflatten(1, (len(plan.windows), -1))
        each = overlap(regions, plan.masks.to(regions).unsqueeze(2), self.weights.fill)  # [boxes, windows, B]
        return (each * plan.weights.to(each).unsqueeze(-1)).sum(dim=1).T

    def _contrast(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """``[boxes, B]``: the weighted contrast, attached to the graph; views that don't fit into one pass are encoded
        again for their gradient."""
        texts = self.texts().objects
        pixels = images.to(self.clip.device, torch.float32)
        inside = views_inside(self.clip, pixels, self.constraints, generator)
        views = torch.cat([inside, views_outside(self.clip, pixels, self.constraints)])
        parts = views.flatten(0, 1).split(self._views_per_pass(len(images)) * len(images))
        encoded = [
            checkpoint(self._encode, part, use_reentrant=False) if len(parts) > 1 else self._encode(part)
            for part in parts
        ]
        features = torch.cat(encoded).unflatten(0, (2, len(self.constraints), len(images)))
        weight = torch.tensor([each.weight for each in self.constraints]).to(features)
        shares = self.weights.contrast * weight / weight.sum()
        return shares.unsqueeze(1) * box_contrast(features[0], features[1], texts)

    def _with_contrast(self, losses: Losses, contrast: torch.Tensor) -> Losses:
        found = contrast.detach()
        labels = (f"contrast {index + 1}: {each.label}" for index, each in enumerate(self.constraints))
        terms = {**losses.terms, **dict(zip(labels, found, strict=True))}
        return losses._replace(total=losses.total + found.sum(dim=0), terms=terms)

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        return trace_images(self.clip, pixels, blocks=0).features

    def texts(self) -> _Texts:
        """The text side, encoded on first use and again when the weights have moved to another device or dtype."""
        key = self.clip.device, self.clip.dtype
        if self._texts is None or self._texts[0] != key:
            self._texts = None
            self._texts = key, self._encode_texts()
        return self._texts[1]

    def _encode_texts(self) -> _Texts:
        prompts = [self.text, *self.object_texts]
        with torch.no_grad():
            ids = tokenize(self.clip, prompts).ids
            features = unit(self.clip.model.encode_text(ids))
        trace = trace_texts(self.clip, self.tokens) if self.reads_words else None
        return _Texts(features[0], features[1:], trace)


def _detached(losses: Losses) -> Losses:
    rest = (None if x is None else x.detach() for x in losses[2:])
    return Losses(losses.total.detach(), {name: x.detach() for name, x in losses.terms.items()}, *rest)


def _mean(parts: list[tuple[Losses, float]]) -> Losses:
    """Losses of all windows from those of the passes; a word counts as chosen if any pass chose it."""

    def average(values: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack([value * share for value, (_, share) in zip(values, parts, strict=True)]).sum(dim=0)

    every = [losses for losses, _ in parts]
    first = every[0]
    return Losses(
        average([each.total for each in every]),
        {name: average([each.terms[name] for each in every]) for name in first.terms},
        None if first.words is None else average([each.words for each in every if each.words is not None]),
        None if first.chosen is None else torch.stack([x.chosen for x in every if x.chosen is not None]).any(dim=0),
        None if first.overlaps is None else average([each.overlaps for each in every if each.overlaps is not None]),
    )
