"""What guidance saw and did in a sampling run, for the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from ..boxes.constraint import Constraints
from .cutouts import resample
from .objective import Losses

_PREVIEW_SIDE = 192
_MOST_PREVIEWS = 64


@dataclass(frozen=True)
class StepRecord:
    """One guided model call.

    Attributes:
        step, sigma: place in the schedule.
        terms: for each term of the loss its weighted value for each picture, before the update.
        words: scores of the words ``[B][words]``, or None.
        chosen: the words that were raised, likewise.
        overlaps: overlap of each object with its box ``[B][boxes]``, or None.
        change: rms of the update in units of the noise that was left, for each picture.
    """

    step: int
    sigma: float
    terms: dict[str, list[float]]
    words: list[list[float]] | None
    chosen: list[list[bool]] | None
    overlaps: list[list[float]] | None
    change: list[float]

    @property
    def total(self) -> list[float]:
        return [sum(values) for values in zip(*self.terms.values(), strict=True)]


@dataclass
class GuidanceRecord:
    """The last sampling run of one guided model; a new run starts it anew, so it never grows from run to run."""

    prompt: str = ""
    words: tuple[str, ...] = ()
    constraints: Constraints = ()
    settings: dict[str, Any] = field(default_factory=dict)
    steps: list[StepRecord] = field(default_factory=list)
    previews: list[tuple[int, torch.Tensor]] = field(default_factory=list)

    def begin(self) -> None:
        """Forget the run before."""
        self.steps, self.previews = [], []

    def add(self, step: int, sigma: float, losses: Losses, change: torch.Tensor, images: torch.Tensor) -> None:
        """Note a guided call; ``images`` ``[B, 3, H, W]`` are what it looked at (the first is kept, small)."""
        self.steps.append(
            StepRecord(
                step,
                sigma,
                {name: value.tolist() for name, value in losses.terms.items()},
                None if losses.words is None else losses.words.tolist(),
                None if losses.chosen is None else losses.chosen.tolist(),
                None if losses.overlaps is None else losses.overlaps.tolist(),
                change.flatten().tolist(),
            )
        )
        self.previews.append((step, _small(images[0])))
        if len(self.previews) > _MOST_PREVIEWS:
            del self.previews[1::2]


def _small(image: torch.Tensor) -> torch.Tensor:
    """``[3, H, W]`` float to ``[h, w, 3]`` uint8 on the CPU, no side longer than a thumbnail."""
    image = image.detach().float().clamp(0, 1).cpu()
    scale = _PREVIEW_SIDE / max(image.shape[-2:])
    size = max(1, round(image.shape[-2] * scale)), max(1, round(image.shape[-1] * scale))
    return (resample(image, size).clamp(0, 1) * 255).round().byte().movedim(0, -1).contiguous()
