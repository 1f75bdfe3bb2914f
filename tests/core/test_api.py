"""The library's few names, used as a script would."""

from __future__ import annotations

import importlib

import pytest
import torch
from clip_explainability.core import api
from clip_explainability.core.demo.batch import draw_batch


@pytest.fixture(scope="module")
def clip() -> api.ExplainableCLIP:
    return api.load_clip()


@pytest.fixture(scope="module")
def scenes() -> torch.Tensor:
    """A cat, then a car."""
    return draw_batch(["cat", "car"], 0, (96, 96), 1, 0.0, 1, apart=True).images.movedim(-1, 1)


def test_every_name_is_the_packages_too() -> None:
    package = importlib.import_module("clip_explainability")
    assert {name: getattr(package, name) for name in api.__all__} == {name: getattr(api, name) for name in api.__all__}
    with pytest.raises(AttributeError):
        package.no_such_name  # noqa: B018


def test_a_prompts_words_are_judged_together_as_alone(clip: api.ExplainableCLIP, scenes: torch.Tensor) -> None:
    prompts = ["a cat beside a car", "a red bicycle"]
    together = api.word_scores(clip, scenes, prompts)
    for prompt, found in zip(prompts, together, strict=True):
        alone = api.find_neglected(clip, scenes, prompt)
        assert (found.words, found.spans, found.content) == (alone.words, alone.spans, alone.content)
        torch.testing.assert_close(found.scores, alone.scores, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.similarity, alone.similarity, rtol=1e-4, atol=1e-5)


def test_only_the_prompt_that_is_too_long_is_warned_of(clip: api.ExplainableCLIP, scenes: torch.Tensor) -> None:
    short, long = api.word_scores(clip, scenes, ["a cat", "a very " * 60 + "red car"])
    assert short.warning is None
    assert long.warning is not None
    assert "car" in long.warning or "very" in long.warning


def test_classify_and_learn(clip: api.ExplainableCLIP, scenes: torch.Tensor) -> None:
    found = api.classify(clip, scenes, ["cat", "car"], templates="simple")
    assert found.names == ("cat", "car")
    assert found.scores.probabilities.argmax(dim=1).tolist() == [0, 1]
    epochs = []
    settings = api.LearningSettings(epochs=2, context_tokens=2)
    learned = api.learn_prompts(clip, scenes, ["cat", "car"], settings, report=lambda *at: epochs.append(at))
    assert epochs == [(1, 2), (2, 2)]
    assert api.classify(clip, scenes, learned).names == learned.classes
    with pytest.raises(api.InputError, match="labels"):
        api.learn_prompts(clip, scenes, ["cat"], settings)


def test_a_source_that_is_not_there_is_named(tmp_path: object) -> None:
    with pytest.raises(api.InputError, match="nowhere"):
        api.load_clip(f"{tmp_path}/nowhere.safetensors")
    with pytest.raises(api.InputError, match="not on this machine"):
        api.load_clip("open_clip: ViT-B-32/openai", folder=str(tmp_path))
