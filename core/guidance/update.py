"""From a gradient to a changed prediction."""

from __future__ import annotations

import torch

_TINY = torch.finfo(torch.float32).tiny


def rms(x: torch.Tensor) -> torch.Tensor:
    """Root mean square of each sample, ``[B, ...]`` to ``[B, 1, ...]``; of a clip ``[B, C, frames, h, w]`` that of each
    frame, ``[B, 1, frames, 1, 1]``."""
    others = (1, 3, 4) if x.dim() == 5 else tuple(range(1, x.dim()))
    return x.square().mean(dim=others, keepdim=True).sqrt()


def shape_gradient(gradient: torch.Tensor, normalize: bool, clamp: float) -> torch.Tensor:
    """Make a gradient's size known: divide each sample's (each frame's) by its rms and bound the elements.

    Args:
        gradient: ``[B, ...]``. A sample with a NaN or infinite element becomes zero: better unguided than broken.
        normalize: whether to divide by the rms, so that the strength alone decides how far a step goes.
        clamp: bound on the size of an element, in rms of its sample; 0: none.
    """
    finite = gradient.isfinite().flatten(1).all(dim=1).view(-1, *(1,) * (gradient.dim() - 1))
    gradient = torch.where(finite, gradient, torch.zeros_like(gradient))
    size = rms(gradient).clamp(min=_TINY)
    if clamp > 0:
        gradient = torch.minimum(torch.maximum(gradient, -clamp * size), clamp * size)
    return gradient / size if normalize else gradient


def guided_prediction(
    prediction: torch.Tensor, noise_size: torch.Tensor, gradient: torch.Tensor, strength: float
) -> torch.Tensor:
    """``prediction − strength · noise_size · gradient``.

    Args:
        noise_size: ``rms(noisy − denoised)``, ``[B, 1, ...]``: the noise that the model sees in the sample, in the
            units of the latents, whatever it predicts (epsilon, v or flow). A strength of 0.1 shifts the predicted
            noise by a tenth of its size.
    """
    return prediction - strength * noise_size * gradient
