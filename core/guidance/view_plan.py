"""Which parts of a picture one evaluation of the objective looks at, and with which masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ..boxes.constraint import Constraints
from .cutouts import cut

REGION_SIDE = 64  # grid on which relevancy and mask are compared
_SEEN = 0.5  # a window that shows less than this share of an object's mask says nothing of it
_MASKED_SHARE = 1 / 3  # masked views, as a share of the windows: they cost a forward pass each


@dataclass(frozen=True)
class ViewPlan:
    """Windows of a picture, the objects' masks in them, and the views of the picture masked by an object.

    Attributes:
        windows: ``[n, 4]``, see :func:`.cutouts.draw_windows`.
        masks: ``[boxes, n, side, side]`` in 0..1: the masks, moved as the windows.
        weights: ``[boxes, n]``: weight of each window in an object's box term, 0 where it shows too little of it.
        masked: (object, window, weight) of each masked view.

    The weights of an object's windows, and of all masked views, sum to 1 over the whole plan.
    """

    windows: torch.Tensor
    masks: torch.Tensor
    weights: torch.Tensor
    masked: tuple[tuple[int, int, float], ...]

    def passes(self, size: int) -> Iterator[tuple[ViewPlan, float]]:
        """Parts of at most ``size`` windows, each with its share of all windows.

        The mean over all windows is the sum of share x mean over a part, so a part's weights are divided by its share.
        """
        for start in range(0, len(self.windows), size):
            part = slice(start, start + size)
            windows = self.windows[part]
            share = len(windows) / len(self.windows)
            masked = tuple((k, n - start, w / share) for k, n, w in self.masked if start <= n < start + size)
            yield ViewPlan(windows, self.masks[:, part], self.weights[:, part] / share, masked), share


def plan_views(windows: torch.Tensor, constraints: Constraints, generator: torch.Generator) -> ViewPlan:
    """Move the masks with the windows and draw the masked views."""
    if not constraints:
        return ViewPlan(windows, torch.zeros(0, len(windows), 1, 1), torch.zeros(0, len(windows)), ())
    side = 2 * REGION_SIDE
    whole = torch.stack([constraint.mask_at(side, side) for constraint in constraints])
    masks = cut(whole, windows, (REGION_SIDE, REGION_SIDE)).transpose(0, 1)
    shown = masks.mean(dim=(-2, -1)) * windows[:, 2] * windows[:, 3]  # area of the object inside the window
    good = (shown >= _SEEN * shown[:, :1]).float()  # the first window shows the whole picture
    weights = good / good.sum(dim=1, keepdim=True)
    return ViewPlan(windows, masks, weights, tuple(_draw_masked(good, constraints, generator)))


def masked_views(windows: int) -> int:
    """Number of masked views that so many windows come with."""
    return max(1, round(windows * _MASKED_SHARE))


def _draw_masked(
    good: torch.Tensor, constraints: Constraints, generator: torch.Generator
) -> Iterator[tuple[int, int, float]]:
    """NTLB masks every window by every object, which multiplies the cost by one more than the number of boxes. A few
    pairs, drawn anew for each step, have the same mean; the objects take turns in a drawn order."""
    order = torch.randperm(len(constraints), generator=generator).tolist()
    turns = [order[turn % len(order)] for turn in range(masked_views(good.shape[1]))]
    together = sum(constraints[k].weight for k in turns)
    for k in turns:
        choices = good[k].nonzero().flatten()
        window = int(choices[int(torch.randint(len(choices), (1,), generator=generator))])
        yield k, window, constraints[k].weight / together
