"""Pictures without a diffusion model: descend the objective in the latent space of an autoencoder (NTLB, section 4.2,
where it is VQGAN's)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..errors import InputError
from ..explain import check_finite
from ..grad_mode import gradients, normal
from .cutouts import draw_windows, seeded_generator
from .frames import Decode, carry_over, decode_frames, frames_read
from .objective import Losses, Objective
from .record import GuidanceRecord
from .update import rms


@dataclass(frozen=True)
class OptimizationSettings:
    """How latents are optimised.

    Attributes:
        steps: at most.
        learning_rate: of Adam, in units of the start's standard deviation (1 for a start without any).
        cutouts: windows a step, drawn anew each step.
        smallest_window: shortest side of a window as a share of the picture.
        noise: standard deviation of the noise added to each step's picture: augmentation against adversarial texture.
        stay: weight of the mean squared distance to the start, in the same units: manipulation keeps what it can.
        patience: stop when the mean loss of this many steps is no lower than that of as many before; 0: never.
        seed: of windows and noise.
        frames: of a video, how many of its frames CLIP reads; the others follow, see :mod:`.frames`.
    """

    steps: int = 100
    learning_rate: float = 0.05
    cutouts: int = 8
    smallest_window: float = 0.5
    noise: float = 0.02
    stay: float = 0.0
    patience: int = 20
    seed: int = 0
    frames: int = 3


def optimize_latents(
    start: torch.Tensor,
    decode: Decode,
    objective: Objective,
    settings: OptimizationSettings,
    report: Callable[[int, int, torch.Tensor], None] = lambda done, total, images: None,
) -> tuple[torch.Tensor, GuidanceRecord]:
    """Optimise latents ``[B, C, ...]``.

    Args:
        decode: see :func:`.frames.decode_frames`.
        report: called before every step and at the end with steps done, steps in total and the last pictures; may
            raise to stop.

    Returns:
        The latents after the last step, and the record of the losses before each step.

    Raises:
        InputError: latents that are empty or not finite, that the decoder can't take, or makes such pictures of.
    """
    _check(start)
    record = GuidanceRecord(objective.text, objective.words, objective.constraints, settings={**vars(settings)})
    with gradients():
        objective.texts()
        start = normal(start).detach().float()
        unit = start.flatten(1).std(dim=1).view(-1, *(1,) * (start.dim() - 1))
        unit = torch.where(unit > 1e-6, unit, torch.ones_like(unit))
        offset = torch.zeros_like(start).requires_grad_()  # in units of the start's spread
        adam = torch.optim.Adam([offset], lr=settings.learning_rate)
        frames = frames_read(start, settings.frames)
        history: list[float] = []
        for step in range(settings.steps):
            generator = seeded_generator(settings.seed, float(step))
            windows = draw_windows(settings.cutouts, generator, settings.smallest_window)
            images = _pictures(decode, start + offset * unit, frames)
            report(step, settings.steps, images.detach())
            noise = torch.randn(images.shape, generator=generator).to(images) * settings.noise
            losses, pixel_gradient = objective.gradient(images.detach() + noise, windows, generator)
            (gradient,) = torch.autograd.grad(images, offset, pixel_gradient.to(images))
            gradient = carry_over(gradient, frames, lambda x: x, follows_itself=False)
            distance = offset.detach().square().flatten(1).mean(dim=1)
            gradient = gradient + settings.stay * 2 * offset.detach() / offset[0].numel()
            losses = _with_distance(losses, (settings.stay * distance).repeat_interleave(len(frames)))
            before = offset.detach().clone()
            offset.grad = torch.nan_to_num(gradient, posinf=0.0, neginf=0.0)
            adam.step()
            record.add(step, float(step), losses, rms(offset.detach() - before), images, frames)
            history.append(float(losses.total.sum()))
            if _stalled(history, settings.patience):
                break
        result = (start + offset * unit).detach()
        report(len(history), settings.steps, decode_frames(decode, result, frames).detach())
    return result, record


def _check(start: torch.Tensor) -> None:
    if 0 in start.shape:
        raise InputError(f"latent is empty: its shape is {tuple(start.shape)}")
    check_finite(start, "latent", "values")


def _pictures(decode: Decode, latents: torch.Tensor, frames: tuple[int, ...]) -> torch.Tensor:
    try:
        images = decode_frames(decode, latents, frames)
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).partition("\n")[0][:200]
        raise InputError(
            f"latent has the shape {tuple(latents.shape)}, which this vae can't decode ({reason}); connect latent and "
            "vae of the same model"
        ) from error
    if not images.isfinite().all():
        raise InputError(
            "latent: the vae decodes it to NaN or infinite pixels; lower learning_rate, or have the VAE compute in "
            "fp32 (--fp32-vae)"
        )
    return images


def _with_distance(losses: Losses, distance: torch.Tensor) -> Losses:
    if not bool(distance.any()):
        return losses
    return losses._replace(total=losses.total + distance, terms={**losses.terms, "stay": distance})


def _stalled(history: list[float], patience: int) -> bool:
    """Whether the last ``patience`` losses are on average no lower than those before them."""
    if patience == 0 or len(history) < 2 * patience:
        return False
    return sum(history[-patience:]) >= sum(history[-2 * patience : -patience])
