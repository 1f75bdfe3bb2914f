"""Each object in its box, as CLIP reads it: the contrastive loss over boxes and objects.

The relevancy of an object (box_loss.py) says where CLIP looks for it, the best place so far, and its gradient mends
what is there. This term also says what a box should hold instead, and moves what lies beside it. Every box is read on
its own and compared with every object, as CLIP's training compares pictures with texts (Radford et al. 2021, section
2.3), and the picture without its box is one more place that the object could be in.
"""

from __future__ import annotations

import torch

from ..boxes.constraint import Constraints
from ..clip import ExplainableCLIP
from .cutouts import cut, keep_masked, resample

_SCALE = 30.0
"""Logits a unit of cosine: softer than CLIP's own 100, or half an object in its box would be content."""
_MARGIN = 0.2
"""A box is read with up to so much of its side around it, drawn anew each time."""
_EQUAL = 1e-4
"""Squared distance of features up to which two texts count as one."""


def draw_places(constraints: Constraints, generator: torch.Generator) -> torch.Tensor:
    """Windows ``[K, 4]`` (top, left, height, width in fractions, see :mod:`.cutouts`) around each object's box."""
    left, top, right, bottom = torch.tensor([each.bounds for each in constraints], dtype=torch.float32).unbind(dim=1)
    height, width = bottom - top, right - left
    grown = _MARGIN * torch.rand(len(constraints), 4, generator=generator)
    top, bottom = (top - grown[:, 0] * height).clamp(min=0), (bottom + grown[:, 1] * height).clamp(max=1)
    left, right = (left - grown[:, 2] * width).clamp(min=0), (right + grown[:, 3] * width).clamp(max=1)
    return torch.stack([top, left, bottom - top, right - left], dim=1)


def views_inside(
    clip: ExplainableCLIP, images: torch.Tensor, constraints: Constraints, generator: torch.Generator
) -> torch.Tensor:
    """What is in each box of images ``[B, 3, H, W]``, for the image tower: ``[K, B, 3, h, w]``."""
    return cut(images, draw_places(constraints, generator), clip.image_size)


def views_outside(clip: ExplainableCLIP, images: torch.Tensor, constraints: Constraints) -> torch.Tensor:
    """The images with each box left blank: ``[K, B, 3, h, w]``."""
    masks = torch.stack([each.mask_at(*clip.image_size) for each in constraints])
    return keep_masked(resample(images, clip.image_size).unsqueeze(0), 1 - masks, clip.image_mean)


def box_contrast(inside: torch.Tensor, outside: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """What is in each box, and where is each object?

    With ``f`` inside, ``g`` outside and ``t`` texts, and the softmax over the index that is named::

        L_k = - log softmax_j(30 f_k . t_j)[j = k] - log softmax_p(30 p . t_k)[p = f_k],   p in f_1 .. f_K, g_k

    Objects of the same text don't compete. One object alone has the second part only.

    Args:
        inside: L2-normalised features ``[K, B, D]`` of what is in each box.
        outside: those of the picture with the box left blank.
        texts: those of the objects ``[K, D]``.

    Returns:
        ``[K, B]``, 0 or more.
    """
    own, objects, places = _rivals(inside, outside, texts)
    return objects.logsumexp(dim=1) - own + places.logsumexp(dim=0) - own


def boxes_hold(inside: torch.Tensor, outside: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """Whether both softmaxes of :func:`box_contrast` are won: bool ``[K, B]``."""
    own, objects, places = _rivals(inside, outside, texts)
    return (own >= objects.amax(dim=1)) & (own >= places.amax(dim=0))


def _rivals(
    inside: torch.Tensor, outside: torch.Tensor, texts: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits: of each object in its box ``[K, B]``, of all objects there ``[K, K, B]`` (box, object), and of all
    places for the object ``[K + 1, K, B]``."""
    logits = _SCALE * torch.einsum("kbd,jd->kjb", inside, texts)  # box k, object j
    rest = _SCALE * torch.einsum("kbd,kd->kb", outside, texts)
    same = (texts.unsqueeze(0) - texts.unsqueeze(1)).square().sum(dim=-1) < _EQUAL
    others = (same & ~torch.eye(len(texts), dtype=torch.bool, device=texts.device)).unsqueeze(-1)
    rivals = logits.masked_fill(others, -torch.inf)
    return logits.diagonal().T, rivals, torch.cat([rivals, rest.unsqueeze(0)])
