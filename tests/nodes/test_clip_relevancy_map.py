from __future__ import annotations

import json

import pytest
import torch
from clip_explainability.core import explain as explain_module
from clip_explainability.core.errors import InputError
from clip_explainability.nodes.clip_relevancy_map import CLIPRelevancyMap
from clip_explainability.nodes.hosted_clip import HostedClip
from tiny_clips import tiny_clip

DEFAULTS = {
    "text": "a photo of a cat\na photo of a dog\n\n",
    "method": "relevancy",
    "last_blocks": 0,
    "score": "cosine",
    "fit": "stretch",
    "threshold": 0.2,
    "colormap": "turbo",
    "opacity": 0.5,
    "layout": "grid",
}


@pytest.fixture
def clip():
    return HostedClip(tiny_clip("vit-cls"))


def run(node, clip, image, **changes):
    with torch.inference_mode():
        return node.explain(clip=clip, image=image, **{**DEFAULTS, **changes})["result"]


def test_shapes_and_order(clip):
    image = torch.rand(3, 60, 80, 3)
    overlay, heat, mask, words, report = run(CLIPRelevancyMap(), clip, image, layout="one per prompt")
    assert overlay.shape == (6, 60, 80, 3)
    assert heat.shape == mask.shape == (6, 60, 80)
    assert words.shape[0] == 6
    assert heat.min() >= 0
    assert heat.max() <= 1
    alone = run(CLIPRelevancyMap(), clip, image[1:2], text="a photo of a dog")[1]
    torch.testing.assert_close(heat[3 + 1], alone[0], rtol=1e-3, atol=1e-4)
    data = json.loads(report)
    assert [p["prompt"] for p in data["prompts"]] == ["a photo of a cat", "a photo of a dog"]
    assert len(data["prompts"][0]["images"]) == 3


@pytest.mark.parametrize("finer", ["shifted_grids", "follow_edges"])
def test_finer_maps_are_others_of_the_same_scores(clip, finer):
    node, image = CLIPRelevancyMap(), torch.rand(1, 60, 80, 3)
    plain, shifted = run(node, clip, image), run(node, clip, image, **{finer: True})
    assert not plain[1].equal(shifted[1])
    scores = [[p["images"][0]["score"] for p in json.loads(result[4])["prompts"]] for result in (plain, shifted)]
    assert scores[0] == scores[1]


def test_grid_has_one_picture_for_each_image(clip):
    overlay = run(CLIPRelevancyMap(), clip, torch.rand(2, 50, 70, 3))[0]
    assert overlay.shape[0] == 2
    assert overlay.shape[2] > 3 * 70


def test_mask_is_the_thresholded_heat_and_coverage_its_mean(clip):
    _, heat, mask, _, report = run(CLIPRelevancyMap(), clip, torch.rand(1, 40, 40, 3), threshold=0.4)
    assert mask.equal((heat >= 0.4).float())
    coverages = [p["images"][0]["coverage"] for p in json.loads(report)["prompts"]]
    assert coverages == pytest.approx(mask.mean(dim=(1, 2)).tolist(), abs=1e-4)


def test_hottest_point_is_the_maximum_of_the_heat(clip):
    _, heat, _, _, report = run(CLIPRelevancyMap(), clip, torch.rand(1, 40, 90, 3))
    x, y = json.loads(report)["prompts"][0]["images"][0]["hottest"]
    assert heat[0, y, x] == 1.0


def test_opacity_zero_is_the_image_and_one_the_colours(clip):
    image = torch.rand(1, 40, 40, 3)
    plain = run(CLIPRelevancyMap(), clip, image, opacity=0.0, layout="one per prompt")[0]
    torch.testing.assert_close(plain[0], image[0])
    coloured = run(CLIPRelevancyMap(), clip, image, opacity=1.0, layout="one per prompt", colormap="gray")[0]
    heat = run(CLIPRelevancyMap(), clip, image)[1]
    torch.testing.assert_close(coloured[0, ..., 0], heat[0], atol=0.01, rtol=0)


def test_looks_change_without_computing_again(clip, monkeypatch):
    calls = []
    real = explain_module.explain
    monkeypatch.setattr(explain_module, "explain", lambda *a, **k: calls.append(1) or real(*a, **k))
    node, image = CLIPRelevancyMap(), torch.rand(1, 40, 40, 3)
    first = run(node, clip, image)
    for change in ({"colormap": "gray"}, {"opacity": 0.1}, {"threshold": 0.9}, {"layout": "one per prompt"}):
        assert run(node, clip, image, **change)[1].equal(first[1])
    assert len(calls) == 1
    for change in ({"text": "a bird"}, {"last_blocks": 1}, {"score": "logit"}, {"fit": "tile"}):
        run(node, clip, image, **change)
    run(node, clip, image.flip(1))
    run(node, HostedClip(tiny_clip("siglip")), image)
    assert len(calls) == 7


@pytest.mark.parametrize("text", ["", " \n \n"])
def test_empty_text_fails_validation_and_execution(clip, text):
    assert "text is empty" in str(CLIPRelevancyMap.VALIDATE_INPUTS(text=text))
    with pytest.raises(InputError, match="text is empty"):
        run(CLIPRelevancyMap(), clip, torch.rand(1, 40, 40, 3), text=text)


def test_a_mask_on_the_image_input_is_named(clip):
    with pytest.raises(InputError, match="image is a tensor of shape"):
        run(CLIPRelevancyMap(), clip, torch.rand(1, 40, 40))


def test_alpha_and_a_thousand_words_pass_with_a_warning(clip):
    report = json.loads(run(CLIPRelevancyMap(), clip, torch.rand(1, 40, 40, 4), text="cat " * 1000)[4])
    assert "cut off" in report["warnings"][0]
