"""Each object in its box: overlap of an object's relevancy with the mask it was given (NTLB section 5.3)."""

from __future__ import annotations

import torch

from .cutouts import resample

# NTLB: b = sigmoid(20 (h - 0.1)). A tenth of the peak counts as half inside: relevancy maps are peaky.
_SHARPNESS = 20.0
_THRESHOLD = 0.1
_LAMBDA = 0.15
_TINY = torch.finfo(torch.float32).tiny


def soft_region(relevancy: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """``b = σ(20 (h − 0.1))`` with ``h`` the relevancy, upsampled bicubically, divided by its maximum.

    Args:
        relevancy: ``[..., rows, columns]`` >= 0.
        size: height and width of the result.

    Returns:
        ``[..., height, width]`` in 0..1: where the object is seen. (NTLB divides by the sum first; the maximum makes
        that cancel out.)
    """
    upsampled = resample(relevancy, size, kernel="cubic")
    heat = upsampled / upsampled.amax(dim=(-2, -1), keepdim=True).clamp(min=_TINY)
    return torch.sigmoid(_SHARPNESS * (heat - _THRESHOLD))


def overlap(region: torch.Tensor, mask: torch.Tensor, fill: float = 0.0) -> torch.Tensor:
    """``2 TP / (2 TP + FP + fill · FN)``, with ``TP = Σ b m``, ``FP = Σ b (1 − m)``, ``FN = Σ (1 − b) m``.

    ``fill`` 0 is NTLB's term: it punishes relevancy outside the box and is content with a single patch inside.
    ``fill`` 1 is the Dice coefficient, which also wants the box filled.

    Args:
        region, mask: ``[..., height, width]`` in 0..1, broadcast against each other.

    Returns:
        ``[...]`` in 0..1; 0 for an empty mask.
    """
    inside = (region * mask).sum(dim=(-2, -1))
    outside = (region * (1 - mask)).sum(dim=(-2, -1))
    unfilled = ((1 - region) * mask).sum(dim=(-2, -1))
    return 2 * inside / (2 * inside + outside + fill * unfilled).clamp(min=_TINY)


def box_weight(area_ratio: float) -> float:
    """``λ = 0.15 / √(share of the picture that the mask covers)``: small boxes weigh more."""
    return _LAMBDA / max(area_ratio, 1e-4) ** 0.5
