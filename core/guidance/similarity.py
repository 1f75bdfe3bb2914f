"""How far an image is from a text."""

from __future__ import annotations

import torch

_TINY = 1e-12


def spherical_distance(image_features: torch.Tensor, text_features: torch.Tensor) -> torch.Tensor:
    """``2 · arcsin²(‖f − t‖ / 2)``: half the squared angle between two unit vectors (NTLB section 5.3).

    Args:
        image_features, text_features: L2-normalised ``[..., D]``, broadcast against each other.

    Returns:
        ``[...]`` from 0 (equal) to π²/2 (opposite). Its gradient grows with the angle, where the cosine's fades for
        the far apart; finite also for equal and opposite vectors.
    """
    half_chord = (image_features - text_features).square().sum(dim=-1) / 4
    return 2 * half_chord.clamp(_TINY, 1 - 1e-6).sqrt().asin().square()


def cosine_distance(image_features: torch.Tensor, text_features: torch.Tensor) -> torch.Tensor:
    """``1 − cos``, which NTLB writes ``1 − logit / 100`` (manipulation, section 4.2); 0..2, shapes as above."""
    return 1 - (image_features * text_features).sum(dim=-1)
