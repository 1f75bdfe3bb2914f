"""core.loading.trained_file: written whole or not at all, read back exactly or refused with the remedy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.core.loading import trained_file
from safetensors import safe_open
from safetensors.torch import save_file

KIND = trained_file.Kind("test/things", "trained things", "Train Things", "train them anew")
TENSOR = torch.arange(12.0).reshape(3, 4) / 7
ABOUT = {"names": ["dog", "Straßenampel 🚦"], "history": [[1, 2, 0.75]]}


def save(path: Path, tensor: torch.Tensor = TENSOR) -> Path:
    return trained_file.save(KIND, path, {"one": tensor}, "abc", "a CLIP", ABOUT)


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return trained_file.load(KIND, path, lambda tensors, about: (tensors, about))


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    tensors, about = load(save(tmp_path / "new folder" / "t.safetensors", TENSOR.T))
    assert list(tensors) == ["one"]
    assert torch.equal(tensors["one"], TENSOR.T)
    assert {name: about[name] for name in ABOUT} == ABOUT
    assert (about["fingerprint"], about["clip_name"]) == ("abc", "a CLIP")
    assert [entry.name for entry in (tmp_path / "new folder").iterdir()] == ["t.safetensors"]


def test_a_failed_write_leaves_the_old_file_whole_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "t.safetensors")
    before = path.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(InputError, match="no space left"):
        save(path, TENSOR + 1)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_autograd_accepts_what_was_read_in_inference_mode(tmp_path: Path) -> None:
    path = save(tmp_path / "t.safetensors")
    with torch.inference_mode():
        tensor = load(path)[0]["one"]
    factor = torch.ones(3, 4, requires_grad=True)
    (factor * tensor).sum().backward()
    assert factor.grad is not None


def test_other_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"one": TENSOR}, path)
    with pytest.raises(InputError, match="holds no trained things; choose a file that Train Things saved"):
        load(path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "t.safetensors")
    with safe_open(str(path), framework="pt") as file:
        metadata = {**file.metadata(), "version": "99"}
    save_file({"one": TENSOR}, path, metadata)
    with pytest.raises(InputError, match="another version of this pack; train them anew"):
        load(path)


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "cut", "nan"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "t.safetensors"
    if damage == "cut":
        path.write_bytes(save(path).read_bytes()[:-5])
    elif damage == "nan":
        save(path, TENSOR * float("nan"))
    elif damage != "missing":
        path.write_bytes(b"not safetensors at all" if damage == "text" else b"")
    with pytest.raises(InputError, match=r"can't be read as trained things .*; train them anew"):
        load(path)


@pytest.mark.parametrize("error", [KeyError("one"), TypeError("two"), ValueError("three"), InputError("four")])
def test_what_does_not_fit_is_refused(tmp_path: Path, error: Exception) -> None:
    def build(*_: object) -> None:
        raise error

    with pytest.raises(InputError, match="can't be read as trained things"):
        trained_file.load(KIND, save(tmp_path / "t.safetensors"), build)
