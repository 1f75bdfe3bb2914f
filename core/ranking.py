"""Which of several pictures shows the whole prompt, each object in its place (NTLB chooses its start points so)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .boxes.constraint import Constraints
from .clip import ExplainableCLIP
from .explain import check_images
from .grad_mode import gradients, normal
from .guidance.box_contrast import box_contrast, boxes_hold, views_inside, views_outside
from .guidance.cutouts import resample, seeded_generator
from .guidance.prompt import readable_prompt
from .methods import MapOptions
from .methods.grad_cam import GradCAM
from .precision import unit
from .relevancy import image_relevancy, trace_images
from .towers.tokens import tokenize
from .words.neglected import NEGLECTED_BELOW, NeglectedWords, find_neglected

_IMAGES_PER_PASS = 8
_READINGS = 4  # of every box, each with other margins around it


@dataclass(frozen=True)
class Ranking:
    """B pictures, judged.

    Attributes:
        order: indices of the pictures, best first.
        score: ``[B]`` in 0..1: mean of the share of content words not neglected and the share of boxes kept (of
            those that were asked for).
        words: see :class:`.neglected.NeglectedWords`.
        inside: ``[B, boxes]`` in 0..1: share of each object's relevancy inside its mask.
        kept: ``[B, boxes]`` bool: the box is read as its object, and the object nowhere else.
        contrast: ``[B]``: mean of :func:`.guidance.box_contrast.box_contrast` over the boxes, 0 without boxes.
    """

    order: list[int]
    score: torch.Tensor
    words: NeglectedWords
    inside: torch.Tensor
    kept: torch.Tensor
    contrast: torch.Tensor


def rank_images(
    clip: ExplainableCLIP,
    images: torch.Tensor,
    prompt: str,
    constraints: Constraints = (),
    threshold: float = NEGLECTED_BELOW,
) -> Ranking:
    """Rank images ``[B, C, H, W]`` in 0..1.

    Word scores are relative to the strongest word, so an image that shows nothing can neglect nothing: equal scores
    are ordered by the boxes' contrast, by similarity where there are no boxes, then as they came.

    Raises:
        InputError: as :func:`.neglected.find_neglected`.
    """
    images = check_images(images)
    words = find_neglected(clip, images, prompt, threshold)
    texts = _object_texts(clip, constraints)
    contrast, kept = read_boxes(clip, images, constraints, texts)
    content = torch.tensor(words.content, dtype=torch.bool)
    parts = []
    if content.any():
        parts.append(1 - words.neglected[:, content].float().mean(dim=1))
    if constraints:
        parts.append(kept.float().mean(dim=1))
    score = torch.stack(parts).mean(dim=0) if parts else torch.zeros(len(images))
    keys = zip(score.tolist(), (-contrast).tolist(), words.similarity.tolist(), strict=True)
    order = [index for index, _ in sorted(enumerate(keys), key=lambda item: item[1], reverse=True)]
    return Ranking(order, score, words, relevancy_inside(clip, images, constraints, texts), kept, contrast)


@torch.no_grad()
def read_boxes(
    clip: ExplainableCLIP, images: torch.Tensor, constraints: Constraints, texts: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean contrast of the boxes ``[B]``, and which hold their object, bool ``[B, boxes]``.

    ``texts``: the objects' L2-normalised features ``[boxes, D]``.
    """
    if not constraints:
        return torch.zeros(len(images)), torch.zeros(len(images), 0, dtype=torch.bool)
    contrasts, kept = [], []
    for part in images.split(max(1, _IMAGES_PER_PASS // len(constraints))):
        pixels = part.to(clip.device, torch.float32)
        readings = (
            _encode(clip, views_inside(clip, pixels, constraints, seeded_generator(0, 0.0, number)))
            for number in range(_READINGS)
        )
        inside = F.normalize(torch.stack(list(readings)).mean(dim=0), dim=-1)
        outside = _encode(clip, views_outside(clip, pixels, constraints))
        contrasts.append(box_contrast(inside, outside, texts).mean(dim=0).cpu())
        kept.append(boxes_hold(inside, outside, texts).T.cpu())
    return torch.cat(contrasts), torch.cat(kept)


def _encode(clip: ExplainableCLIP, views: torch.Tensor) -> torch.Tensor:
    """L2-normalised features ``[K, B, D]`` of views ``[K, B, 3, h, w]``."""
    return trace_images(clip, views.flatten(0, 1), blocks=0).features.unflatten(0, views.shape[:2])


def relevancy_inside(
    clip: ExplainableCLIP, images: torch.Tensor, constraints: Constraints, texts: torch.Tensor
) -> torch.Tensor:
    """Share of each object's relevancy (last block, as in the box loss) that lies inside its mask: ``[B, boxes]``.

    In a tower without attention over all places it is Grad-CAM's heat.

    ``texts``: the objects' L2-normalised features ``[boxes, D]``.
    """
    if not constraints:
        return torch.zeros(len(images), 0)
    grid = clip.vision.grid
    masks = torch.stack([constraint.mask_at(*grid) for constraint in constraints])
    shares = []
    with gradients():
        for part in normal(images).split(_IMAGES_PER_PASS):
            pixels = resample(part.to(clip.device), clip.image_size).clamp(0, 1)
            if clip.vision.offers("attention"):
                maps = image_relevancy(trace_images(clip, pixels, blocks=1), texts).detach().cpu()
            else:
                maps = GradCAM().patch_maps(clip, pixels, texts, MapOptions()).maps.detach().cpu()
            total = maps.sum(dim=(-2, -1)).clamp(min=torch.finfo(maps.dtype).tiny)
            shares.append(((maps * masks.unsqueeze(1)).sum(dim=(-2, -1)) / total).T)
    return torch.cat(shares)


@torch.inference_mode(False)  # maps are made of them: autograd must accept them
@torch.no_grad()
def _object_texts(clip: ExplainableCLIP, constraints: Constraints) -> torch.Tensor:
    """L2-normalised features ``[K, D]``; none without constraints."""
    if not constraints:
        return torch.zeros(0, 0)
    ids = tokenize(clip, [readable_prompt(each.prompt, "constraints").text for each in constraints]).ids
    return unit(clip.model.encode_text(ids))
