"""Which of several pictures shows the whole prompt, each object in its place (NTLB chooses its start points so)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .boxes.constraint import Constraints
from .clip import ExplainableCLIP
from .explain import check_images
from .grad_mode import gradients, normal
from .guidance.cutouts import resample
from .relevancy import image_relevancy, trace_images
from .words.neglected import NEGLECTED_BELOW, NeglectedWords, find_neglected

_IMAGES_PER_PASS = 8
_KEPT = 0.5  # a box is kept if it holds at least this share of the object's relevancy


@dataclass(frozen=True)
class Ranking:
    """B pictures, judged.

    Attributes:
        order: indices of the pictures, best first.
        score: ``[B]`` in 0..1: mean of the share of content words not neglected and the share of boxes kept (of
            those that were asked for).
        words: see :class:`.neglected.NeglectedWords`.
        inside: ``[B, boxes]`` in 0..1: share of each object's relevancy inside its mask.
        kept: ``[B, boxes]`` bool.
    """

    order: list[int]
    score: torch.Tensor
    words: NeglectedWords
    inside: torch.Tensor
    kept: torch.Tensor


def rank_images(
    clip: ExplainableCLIP,
    images: torch.Tensor,
    prompt: str,
    constraints: Constraints = (),
    threshold: float = NEGLECTED_BELOW,
) -> Ranking:
    """Rank images ``[B, C, H, W]`` in 0..1.

    Word scores are relative to the strongest word, so an image that shows nothing can neglect nothing: equal scores
    are ordered by similarity, then by the share of relevancy inside the boxes, then as they came.

    Raises:
        InputError: as :func:`.neglected.find_neglected`.
    """
    images = check_images(images)
    words = find_neglected(clip, images, prompt, threshold)
    inside = relevancy_inside(clip, images, constraints)
    kept = inside >= _KEPT
    content = torch.tensor(words.content, dtype=torch.bool)
    parts = []
    if content.any():
        parts.append(1 - words.neglected[:, content].float().mean(dim=1))
    if constraints:
        parts.append(kept.float().mean(dim=1))
    score = torch.stack(parts).mean(dim=0) if parts else torch.zeros(len(images))
    keys = zip(score.tolist(), words.similarity.tolist(), inside.sum(dim=1).tolist(), strict=True)
    order = [index for index, _ in sorted(enumerate(keys), key=lambda item: item[1], reverse=True)]
    return Ranking(order, score, words, inside, kept)


def relevancy_inside(clip: ExplainableCLIP, images: torch.Tensor, constraints: Constraints) -> torch.Tensor:
    """Share of each object's relevancy (last block, as in the box loss) that lies inside its mask: ``[B, boxes]``."""
    if not constraints:
        return torch.zeros(len(images), 0)
    from .towers.tokens import tokenize

    grid = clip.vision.grid
    masks = torch.stack([constraint.mask_at(*grid) for constraint in constraints])
    shares = []
    with gradients():
        ids = tokenize(clip, [constraint.prompt for constraint in constraints]).ids
        texts = torch.nn.functional.normalize(clip.model.encode_text(ids).float(), dim=-1).detach()
        for part in normal(images).split(_IMAGES_PER_PASS):
            pixels = resample(part.to(clip.device), clip.image_size).clamp(0, 1)
            maps = image_relevancy(trace_images(clip, pixels, blocks=1), texts).detach().cpu()
            total = maps.sum(dim=(-2, -1)).clamp(min=torch.finfo(maps.dtype).tiny)
            shares.append(((maps * masks.unsqueeze(1)).sum(dim=(-2, -1)) / total).T)
    return torch.cat(shares)
