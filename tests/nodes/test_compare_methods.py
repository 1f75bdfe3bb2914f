from __future__ import annotations

import json

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.core.methods import METHODS
from clip_explainability.nodes.clip_relevancy_map import CLIPRelevancyMap
from clip_explainability.nodes.compare_methods import CompareMethods
from clip_explainability.nodes.hosted_clip import HostedClip
from tiny_clips import tiny_clip

DEFAULTS = {
    "text": "a photo of a cat\na photo of a dog\n",
    "methods": "relevancy, legrad, raw_attention",
    "last_blocks": 0,
    "fit": "stretch",
    "colormap": "turbo",
    "opacity": 0.5,
}


@pytest.fixture
def clip() -> HostedClip:
    return HostedClip(tiny_clip("vit-cls"))


def run(clip: HostedClip, image: torch.Tensor, **changes):
    with torch.inference_mode():
        return CompareMethods().compare(clip=clip, image=image, **{**DEFAULTS, **changes})["result"]


def test_one_grid_for_each_image_and_maps_in_order(clip: HostedClip) -> None:
    image = torch.rand(2, 40, 60, 3)
    grid, heat, report = run(clip, image)
    assert grid.shape[0] == 2
    assert grid.shape[-1] == 3
    assert heat.shape == (3 * 2 * 2, 40, 60)
    data = json.loads(report)
    assert list(data["seconds"]) == ["relevancy", "legrad", "raw_attention"]
    assert len(data["scores"]) == 2
    with torch.inference_mode():
        alone = CLIPRelevancyMap().explain(
            clip=clip, image=image, text=DEFAULTS["text"], method="legrad", last_blocks=0, score="cosine",
            fit="stretch", threshold=0.2, colormap="turbo", opacity=0.5, layout="grid",
        )["result"][1]  # fmt: skip
    torch.testing.assert_close(heat[4:8], alone, rtol=0, atol=1e-4)
    assert torch.equal(heat[8:10], heat[10:12])  # text-free: the same map for both prompts


def test_all_methods_but_those_that_cannot_run(clip: HostedClip) -> None:
    _, heat, report = run(clip, torch.rand(1, 20, 20, 3), methods="", text="a cat")
    data = json.loads(report)
    assert set(data["seconds"]) == set(METHODS) - {"eclip"}
    assert "projection" in data["left_out"]["eclip"]
    assert heat.shape == (len(METHODS) - 1, 20, 20)


def test_wrong_names_and_empty_text_are_refused_before_the_run(clip: HostedClip) -> None:
    assert CompareMethods.VALIDATE_INPUTS(text="a", methods="gem\nitsm") is True
    assert "gradcam" in str(CompareMethods.VALIDATE_INPUTS(methods="gradcam"))
    assert "empty" in str(CompareMethods.VALIDATE_INPUTS(text=" \n"))
    with pytest.raises(InputError, match="nonsense"):
        run(clip, torch.rand(1, 20, 20, 3), methods="nonsense")
