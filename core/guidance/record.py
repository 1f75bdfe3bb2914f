"""What guidance saw and did in a sampling run, for the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from ..boxes.constraint import Constraints
from .cutouts import resample
from .frames import is_clip, losses_of_clips
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
        change: rms of the update in units of the noise that was left, for each picture; of a video over the frames
            that CLIP read.
        frame_change: of videos the same for every latent frame, ``[B][frames]``, or None.
        frame_totals: of videos the loss of each frame that CLIP read, ``[B][frames read]``, or None.
    """

    step: int
    sigma: float
    terms: dict[str, list[float]]
    words: list[list[float]] | None
    chosen: list[list[bool]] | None
    overlaps: list[list[float]] | None
    change: list[float]
    frame_change: list[list[float]] | None = None
    frame_totals: list[list[float]] | None = None

    @property
    def total(self) -> list[float]:
        return [sum(values) for values in zip(*self.terms.values(), strict=True)]


@dataclass
class GuidanceRecord:
    """The last sampling run of one guided model; a new run starts it anew, so it never grows from run to run.

    Attributes:
        route: which way gradients took in this run and why, what decoded, and what a guided step costs.
    """

    prompt: str = ""
    words: tuple[str, ...] = ()
    constraints: Constraints = ()
    settings: dict[str, Any] = field(default_factory=dict)
    steps: list[StepRecord] = field(default_factory=list)
    previews: list[tuple[int, torch.Tensor]] = field(default_factory=list)
    frames: tuple[int, ...] = (0,)
    route: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Forget the run before."""
        self.steps, self.previews, self.route = [], [], {}

    def add(
        self,
        step: int,
        sigma: float,
        losses: Losses,
        change: torch.Tensor,
        images: torch.Tensor,
        frames: tuple[int, ...] = (0,),
    ) -> None:
        """Note a guided call.

        Args:
            losses: of the pictures.
            change: ``[B, ...]``, of a video ``[B, 1, frames, 1, 1]``.
            images: ``[B * frames read, 3, H, W]``, what it looked at (those of the first of the batch are kept, small).
            frames: the frames read, see :mod:`.frames`.
        """
        self.frames, frame_change, frame_totals = frames, None, None
        if is_clip(change):
            frame_change = change.flatten(1).tolist()
            frame_totals = losses.total.unflatten(0, (-1, len(frames))).tolist()
            losses, change = losses_of_clips(losses, len(frames)), change[:, :, list(frames)].mean(dim=2)
        self.steps.append(
            StepRecord(
                step,
                sigma,
                {name: value.tolist() for name, value in losses.terms.items()},
                None if losses.words is None else losses.words.tolist(),
                None if losses.chosen is None else losses.chosen.tolist(),
                None if losses.overlaps is None else losses.overlaps.tolist(),
                change.flatten().tolist(),
                frame_change,
                frame_totals,
            )
        )
        self.previews += [(step, _small(image)) for image in images[: len(frames)]]
        if len(self.previews) > _MOST_PREVIEWS:
            self.previews = [each for place, each in enumerate(self.previews) if place // len(frames) % 2 == 0]


def _small(image: torch.Tensor) -> torch.Tensor:
    """``[3, H, W]`` float to ``[h, w, 3]`` uint8 on the CPU, no side longer than a thumbnail."""
    image = image.detach().float().clamp(0, 1).cpu()
    scale = _PREVIEW_SIDE / max(image.shape[-2:])
    size = max(1, round(image.shape[-2] * scale)), max(1, round(image.shape[-1] * scale))
    return (resample(image, size).clamp(0, 1) * 255).round().byte().movedim(0, -1).contiguous()
