"""Several map methods on the same images and prompts, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..clip import ExplainableCLIP
from ..drawing.colormap import overlay
from ..drawing.grid import labelled_grid
from ..errors import InputError
from ..explain import explain
from ..maps import normalize_map
from ..methods import METHODS, MapOptions
from ..text_files import plain_lines
from ..views import Fit


@dataclass(frozen=True)
class Comparison:
    """What m methods make of B images and K prompts, on the CPU.

    Attributes:
        methods: their names, in the order asked for.
        left_out: names of methods that were asked for and can't run, with the reason.
        heat: ``[m, K, B, H, W]`` in 0..1, each map min-max normalised.
        seconds: time of each method, all prompts and images together.
        scores: cosine similarity ``[K, B]``.
        coarse_maps: ``[m, K, B, rows, columns]``, see :class:`..explain.Explanation`.
    """

    methods: tuple[str, ...]
    left_out: dict[str, str]
    heat: torch.Tensor
    seconds: tuple[float, ...]
    scores: torch.Tensor
    coarse_maps: torch.Tensor


def parse_methods(text: str) -> list[str]:
    """Method names separated by commas or lines; empty means all of them.

    Raises:
        InputError: an unknown name.
    """
    names = plain_lines(text.replace(",", "\n"))
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise InputError(f"methods names {unknown[0]!r}, which is none; choose from: {', '.join(METHODS)}")
    return list(dict.fromkeys(names)) or list(METHODS)


def compare(
    clip: ExplainableCLIP,
    images: torch.Tensor,
    prompts: list[str],
    methods: list[str],
    options: MapOptions,
    fit: Fit = "stretch",
    shifted: bool = False,
    along_edges: bool = False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Comparison:
    """Run the methods one after the other.

    Methods that can't run on this CLIP (no trained projection, another family of towers) are left out with the reason.

    Args:
        images: ``[B, 1, 3 or 4, H, W]`` in 0..1.
        fit, shifted, along_edges: see :func:`..explain.explain`.
        report: called with (methods done, methods in total); may raise to stop.

    Raises:
        InputError: an input can't be used, or no method is left.
    """
    ran, heats, coarse, seconds, left_out = [], [], [], [], {}
    for index, name in enumerate(methods):
        report(index, len(methods))
        reason = _why_not(clip, name, options)
        if reason:
            left_out[name] = reason
            continue
        start = time.perf_counter()
        found = explain(clip, images, prompts, name, options, fit, shifted, along_edges)
        seconds.append(time.perf_counter() - start)
        heats.append(normalize_map(found.maps))
        coarse.append(found.coarse_maps)
        ran.append(name)
    report(len(methods), len(methods))
    if not ran:
        raise InputError(f"no method is left to compare: {'; '.join(left_out.values())}")
    return Comparison(tuple(ran), left_out, torch.stack(heats), tuple(seconds), found.scores, torch.stack(coarse))


def _why_not(clip: ExplainableCLIP, name: str, options: MapOptions) -> str:
    """Why a method can't run, or nothing."""
    try:
        METHODS[name].require(clip, options)
    except InputError as error:
        return str(error)
    return ""


def comparison_grid(
    image: torch.Tensor, heat: torch.Tensor, found: Comparison, prompts: list[str], colormap: str, opacity: float
) -> torch.Tensor:
    """One row a method: its name over the image, then each prompt's overlay.

    Args:
        image: ``[H, W, 3]``.
        heat: ``[m, K, H, W]`` in 0..1.

    Returns:
        ``[H', W', 3]``.
    """
    pictures, labels = [], []
    for name, seconds, maps in zip(found.methods, found.seconds, heat, strict=True):
        pictures += [image, *overlay(image.unsqueeze(0), maps, colormap, opacity)]
        labels += [f"{name}  ({1000 * seconds:.0f} ms)", *prompts]
    return labelled_grid(pictures, labels, columns=1 + len(prompts), longest_side=256)
