"""The formulas of relevancy propagation, taken literally and slowly: N x N products, one image and one text
at a time, attention recomputed by hand. Shares no code with ``core``."""

from __future__ import annotations

import torch


def relevancy_matrix(score: torch.Tensor, attentions: list[torch.Tensor]) -> torch.Tensor:
    """R [N, N] from a scalar score and the attentions [heads, N, N] it was computed through."""
    tokens = attentions[0].shape[-1]
    r = torch.eye(tokens, dtype=torch.double)  # sums in fp64: the reference must not lose the digits it judges
    gradients = torch.autograd.grad(score, attentions, retain_graph=True)
    for attention, gradient in zip(attentions, gradients, strict=True):
        contribution = torch.zeros(tokens, tokens, dtype=torch.double)
        for head in range(attention.shape[0]):
            contribution = contribution + (gradient[head] * attention[head]).clamp(min=0)
        r = r + (contribution / attention.shape[0]) @ r
    return r
