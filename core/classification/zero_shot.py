"""Zero-shot features: class prompts and images encoded once, batch by batch, in bounded memory.

What open_clip's ``build_zero_shot_classifier`` does in one go is kept apart here: every prompt's own feature stays,
so that ensembles can be changed, weighted or voted on without encoding a text again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..clip import ExplainableCLIP
from ..errors import InputError, UnsupportedFamilyError
from ..explain import check_images
from ..grad_mode import normal
from ..precision import unit
from ..towers.text import encode_tokens, require_word_tower
from ..towers.tokens import TokenBatch
from ..views import Fit, View, choose_views, cut_view
from .classes import ClassName
from .templates import fill

Report = Callable[[int, int], None]

TEXTS_PER_PASS = 256
IMAGES_PER_PASS = 32


@dataclass(frozen=True)
class PromptFeatures:
    """Features of C classes in T templates.

    Attributes:
        features: ``[C, T, D]``, L2-normalised, fp32, on the CPU; a class with synonyms has the normalised mean of
            its names' features in each template. 1000 classes x 80 templates x 512 are 164 MB.
        classes, templates: what they were made of.
    """

    features: torch.Tensor
    classes: tuple[ClassName, ...]
    templates: tuple[str, ...]


@torch.inference_mode(False)  # features are kept and explained: autograd must accept them
@torch.no_grad()
def encode_texts(
    clip: ExplainableCLIP, prompts: Sequence[str], texts_per_pass: int = TEXTS_PER_PASS, report: Report | None = None
) -> torch.Tensor:
    """Features ``[N, D]`` of N prompts: L2-normalised, fp32, on the CPU.

    Args:
        texts_per_pass: prompts encoded at once: what bounds the memory, however many there are.
        report: called with (prompts done, N) after each pass; may raise to stop.
    """
    found = []
    for start in range(0, len(prompts), texts_per_pass):
        ids = clip.tokenizer(list(prompts[start : start + texts_per_pass]))
        found.append(unit(_encode_ids(clip, ids)).cpu())
        if report is not None:
            report(min(start + texts_per_pass, len(prompts)), len(prompts))
    features = torch.cat(found)
    clip.require_finite(features)
    return features


def _encode_ids(clip: ExplainableCLIP, ids: torch.Tensor) -> torch.Tensor:
    try:
        require_word_tower(clip)
    except UnsupportedFamilyError:  # a Hugging Face text encoder: not explainable, but a classifier all the same
        return clip.model.encode_text(ids.to(clip.device))
    return encode_tokens(clip, TokenBatch(ids, (), (), ()))[0]


@torch.inference_mode(False)  # features are kept and explained: autograd must accept them
@torch.no_grad()
def encode_classes(
    clip: ExplainableCLIP,
    classes: Sequence[ClassName],
    templates: Sequence[str],
    texts_per_pass: int = TEXTS_PER_PASS,
    report: Report | None = None,
) -> PromptFeatures:
    """Features of every class in every template.

    Prompts are encoded template by template: those of one pass are about equally long, so little is padded.

    Args:
        texts_per_pass, report: as in :func:`encode_texts`.
    """
    names = [name for entry in classes for name in entry.names]
    prompts = [fill(template, name) for template in templates for name in names]
    encoded = encode_texts(clip, prompts, texts_per_pass, report).unflatten(0, (len(templates), len(names)))
    if len(names) == len(classes):
        return PromptFeatures(encoded.transpose(0, 1).contiguous(), tuple(classes), tuple(templates))
    groups = encoded.split([len(entry.names) for entry in classes], dim=1)
    features = torch.stack([F.normalize(group.mean(dim=1), dim=-1) for group in groups])
    return PromptFeatures(features, tuple(classes), tuple(templates))


@torch.inference_mode(False)  # features are kept and explained: autograd must accept them
@torch.no_grad()
def encode_images(
    clip: ExplainableCLIP,
    images: torch.Tensor,
    fit: Fit = "crop",
    images_per_pass: int = IMAGES_PER_PASS,
    report: Report | None = None,
) -> torch.Tensor:
    """Features ``[B, D]`` of a batch of images: L2-normalised, fp32, on the CPU.

    Args:
        images: ``[B, 1, 3 or 4, H, W]`` in 0..1, any size.
        fit: ``"crop"`` (the centre, as CLIP's own preprocessing) or ``"stretch"``.
        report: called with (images done, B) after each pass; may raise to stop.

    Raises:
        InputError: an image can't be used, or ``fit`` would give more than one view an image.
    """
    check_images(images[:1])
    view = single_view(tuple(images.shape[-2:]), clip, fit)  # type: ignore[arg-type]
    found = []
    for pixels in normal(images).split(images_per_pass):
        window = cut_view(_usable(pixels, images).to(clip.device), view, clip.image_size, clip.interpolation)
        encoded = clip.model.encode_image(clip.normalize_pixels(window), normalize=False)
        found.append(unit(encoded).cpu())
        if report is not None:
            report(sum(map(len, found)), len(images))
    features = torch.cat(found)
    clip.require_finite(features)
    return features


def _usable(pixels: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """``check_images(pixels)`` for a part of ``images``, in one pass over the pixels where they are well already."""
    if pixels.shape[1] == 3 and pixels.dtype == torch.float32:
        low, high = (float(bound) for bound in pixels.aminmax())
        if low >= 0 and high <= 1:  # neither holds of NaN
            return pixels
    if not pixels.isfinite().all():
        check_images(images)  # names the image
    return check_images(pixels)


def single_view(image_size: tuple[int, int], clip: ExplainableCLIP, fit: Fit) -> View:
    """The one window of an image that is classified."""
    if fit not in ("crop", "stretch"):
        raise InputError(f"fit is {fit!r}; a classifier looks at one view an image: choose 'crop' or 'stretch'")
    return choose_views(image_size, clip.image_size, fit)[0]
