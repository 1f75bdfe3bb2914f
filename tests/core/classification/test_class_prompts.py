import dataclasses
import json
from pathlib import Path

import pytest
import torch
from clip_explainability.core.classification.class_prompts import (
    ClassPrompts,
    LearningSettings,
    load_class_prompts,
    save_class_prompts,
)
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.errors import InputError
from safetensors.torch import save_file
from tiny_clips import tiny_clip

SETTINGS = LearningSettings(context_tokens=3, explainability_weight=0.25, position="end", derivative="full", seed=7)
PROMPTS = ClassPrompts(
    context=torch.arange(12.0).reshape(3, 4) / 7,
    classes=("dog", "Straßenampel 🚦"),
    settings=SETTINGS,
    fingerprint="abc",
    clip_name="a CLIP",
    history=((1, 2, 0.75, 0.5), (2, 2, 0.5, 1.0)),
)


def clip_with(fingerprint: str) -> ExplainableCLIP:
    return dataclasses.replace(tiny_clip("vit-cls"), fingerprint=fingerprint)


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    loaded = load_class_prompts(save_class_prompts(PROMPTS, tmp_path / "new folder" / "dogs.safetensors"))
    assert torch.equal(loaded.context, PROMPTS.context)
    for field in ("classes", "settings", "fingerprint", "clip_name", "history"):
        assert getattr(loaded, field) == getattr(PROMPTS, field)


def test_a_file_is_accepted_by_its_own_clip_alone(tmp_path: Path) -> None:
    path = save_class_prompts(PROMPTS, tmp_path / "dogs.safetensors")
    load_class_prompts(path, clip_with("abc"))
    with pytest.raises(InputError, match="learned on a CLIP, not on vit-cls"):
        load_class_prompts(path, clip_with("other"))


def test_other_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="holds no class prompts"):
        load_class_prompts(path)


@pytest.mark.parametrize(
    "change",
    [
        {"settings": "{}"},
        {"settings": json.dumps({"context_tokens": "many"})},
        {"classes": "5"},
        {"history": "null"},
    ],
)
def test_metadata_that_makes_no_sense_is_refused(tmp_path: Path, change: dict[str, str]) -> None:
    from safetensors import safe_open

    path = save_class_prompts(PROMPTS, tmp_path / "dogs.safetensors")
    with safe_open(str(path), framework="pt") as file:
        metadata = {**file.metadata(), **change}
    save_file({"context": PROMPTS.context}, path, metadata)
    with pytest.raises(InputError, match="can't be read as class prompts"):
        load_class_prompts(path)
