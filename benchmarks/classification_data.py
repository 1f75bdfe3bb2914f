"""Labelled image features to classify: scenes of the demo world, or a user's own folder of images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from benchmark_pack import ROOT
from clip_explainability.core.classification.support import support_from_folder
from clip_explainability.core.classification.zero_shot import encode_images
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.demo import art, scenes

FETCHED_ART = ROOT / "training" / ".cache" / "art"


@dataclass(frozen=True)
class Pool:
    """Features of N labelled images.

    Attributes:
        classes: C names. features: L2-normalised ``[N, D]``. labels: class indices ``[N]``.
        levels: clutter level of each image ``[N]``, indices into ``level_names``.
        support: which images may be learned from ``[N]``; None: any, the rest is then tested on.
        vendor: whose art the scenes are drawn with; None: they are a user's images.
    """

    classes: tuple[str, ...]
    features: torch.Tensor
    labels: torch.Tensor
    levels: torch.Tensor
    level_names: tuple[str, ...]
    support: torch.Tensor | None
    vendor: str | None = None


def demo_pool(
    clip: ExplainableCLIP, vendor: str, levels: Sequence[float], test_images: int, support_images: int
) -> Pool:
    """Single-object scenes: for each class and clutter level so many to test on and so many to learn from."""
    use_vendor(vendor)
    names, size = art.class_names(), clip.image_size
    features, labels, level_of, support = [], [], [], []
    for level, clutter in enumerate(levels):
        for index, name in enumerate(names):
            drawn = [
                scenes.draw_scene((60, level, index, k), size, classes=[name], vendor=vendor, clutter=clutter).image
                for k in range(test_images + support_images)
            ]
            features.append(_encode_drawn(clip, drawn))
            labels += [index] * len(drawn)
            level_of += [level] * len(drawn)
            support += [False] * test_images + [True] * support_images
        print(f"  clutter {clutter}: {len(labels)} scenes drawn and encoded", flush=True)
    return Pool(
        names,
        torch.cat(features),
        torch.tensor(labels),
        torch.tensor(level_of),
        tuple(f"{clutter:g}" for clutter in levels),
        torch.tensor(support),
        vendor,
    )


def crowded_features(clip: ExplainableCLIP, vendor: str, names: Sequence[str], others: int, seed: int) -> torch.Tensor:
    """Features ``[C, D]`` of a scene for each name, with so many objects of other classes beside it."""
    drawn = []
    for index, name in enumerate(names):
        strangers = [other for other in art.class_names() if other != name]
        chosen = np.random.default_rng((61, seed, index, others)).permutation(strangers)[:others]
        scene = scenes.draw_scene(
            (62, seed, index, others), clip.image_size, classes=[name, *chosen], vendor=vendor, clutter=0.5
        )
        drawn.append(scene.image)
    return _encode_drawn(clip, drawn)


def _encode_drawn(clip: ExplainableCLIP, drawn: Sequence[np.ndarray]) -> torch.Tensor:
    """Features ``[N, D]`` of scenes' images ``[H, W, 3]``."""
    return encode_images(clip, torch.from_numpy(np.stack(drawn).astype(np.float32)).movedim(-1, 1))


def use_vendor(vendor: str) -> None:
    """Make sure that scenes can be drawn with this vendor's art: shipped, or fetched by training/fetch_art.py."""
    if vendor in art.vendors():
        return
    path = FETCHED_ART / f"{vendor}.json"
    if not path.is_file():
        raise SystemExit(f"There is no art by {vendor}: run training/fetch_art.py, or name one of {art.vendors()}.")
    drawings = {name: tuple(drawn) for name, drawn in json.loads(path.read_text("utf-8"))["art"].items()}
    scenes.load_art = lambda _: drawings


def folder_pool(clip: ExplainableCLIP, folder: str) -> Pool:
    """The images of a folder with one sub-folder a class (ImageNet's layout)."""

    def report(done: int, total: int) -> None:
        print(f"  {done} of {total} images read", end="\r", flush=True)

    found = support_from_folder(clip, folder, report=report)
    print()
    for item in found.left_out:
        print(f"  left out: {item.reason}")
    names = tuple(name.replace("_", " ") for name in found.classes)
    return Pool(names, found.features, found.labels, torch.zeros_like(found.labels), ("-",), None)
