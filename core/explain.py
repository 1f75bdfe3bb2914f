"""Images of any size and prompts in, maps at the images' size and word scores out: the path of the map node."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from .clip import ExplainableCLIP
from .edges import follow_edges
from .errors import InputError, UnsupportedFamilyError
from .grad_mode import gradients, normal
from .methods import MapOptions, find_method
from .precision import unit
from .relevancy import TextTrace, trace_texts, word_relevancy
from .towers.text import encode_tokens, require_word_tower
from .towers.tokens import TokenBatch, Word, tokenize, truncation_warning
from .views import Fit, View, choose_views, coarse_views, cut_view, half_patch_views, merge_maps
from .words.maps import choose_words
from .words.scores import word_scores

_IMAGES_PER_PASS = 4
_COARSE_PIXELS = 16 * 2**20
_LONGEST_COARSE_SIDE = 512


@dataclass(frozen=True)
class Explanation:
    """What CLIP saw in B images for K prompts, on the CPU.

    Attributes:
        maps: ``[K, B, H, W]`` at the images' size, unnormalised.
        scores: cosine similarity ``[K, B]``, -1..1; with tiles that of the best tile.
        logits: ``[K, B]``: cosine x logit scale.
        words: for each prompt its words.
        cut_off: for each prompt the words that the CLIP could not read.
        word_scores: for each prompt ``[B, words]`` in 0..1 ("sum-max", see :mod:`.words.scores`), or None where the
            text tower can't be explained.
        warnings: sentences for the user.
        coarse_maps: ``[K + W, B, rows, columns]``, unnormalised: the maps of the prompts and, after them, of W of their
            words; no finer than the tower made them, and at most 512 pixels a side.
        word_maps: for each word of each prompt its place among those W, or None.
    """

    prompts: tuple[str, ...]
    maps: torch.Tensor
    scores: torch.Tensor
    logits: torch.Tensor
    words: tuple[tuple[str, ...], ...]
    cut_off: tuple[tuple[str, ...], ...]
    word_scores: tuple[torch.Tensor, ...] | None
    warnings: tuple[str, ...]
    coarse_maps: torch.Tensor = field(default_factory=lambda: torch.zeros(0))
    word_maps: tuple[tuple[int | None, ...], ...] = ()


def check_images(images: torch.Tensor, name: str = "image") -> torch.Tensor:
    """Check a batch of images ``[B, C, H, W]`` and return it as float ``[B, 3, H, W]`` in 0..1.

    One channel is repeated; with four the image is laid over white by its alpha. Bytes (uint8) are taken as 0..255;
    what a decoder or upscaler overshoots is cut off. ``name`` is the input's, for messages.

    Raises:
        InputError: wrong shape, empty, NaN or infinite pixels, or values that are plainly not in 0..1.
    """
    if images.dim() != 4 or images.shape[1] not in (1, 3, 4) or 0 in images.shape:
        raise InputError(
            f"{name} has shape {tuple(images.shape)}; expected a non-empty batch [B, C, H, W] with 1, 3 or 4 channels"
        )
    images = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    check_finite(images, name, "pixels")
    _check_range(images, name)
    images = images.clamp(0, 1)
    if images.shape[1] == 1:
        return images.expand(-1, 3, -1, -1)
    if images.shape[1] == 4:
        return images[:, :3] * images[:, 3:] + (1 - images[:, 3:])
    return images


def _check_range(images: torch.Tensor, name: str) -> None:
    """Refuse pictures in 0..255 or -1..1, which cutting off at 0 and 1 would turn white, or half black, in silence.

    Bright lights of a wide range and overshoot leave a picture's mean below 2 and its pixels above -1/2.
    """
    low, high = (float(bound) for bound in images.aminmax())
    if low < -0.5 or (high > 2 and float(images.mean()) > 2):
        remedy = "add 1 and divide by 2" if low < -0.5 and high <= 1.5 else "divide by 255, or by what white is"
        raise InputError(f"{name} has pixels from {low:g} to {high:g}; images are in 0..1: {remedy}")


def check_finite(batch: torch.Tensor, name: str, values: str) -> None:
    """Raise :class:`InputError` for the first of a batch ``[B, ...]`` with NaN or infinite ``values``."""
    broken = (~batch.isfinite().flatten(1).all(dim=1)).nonzero().flatten().tolist()
    if broken:
        raise InputError(
            f"{name}: number {broken[0]} of the batch contains NaN or infinite {values}; mend what made it"
        )


def check_prompts(prompts: list[str], name: str = "text") -> list[str]:
    """Prompts stripped of white space; raises :class:`InputError` where none is left or one is empty.

    ``name`` is the input's, for messages.
    """
    stripped = [prompt.strip() for prompt in prompts]
    if not stripped or not all(stripped):
        raise InputError(f"{name} is empty; write what the picture shows or shall show")
    return stripped


def explain(
    clip: ExplainableCLIP,
    images: torch.Tensor,
    prompts: list[str],
    method: str = "relevancy",
    options: MapOptions | None = None,
    fit: Fit = "stretch",
    shifted: bool = False,
    along_edges: bool = False,
    report: Callable[[int, int], None] | None = None,
    most_words: int = 0,
) -> Explanation:
    """Explain K prompts on B images.

    Args:
        images: ``[B, 1, 3 or 4, H, W]`` in 0..1, any size.
        prompts: one or more; all share each image's forward pass.
        method: a key of :data:`.methods.METHODS`.
        fit: how a non-square image meets the tower, see :mod:`.views`.
        shifted: average the maps of five patch grids, half a patch apart (:func:`.views.half_patch_views`): five times
            the work. Scores and words are those of the picture as it is.
        along_edges: let the maps follow the images' edges (:func:`.edges.follow_edges`).
        report: called with (steps done, steps in total) before the work, between steps and at the end; may raise
            to stop.
        most_words: how many content words get a map of their own, as further prompts of the same pass.

    Raises:
        InputError: an input can't be used; raised before any work.
    """
    prompts, images = check_prompts(prompts), check_images(images)
    options = options or MapOptions()
    chosen = find_method(method)
    chosen.require(clip, options)
    views = choose_views(tuple(images.shape[-2:]), clip.image_size, fit)  # type: ignore[arg-type]
    whole = len(views)
    if shifted:
        views += tuple(part for view in views for part in half_patch_views(view, clip.vision.grid))
    steps, done = len(views) * -(-len(images) // _IMAGES_PER_PASS), 0
    report = report or (lambda done, total: None)
    report(0, steps)

    with gradients():
        tokens = tokenize(clip, prompts)
        words = _trace_words(clip, tokens)
        text_features = words.features if words else unit(clip.model.encode_text(tokens.ids))
        text_features = text_features.detach()
        chosen_words, word_maps = choose_words(tuple(map(_texts, tokens.words)), most_words)
        texts = text_features
        if chosen_words:
            texts = torch.cat([texts, _encode_words(clip, chosen_words, words is None)])
        size: tuple[int, int] = tuple(images.shape[-2:])  # type: ignore[assignment]
        side = longest_coarse_side(len(texts) * len(images))
        small_views, small_size = coarse_views(views, size, None if along_edges else clip.vision.grid, side)
        maps, coarse_maps, features = [], [], []
        for pixels in normal(images).split(_IMAGES_PER_PASS):
            pixels = pixels.to(clip.device)
            view_maps, view_features = [], []
            for view in views:
                window = cut_view(pixels, view, clip.image_size, clip.interpolation)
                found = chosen.patch_maps(clip, window, texts, options)
                view_maps.append(found.maps.detach())
                view_features.append(found.features.detach())
                done += 1
                report(done, steps)
            merged = merge_maps([each[: len(prompts)] for each in view_maps], views, size)
            small = merge_maps(view_maps, small_views, small_size)
            if along_edges:
                merged = _follow_edges(merged, pixels, views[:whole])
                small_pixels = torch.nn.functional.interpolate(pixels, small_size, mode="bilinear", antialias=True)
                small = _follow_edges(small, small_pixels, small_views[:whole])
            maps.append(merged)
            coarse_maps.append(small)
            features.append(torch.stack(view_features[:whole]))
        both = torch.cat(maps, dim=1), torch.cat(coarse_maps, dim=1)
        return _assemble(clip, prompts, tokens, words, *both, word_maps, torch.cat(features, dim=1), text_features)


def longest_coarse_side(maps: int) -> int:
    """Longest side, in pixels, at which so many coarse maps stay within 16 million pixels together."""
    return max(1, min(_LONGEST_COARSE_SIDE, math.isqrt(_COARSE_PIXELS // max(maps, 1))))


def _texts(words: Sequence[Word]) -> tuple[str, ...]:
    return tuple(word.text for word in words)


def _encode_words(clip: ExplainableCLIP, words: tuple[str, ...], foreign: bool) -> torch.Tensor:
    """L2-normalised ``[W, D]`` of words, each a prompt of its own; ``foreign``: not open_clip's own text tower."""
    with torch.no_grad():
        tokens = tokenize(clip, list(words))
        features = clip.model.encode_text(tokens.ids) if foreign else encode_tokens(clip, tokens)[0]
        return unit(features)


def _follow_edges(maps: torch.Tensor, pixels: torch.Tensor, views: tuple[View, ...]) -> torch.Tensor:
    """Edges are followed where the tower has looked: what a centre crop left out stays cold."""
    rows = slice(min(view.top for view in views), max(view.bottom for view in views))
    columns = slice(min(view.left for view in views), max(view.right for view in views))
    maps = maps.clone()
    maps[..., rows, columns] = follow_edges(maps[..., rows, columns], pixels[..., rows, columns])
    return maps


def _trace_words(clip: ExplainableCLIP, tokens: TokenBatch) -> TextTrace | None:
    try:
        require_word_tower(clip)
    except UnsupportedFamilyError:
        return None
    return trace_texts(clip, tokens)


def _assemble(
    clip: ExplainableCLIP,
    prompts: list[str],
    tokens: TokenBatch,
    words: TextTrace | None,
    maps: torch.Tensor,
    coarse_maps: torch.Tensor,
    word_maps: tuple[tuple[int | None, ...], ...],
    features: torch.Tensor,
    text_features: torch.Tensor,
) -> Explanation:
    """Put the parts together; ``features`` is ``[views, B, D]``."""
    cosines = torch.einsum("vbd,kd->kbv", features, text_features)
    best = cosines.mean(dim=0).argmax(dim=-1)  # per image, one view for all prompts: scores stay comparable
    index = torch.arange(len(best), device=best.device)
    scores = cosines[:, index, best]
    clip.require_finite(scores)
    per_word = None
    if words is not None:
        rows = word_relevancy(words, features[best, index]).detach()
        per_word = tuple(s.cpu() for s in word_scores(rows, tokens, words.pooled))
    warning = truncation_warning(tokens)
    return Explanation(
        prompts=tuple(prompts),
        maps=maps,
        scores=scores.cpu(),
        logits=(scores * clip.logit_scale).cpu(),
        words=tuple(map(_texts, tokens.words)),
        cut_off=tokens.cut_off,
        word_scores=per_word,
        warnings=(*clip.notes, *((warning,) if warning else ())),
        coarse_maps=coarse_maps,
        word_maps=word_maps,
    )
