"""A clip is guided through a few of its frames; the others follow.

Latents of a video are ``[B, C, frames, h, w]``. CLIP reads frames spread over the clip. Each of them is shifted by the
strength in units of its own noise. On the cheap route the frames between are shifted by what their guided neighbours
get, blended smoothly in time, so that no frame jumps; on the full route each follows its own gradient, for the
denoiser's attention over time reaches it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from .objective import Losses
from .update import rms

# Latents to pictures in 0..1, differentiable; of a clip it is also told which frames.
Decode = Callable[..., torch.Tensor]

_BEFORE, _AFTER = 2, 1  # latent frames that a guided one is decoded with
CLIP_LENGTH = _BEFORE + 1 + _AFTER


def frames_read(latents: torch.Tensor, count: int) -> tuple[int, ...]:
    """The frames that CLIP reads of latents ``[B, C, ...]``, see :func:`spread_frames`; of a picture its only one."""
    return spread_frames(latents.shape[2], count) if latents.dim() == 5 else (0,)


def is_clip(latents: torch.Tensor) -> bool:
    return latents.dim() == 5 and latents.shape[2] > 1


def decode_frames(decode: Decode, latents: torch.Tensor, frames: tuple[int, ...]) -> torch.Tensor:
    """Pictures ``[B, 3, H, W]``, of a clip those of the frames, ``[B * frames, 3, H, W]``."""
    return decode(latents, frames) if is_clip(latents) else decode(latents)


def spread_frames(total: int, count: int) -> tuple[int, ...]:
    """At most ``count`` of ``total`` frames, evenly spread from the first to the last; one: the first."""
    count = min(count, total)
    return tuple(round(place * (total - 1) / max(1, count - 1)) for place in range(count))


def clip_around(frame: int, total: int) -> tuple[slice, int]:
    """The part of a clip that a frame is decoded with, and the frame's place in it: decoders of video carry state from
    frame to frame, and some look ahead."""
    start = max(0, frame - _BEFORE)
    return slice(start, min(total, frame + _AFTER + 1)), frame - start


def frame_weights(total: int, frames: tuple[int, ...]) -> torch.Tensor:
    """How much each of ``total`` frames follows each guided one, ``[total, guided]``.

    Rows sum to 1 between guided frames; outside of them the weight fades to 0 beyond the clip's end.
    """
    weights = torch.zeros(total, len(frames))
    ends = [-1, *frames, total]
    for place, (before, frame, after) in enumerate(zip(ends, ends[1:], ends[2:], strict=False)):
        for each in range(max(0, before), min(total - 1, after) + 1):
            distance = (frame - each) / (frame - before) if each < frame else (each - frame) / (after - frame)
            weights[each, place] = (1 + torch.cos(torch.tensor(torch.pi * distance))) / 2
    return weights


def carry_over(
    gradient: torch.Tensor,
    frames: tuple[int, ...],
    shape: Callable[[torch.Tensor], torch.Tensor],
    follows_itself: bool,
) -> torch.Tensor:
    """What each frame of a clip is shifted by.

    Args:
        gradient: ``[B, C, frames, h, w]``; that of a picture, ``[B, C, h, w]``, is only shaped.
        frames: those that CLIP has read.
        shape: :func:`.update.shape_gradient`, which gives every frame the same size.
        follows_itself: whether the other frames keep their own gradient, as large beside that of the guided frames as
            it was, and never larger than it; else they follow their neighbours.
    """
    if not is_clip(gradient):
        return shape(gradient)
    weights = frame_weights(gradient.shape[2], frames).to(gradient)
    guided = list(frames)
    if not follows_itself:
        return torch.einsum("bcghw,fg->bcfhw", shape(gradient[:, :, guided]), weights)
    size = rms(gradient.nan_to_num(posinf=0.0, neginf=0.0))
    around = torch.einsum("bcghw,fg->bcfhw", size[:, :, guided], weights / weights.sum(dim=1, keepdim=True))
    share = (size / around.clamp(min=torch.finfo(size.dtype).tiny)).clamp(max=1)
    share[:, :, guided] = 1
    return shape(gradient) * share


def losses_of_clips(losses: Losses, frames: int) -> Losses:
    """Losses of the guided frames (B * ``frames`` pictures) averaged for each clip; a word counts as chosen if it was
    in any of them."""

    def mean(values: torch.Tensor) -> torch.Tensor:
        return values.unflatten(0, (-1, frames)).mean(dim=1)

    return Losses(
        mean(losses.total),
        {name: mean(values) for name, values in losses.terms.items()},
        None if losses.words is None else mean(losses.words),
        None if losses.chosen is None else losses.chosen.unflatten(0, (-1, frames)).any(dim=1),
        None if losses.overlaps is None else mean(losses.overlaps),
    )
