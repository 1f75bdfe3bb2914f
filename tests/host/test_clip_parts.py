"""Explainable CLIP from Parts in a real server, on the host's own towers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from host_client import ComfyClient, Prompt


def joined(width: int = 64, encoders: str = "clip_l=64", projection: str = "own", **others: Any) -> Prompt:
    parts = {"width": width, "encoders": encoders, "projection": projection}
    return {
        "parts": {"class_type": "TinyClipParts", "inputs": parts},
        "join": {
            "class_type": "ExplainableCLIPFromParts",
            "inputs": {"clip_vision": ["parts", 0], "clip": ["parts", 1]},
        },
        **others,
    }


SEEN = {
    "class_type": "ComparedWithHost",
    "inputs": {"joined": ["join", 0], "vision": ["parts", 0], "clip": ["parts", 1]},
}


@pytest.mark.parametrize("encoders", ["clip_l=64", "clip_l=32 clip_g=64"])
def test_features_are_the_hosts_own_and_follow_its_weights(client: ComfyClient, encoders: str) -> None:
    run = client.run(joined(encoders=encoders, seen=SEEN))
    assert run.error is None
    seen = run.outputs["seen"]
    assert max(seen["far"]) < 1e-5
    assert seen["own_numbers"] == [1]  # the logit scale: every other weight is the host's
    assert seen["owned"] == [True]


def test_maps_and_words_come_out(client: ComfyClient) -> None:
    image = {"class_type": "EmptyImage", "inputs": {"width": 96, "height": 64, "batch_size": 2, "color": 0x336699}}
    relevancy = {
        "class_type": "CLIPRelevancyMap",
        "inputs": {
            "clip": ["join", 0],
            "image": ["image", 0],
            "text": "a red cat\na dog",
            "method": "relevancy",
            "last_blocks": 0,
            "score": "cosine",
            "fit": "stretch",
            "threshold": 0.2,
            "colormap": "turbo",
            "opacity": 0.5,
            "layout": "one per prompt",
        },
    }
    shown = {"class_type": "PreviewImage", "inputs": {"images": ["map", 0]}}
    run = client.run(joined(image=image, map=relevancy, shown=shown))
    assert run.error is None
    assert len(run.outputs["shown"]["images"]) == 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"width": 48}, "image tower gives features of 48 numbers, the text tower of clip_l 64"),
        ({"width": 48, "encoders": "clip_l=32 clip_g=64"}, "of clip_l 32, clip_g 64"),
        ({"projection": "identity"}, "clip_l of clip has no projection"),
        ({"projection": "zero"}, "clip_l of clip has no projection"),
    ],
)
def test_parts_that_make_no_clip_are_refused_with_what_to_load(
    client: ComfyClient, changes: dict[str, Any], says: str
) -> None:
    run = client.run(joined(**changes, shown={"class_type": "Sink", "inputs": {"value": ["join", 0]}}))
    assert run.error is not None
    text = json.dumps(run.error)
    assert says in text
    assert "ViT-L" in text or "clip_l" in text
