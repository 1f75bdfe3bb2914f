from __future__ import annotations

import json

import pytest
import torch
from clip_explainability.core.classification import classify as module
from clip_explainability.core.classification.class_prompts import ClassPrompts, LearningSettings
from clip_explainability.core.errors import InputError
from clip_explainability.nodes.hosted_clip import HostedClip
from clip_explainability.nodes.prompt_ensemble_classifier import PromptEnsembleClassifier
from tiny_clips import tiny_clip

DEFAULTS = {
    "classes": "dog\ncat = tabby\nsnail",
    "templates": "custom",
    "custom_templates": "a {}\nthe {} in a game\n{}",
    "ensemble": "mean of embeddings",
    "temperature": 1.0,
    "top_k": 2,
    "threshold": 0.0,
    "fit": "crop",
    "maps": "relevancy",
}
IMAGES = torch.rand(3, 60, 80, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def clip() -> HostedClip:
    return HostedClip(tiny_clip("vit-cls"))


def run(clip: HostedClip, image: torch.Tensor = IMAGES, node: PromptEnsembleClassifier | None = None, **changes):  # type: ignore[no-untyped-def]
    with torch.inference_mode():
        return (node or PromptEnsembleClassifier()).classify(clip=clip, image=image, **{**DEFAULTS, **changes})[
            "result"
        ]


def test_outputs_agree_with_each_other(clip: HostedClip) -> None:
    labels, top_label, scores, chart, maps, selected = run(clip)
    report = json.loads(scores)
    assert len(labels) == 3
    assert set(labels) <= {"dog", "cat", "snail"}
    assert top_label == labels[0]
    assert [image["label"] for image in report["images"]] == labels
    assert report["templates"] == 3
    assert report["ensemble"] == "mean of embeddings"
    assert chart.shape[0] == 1
    assert chart.shape[-1] == 3
    assert maps.shape == (3, 60, 80)
    assert maps.min() == 0
    assert maps.max() == 1
    groups = json.loads(selected)["classes"]
    assert {labels[i]: None for i in sorted(i for g in groups.values() for i in g)} == dict.fromkeys(labels)


@pytest.mark.parametrize("ensemble", PromptEnsembleClassifier.INPUT_TYPES()["required"]["ensemble"][0])
@pytest.mark.parametrize("preset", PromptEnsembleClassifier.INPUT_TYPES()["required"]["templates"][0])
def test_every_ensemble_takes_every_preset(clip: HostedClip, ensemble: str, preset: str) -> None:
    labels = run(clip, IMAGES[:2], ensemble=ensemble, templates=preset, maps="off")[0]
    assert len(labels) == 2


def test_maps_can_be_left_out(clip: HostedClip) -> None:
    maps = run(clip, maps="off")[4]
    assert maps.shape == (3, 60, 80)
    assert not maps.any()


def test_threshold_and_temperature_neither_encode_nor_explain_anything_again(
    clip: HostedClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    model = clip.clip.model
    for name in ("encode_image", "encode_text"):
        original = getattr(model, name)
        monkeypatch.setattr(model, name, lambda *a, _n=name, _f=original, **k: (calls.append(_n), _f(*a, **k))[1])
    monkeypatch.setattr(
        module, "encode_classes", lambda *a, _f=module.encode_classes, **k: (calls.append("t"), _f(*a, **k))[1]
    )
    node = PromptEnsembleClassifier()
    first = run(clip, node=node)
    assert "t" in calls
    assert "encode_image" in calls
    before = list(calls)
    assert "unsure" in run(clip, node=node, threshold=0.99)[5]
    again = run(clip, node=node, temperature=3.0)
    assert calls == before
    assert torch.equal(first[4], again[4])
    assert first[2] != again[2]


def test_unsure_images_are_set_apart(clip: HostedClip) -> None:
    selected = json.loads(run(clip, threshold=1.0, temperature=50.0)[5])
    assert selected["classes"] == {}
    assert selected["unsure"] == [0, 1, 2]


def prompts_for(clip: HostedClip, fingerprint: str = "") -> ClassPrompts:
    settings = LearningSettings(context_tokens=2)
    return ClassPrompts(torch.zeros(2, 64), ("owl", "bat"), settings, fingerprint, "a CLIP")


def test_class_prompts_bring_their_classes_where_none_are_written(clip: HostedClip) -> None:
    report = json.loads(run(clip, classes=" ", class_prompts=prompts_for(clip))[2])
    assert report["classes"] == ["owl", "bat"]
    assert report["templates"] == "learned"
    assert json.loads(run(clip, class_prompts=prompts_for(clip))[2])["classes"] == ["dog", "cat", "snail"]


def test_class_prompts_of_another_clip_are_refused(clip: HostedClip) -> None:
    with pytest.raises(InputError, match="learned on a CLIP, not on vit-cls"):
        run(clip, class_prompts=prompts_for(clip, "other"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": "\n"}, "classes is empty"),
        ({"custom_templates": "a photo"}, "has no {}"),
        ({"temperature": 0.0}, "temperature is 0"),
        ({"fit": "tile"}, "fit is 'tile'; choose one of: crop, stretch"),
        ({"image": torch.full((1, 8, 8, 3), float("nan"))}, "NaN"),
        ({"image": torch.zeros(8, 8, 3)}, "connect an IMAGE output, a batch of images"),
    ],
)
def test_bad_inputs_are_named(clip: HostedClip, change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(clip, **change)


def test_a_template_without_braces_is_refused_before_the_run() -> None:
    answer = PromptEnsembleClassifier.VALIDATE_INPUTS(templates="custom", custom_templates="a photo")
    assert isinstance(answer, str)
    assert "has no {}" in answer
    assert PromptEnsembleClassifier.VALIDATE_INPUTS(templates="none", custom_templates="a photo") is True
    odd = PromptEnsembleClassifier.VALIDATE_INPUTS(templates={"none": 1}, custom_templates="a photo")
    assert "choose one of: none, simple" in str(odd)  # programs send anything
    assert PromptEnsembleClassifier.VALIDATE_INPUTS(templates="custom", custom_templates=None) is True


def test_a_thousand_classes_fit_the_chart(clip: HostedClip) -> None:
    classes = "\n".join(f"thing {i}" for i in range(1000))
    _, _, scores, chart, _, _ = run(clip, classes=classes, custom_templates="a {}", maps="off", top_k=5)
    assert len(json.loads(scores)["images"][0]["probabilities"]) == 1000
    assert max(chart.shape) < 4096


@pytest.mark.parametrize("method", PromptEnsembleClassifier.INPUT_TYPES()["required"]["maps"][0])
def test_every_map_method_can_show_why(clip: HostedClip, method: str) -> None:
    if method not in ("off", "eclip"):
        assert run(clip, maps=method)[4].isfinite().all()
