"""Good inputs for any node of the pack, so that a test can change one of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from clip_explainability.core.boxes.constraint import from_box
from clip_explainability.core.classification.class_prompts import ClassPrompts, LearningSettings
from clip_explainability.core.eclip.projection import EclipProjection
from clip_explainability.core.guidance.record import GuidanceRecord
from clip_explainability.nodes.hosted_clip import HostedClip
from tiny_clips import tiny_clip

BOXES = {"version": 1, "boxes": [{"label": "cat", "x": 0, "y": 0, "width": 0.5, "height": 1}]}
# What defaults leave open, and what keeps a run short.
SETTINGS: dict[str, dict[str, Any]] = {
    "DemoScene": {"width": 48, "height": 48},
    "CompareMethods": {"methods": "relevancy, itsm"},
    "BoxSpatialConstraint": {"boxes": json.dumps(BOXES), "width": 64, "height": 64},
    "PromptEnsembleClassifier": {"templates": "simple", "classes": "cat\ndog"},
    "RouteImagesByClass": {"selected": json.dumps({"count": 2, "classes": {"cat": [0, 1]}, "unsure": []})},
    "LearnClassPrompts": {"epochs": 1, "n_ctx": 2, "labels": "cat\ndog"},
    "TrainECLIPProjection": {"epochs": 1, "captions": "a cat\na dog", "save_as": ""},
}
OPTIONAL = {"LearnClassPrompts": ["image"], "TrainECLIPProjection": ["image"]}


def something_of(kind: str) -> Any:
    """Something that a connection of that type may carry."""
    prompts = ClassPrompts(torch.zeros(1, 4), ("cat",), LearningSettings(context_tokens=1), "", "")
    return {
        "EXPLAINABLE_CLIP": HostedClip(tiny_clip("vit-cls")),
        "CLIP_VISION": SimpleNamespace(patcher=None, encode_image=None),
        "CLIP": SimpleNamespace(cond_stage_model=None),
        "IMAGE": torch.rand(2, 8, 8, 3, generator=torch.Generator().manual_seed(0)),
        "MASK": torch.ones(2, 8, 8),
        "LATENT": {"samples": torch.zeros(1, 4, 8, 8)},
        "MODEL": SimpleNamespace(model=None),
        "VAE": SimpleNamespace(first_stage_model=None),
        "EXPLAINABILITY_CONSTRAINTS": (from_box("dog", (0.0, 0.0, 0.5, 1.0), 8, 8),),
        "GUIDANCE_RECORD": GuidanceRecord(),
        "CLASS_PROMPTS": prompts,
        "ECLIP_PROJECTION": EclipProjection(torch.zeros(1, 1), torch.zeros(1), "", "", {}),
        "STRING": "text",
    }[kind]


def good_inputs(node: Any) -> dict[str, Any]:
    """Every required input of a node (and its images), by name."""
    groups = node.INPUT_TYPES()
    specs = {**groups["required"], **{name: groups["optional"][name] for name in OPTIONAL.get(node.NODE_ID, [])}}
    inputs = {}
    for name, (kind, options) in specs.items():
        if "default" in options:
            inputs[name] = options["default"]
        else:
            inputs[name] = (kind or [""])[0] if isinstance(kind, list) else something_of(kind)
    return {**inputs, **SETTINGS.get(node.NODE_ID, {})}


def run(node: Any, **inputs: Any) -> tuple[Any, ...]:
    """A node's outputs, run as hosts run it."""
    if getattr(node, "INPUT_IS_LIST", False):
        inputs = {name: [value] for name, value in inputs.items()}
    with torch.inference_mode():
        found = getattr(node(), node.FUNCTION)(**inputs)
    return found["result"] if isinstance(found, dict) else found


@pytest.fixture(name="good_inputs")
def _good_inputs() -> Callable[[Any], dict[str, Any]]:
    return good_inputs


@pytest.fixture(name="run")
def _run() -> Callable[..., tuple[Any, ...]]:
    return run
