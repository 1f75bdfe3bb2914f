"""Guidance as a change of what a sampler's model predicts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import torch

from ..grad_mode import gradients, normal
from .cutouts import draw_windows, seeded_generator
from .frames import Decode, carry_over, decode_frames, frames_read
from .objective import Losses, Objective
from .record import GuidanceRecord
from .schedule import RunDetector, StepCounter, Window
from .update import guided_prediction, rms, shape_gradient

Latents = torch.Tensor
Frames = tuple[int, ...]


@dataclass(frozen=True)
class SamplerCall:
    """One call of a sampler to its model, as guidance sees it.

    Attributes:
        denoised: the model's prediction of the clean latents ``[B, C, ...]`` (after classifier-free guidance).
        noisy: the latents it was given.
        sigma: their noise level.
        run_key: identity of something that lives as long as the sampling run.
        schedule: sigmas of the sampler's steps, descending, or None where the host does not tell.
        percent_to_sigma: from a share of the schedule, 0 the noisiest, to its sigma.
        decode: see :func:`.frames.decode_frames`.
        denoise: noisy latents to a prediction, differentiable; None where only the cheap route is wanted.
        scope: entered around decoder and denoiser, forward and backward (weights made usable, blocks checkpointed).
    """

    denoised: Latents
    noisy: Latents
    sigma: float
    run_key: int
    schedule: tuple[float, ...] | None
    percent_to_sigma: Callable[[float], float]
    decode: Decode
    denoise: Callable[[Latents], Latents] | None = None
    scope: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext


@dataclass(frozen=True)
class GuideSettings:
    """How guidance acts.

    Attributes:
        strength: share of the predicted noise's size by which a guided call shifts it; 0 only measures.
        start, end: the part of the schedule that is guided, as shares of it.
        every: guide every n-th step only.
        cutouts: windows through which CLIP looks at the picture.
        normalize, clamp: see :func:`.update.shape_gradient`.
        repeats: updates a call, each with its own windows (recurrence).
        full: take the gradient through the denoiser as well.
        seed: of the windows.
        frames: of a video, how many of its frames CLIP reads, see :mod:`.frames`.
    """

    strength: float = 0.15
    start: float = 0.0
    end: float = 0.8
    every: int = 1
    cutouts: int = 8
    normalize: bool = True
    clamp: float = 3.0
    repeats: int = 1
    full: bool = False
    seed: int = 0
    frames: int = 3


class Guide:
    """Steers a sampler down an objective.

    Cheap route: the gradient with respect to the denoised prediction, through decoder and CLIP. Full route: with
    respect to the noisy latents, through the denoiser too. Either way the prediction moves against it, see
    :func:`.update.guided_prediction`.

    Args:
        check: called before each update; raises to stop.
    """

    def __init__(self, objective: Objective, settings: GuideSettings, check: Callable[[], None] = lambda: None) -> None:
        self.objective = objective
        self.settings = settings
        self.check = check
        self.record = GuidanceRecord(
            objective.text, objective.words, objective.constraints, settings={**vars(settings)}
        )
        self._runs = RunDetector()
        self._counter = StepCounter()

    def starts_run(self, call: SamplerCall) -> bool:
        """Whether this call begins a sampling run; to be asked once for each call, before :meth:`steer`."""
        new = self._runs.starts(call.run_key, call.sigma)
        if new:
            self.record.begin()
            self._counter = StepCounter()
        return new

    def steer(self, call: SamplerCall) -> Latents:
        """The prediction that the sampler shall continue with."""
        chosen = self.settings
        step = self._counter.count(call.sigma, call.schedule)
        window = Window(call.percent_to_sigma(chosen.start), call.percent_to_sigma(chosen.end))
        if call.sigma not in window or step % chosen.every:
            return call.denoised
        with gradients():
            self.objective.texts()  # outside the scope, which does not outlive this call as the text side does
        with gradients():
            noisy, denoised = normal(call.noisy), normal(call.denoised)
            result, noise_size = denoised, rms(noisy - denoised)
            frames = frames_read(denoised, chosen.frames)
            shape = partial(shape_gradient, normalize=chosen.normalize, clamp=chosen.clamp)
            for repeat in range(chosen.repeats if chosen.strength else 1):
                self.check()
                generator = seeded_generator(chosen.seed, call.sigma, repeat)
                moved = noisy + (result - denoised)  # the full route looks where the repeats before have led
                images, losses, gradient = self._gradient(call, result, moved, frames, generator)
                gradient = carry_over(gradient, frames, shape, follows_itself=call.denoise is not None)
                before, result = result, guided_prediction(result, noise_size, gradient, chosen.strength)
                change = rms(result - before) / noise_size.clamp(min=1e-12)
                self.record.add(step, call.sigma, losses, change, images, frames)
            return result.to(call.denoised.dtype) if chosen.strength else call.denoised

    def _gradient(
        self, call: SamplerCall, denoised: Latents, noisy: Latents, frames: Frames, generator: torch.Generator
    ) -> tuple[torch.Tensor, Losses, Latents]:
        """The pictures, their losses before the update, and the losses' gradient."""
        windows = draw_windows(self.settings.cutouts, generator)
        if not self.settings.strength:
            with call.scope():
                images = decode_frames(call.decode, denoised, frames).detach()
            return images, self.objective.losses(images, windows, generator), torch.zeros_like(denoised)
        leaf = (noisy if call.denoise else denoised).detach().requires_grad_()
        with call.scope():
            images = decode_frames(call.decode, call.denoise(leaf) if call.denoise else leaf, frames)
        losses, pixel_gradient = self.objective.gradient(images, windows, generator)
        self.check()
        with call.scope():
            (gradient,) = torch.autograd.grad(images, leaf, pixel_gradient.to(images))
        return images.detach(), losses, gradient.float()
