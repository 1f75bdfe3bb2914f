import dataclasses
import json
import os
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


def test_a_failed_write_leaves_the_old_file_whole_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_class_prompts(PROMPTS, tmp_path / "dogs.safetensors")
    before = path.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save_class_prompts(dataclasses.replace(PROMPTS, classes=("cat", "dog")), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_other_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="holds no class prompts"):
        load_class_prompts(path)


@pytest.mark.parametrize("content", [b"", b"not safetensors at all"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="can't be read as class prompts"):
        load_class_prompts(path)


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    path = save_class_prompts(PROMPTS, tmp_path / "dogs.safetensors")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="can't be read"):
        load_class_prompts(path)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        load_class_prompts(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        {"settings": "{}"},
        {"settings": json.dumps({"context_tokens": "many"})},
        {"classes": "5"},
        {"history": "null"},
        {"version": "99"},
    ],
)
def test_metadata_that_makes_no_sense_is_refused(tmp_path: Path, change: dict[str, str]) -> None:
    from safetensors import safe_open

    path = save_class_prompts(PROMPTS, tmp_path / "dogs.safetensors")
    with safe_open(str(path), framework="pt") as file:
        metadata = {**file.metadata(), **change}
    save_file({"context": PROMPTS.context}, path, metadata)
    with pytest.raises(InputError):
        load_class_prompts(path)


def test_a_context_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    broken = dataclasses.replace(PROMPTS, context=torch.full((3, 4), float("nan")))
    with pytest.raises(InputError, match="learn the prompts anew"):
        load_class_prompts(save_class_prompts(broken, tmp_path / "nan.safetensors"))
