"""Muon (Jordan et al. 2024) for the transformer blocks' matrices, its work shared among ranks."""

from __future__ import annotations

from collections import defaultdict

import torch
import torch.distributed as dist


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Push the singular values of matrices [K, m, n], m <= n, towards 1 (Newton-Schulz, quintic)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices / matrices.flatten(1).norm(dim=1).clamp(min=1e-7).view(-1, 1, 1)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


class Muon:
    """Momentum, orthogonalised. Matrices stacked in one parameter (q, k, v) are treated one by one.

    The update's root mean square is that of Adam's (0.2), so that both take the same order of learning rate.
    """

    def __init__(self, parameters: list[torch.nn.Parameter], decay: float, momentum: float = 0.95) -> None:
        self.parameters, self.decay, self.momentum = parameters, decay, momentum
        self.buffers = [torch.zeros_like(p) for p in parameters]
        self.shapes: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        for i, p in enumerate(parameters):
            rows, columns = p.shape
            parts = rows // columns if rows == 3 * columns else 1
            for part in range(parts):
                self.shapes[tuple(sorted((rows // parts, columns)))].append((i, part))  # type: ignore[index]

    @torch.no_grad()
    def step(self, rate: float, rank: int, ranks: int) -> None:
        updates = [torch.zeros_like(p) for p in self.parameters]
        for buffer, p in zip(self.buffers, self.parameters, strict=True):
            buffer.lerp_(p.grad, 1 - self.momentum)
        for (small, large), members in self.shapes.items():
            mine = members[rank::ranks]
            if not mine:
                continue
            views = []
            for i, part in mine:
                look_ahead = torch.lerp(self.parameters[i].grad, self.buffers[i], self.momentum)
                block = look_ahead.view(-1, *self._size(i))[part]
                views.append(block if block.shape[0] == small else block.mT)
            found = orthogonalise(torch.stack(views)) * 0.2 * large**0.5
            for (i, part), update in zip(mine, found, strict=True):
                size = self._size(i)
                updates[i].view(-1, *size)[part] = update if size[0] == small else update.mT
        flat = torch.cat([u.flatten() for u in updates])
        dist.all_reduce(flat)
        for p, update in zip(self.parameters, flat.split([p.numel() for p in self.parameters]), strict=True):
            p.mul_(1 - rate * self.decay).add_(update.view_as(p), alpha=-rate)

    def _size(self, i: int) -> tuple[int, int]:
        rows, columns = self.parameters[i].shape
        return (columns, columns) if rows == 3 * columns else (rows, columns)
