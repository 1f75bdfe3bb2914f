"""Every map method against its paper's formula taken literally (tests/core/reference/map_methods.py), in fp64 from
pixels to map, so that what is compared is the formula and not the processor's rounding."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.eclip.projection import EclipProjection
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.methods import METHODS, MapOptions
from full_clips import NAMES, full_clip
from reference import map_methods, towers
from tiny_clips import DENSE_FAMILIES, FAMILIES, tiny_clip

TOLERANCE = 1e-10  # anything in single precision would show: 1e-8 and more


def in_double(clip: ExplainableCLIP) -> ExplainableCLIP:
    return ExplainableCLIP(copy.deepcopy(clip.model).double(), clip.tokenizer, clip.name)


def relative_difference(ours: torch.Tensor, reference: torch.Tensor) -> float:
    largest = reference.detach().abs().max()
    return float((ours - reference).detach().abs().max() / (largest if largest > 0 else 1))  # a map may be all zero


def worst_differences(clip: ExplainableCLIP, prompts: int) -> dict[str, float]:
    """Of every method on one random image: the largest difference over the prompts, relative to the map's maximum."""
    generator = torch.Generator().manual_seed(3)
    pixels = torch.rand(1, 3, *clip.image_size, generator=generator)
    worst = {}
    with gradients():
        tower = towers.run(clip.model.visual, clip.normalize_pixels(pixels)[0])
        size = len(tower.feature)
        texts = F.normalize(torch.randn(prompts, size, generator=generator).double(), dim=-1)
        weight = torch.randn(size, *head_width(tower), generator=generator).double()
        options = MapOptions(
            projection=EclipProjection(weight, torch.zeros(size).double(), clip.fingerprint, clip.name, {})
        )
        for name, method in METHODS.items():
            if not method.applies_to(clip.vision):
                continue
            ours = method.patch_maps(clip, pixels, texts, options)
            assert relative_difference(ours.features[0], tower.feature) <= TOLERANCE
            if name == "eclip":
                literal = map_methods.eclip(tower, texts, weight)
            else:
                literal = map_methods.REFERENCES[name](tower, texts)
            worst[name] = max(relative_difference(ours.maps[k, 0], literal[k]) for k in range(prompts))
    return worst


def head_width(tower: towers.Tower) -> tuple[int]:
    if tower.kind == "resnet":
        return (tower.visual.attnpool.c_proj.in_features,)
    if tower.kind == "open_clip":
        return (tower.visual.proj.shape[0],)
    if tower.kind == "dense" and not hasattr(tower.visual.head, "proj"):
        projection = tower.visual.trunk.get_classifier()
        return (projection.in_features if isinstance(projection, torch.nn.Linear) else len(tower.feature),)
    return (tower.visual.trunk.num_features,)


@pytest.mark.parametrize("family", [*FAMILIES, *DENSE_FAMILIES])
def test_methods_are_their_papers_formulas(family: str) -> None:
    differences = worst_differences(in_double(tiny_clip(family)), prompts=3)
    assert {name: value for name, value in differences.items() if not value <= TOLERANCE} == {}


@pytest.mark.parametrize("name", NAMES)
def test_methods_are_their_papers_formulas_at_full_size(name: str) -> None:
    differences = worst_differences(in_double(full_clip(name)), prompts=2)
    assert {name: value for name, value in differences.items() if not value <= TOLERANCE} == {}
