"""Muon (Jordan et al. 2024): momentum, orthogonalised, for the matrices of blocks; kernels count as matrices too."""

from __future__ import annotations

from collections import defaultdict

import torch


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Push the singular values of matrices [K, m, n], m <= n, towards 1 (Newton-Schulz, quintic)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices / matrices.flatten(1).norm(dim=1).clamp(min=1e-7).view(-1, 1, 1)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


class Muon:
    """Updates have the root mean square of Adam's (0.2), so that both take the same order of learning rate."""

    def __init__(self, parameters: list[torch.nn.Parameter], decay: float, momentum: float = 0.95) -> None:
        self.parameters, self.decay, self.momentum = parameters, decay, momentum
        self.buffers = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One update from the gradients. Matrices stacked in one parameter (q, k, v) are treated one by one."""
        groups: dict[tuple[int, int], list[tuple[torch.Tensor, torch.Tensor]]] = defaultdict(list)
        for p, buffer in zip(self.parameters, self.buffers, strict=True):
            if p.grad is None:
                continue
            buffer.lerp_(p.grad, 1 - self.momentum)
            ahead = torch.lerp(p.grad, buffer, self.momentum)
            p.mul_(1 - rate * self.decay)
            parts = 3 if p.ndim == 2 and p.shape[0] == 3 * p.shape[1] else 1
            for weight, update in zip(p.data.flatten(1).chunk(parts), ahead.flatten(1).chunk(parts), strict=True):
                if weight.shape[0] > weight.shape[1]:
                    weight, update = weight.mT, update.mT
                groups[tuple(weight.shape)].append((weight, update))  # type: ignore[index]
        for (_, large), members in groups.items():
            found = orthogonalise(torch.stack([update for _, update in members]))
            for (weight, _), update in zip(members, found, strict=True):
                weight.sub_(update, alpha=rate * 0.2 * large**0.5)
