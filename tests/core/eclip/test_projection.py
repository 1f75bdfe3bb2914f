"""core.eclip.projection: files of trained projections."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from clip_explainability.core.eclip.projection import EclipProjection, find_projection, load_projection, save_projection
from clip_explainability.core.errors import InputError
from safetensors.torch import save_file
from tiny_clips import tiny_clip


def projection(fingerprint: str = "", name: str = "vit-cls", seed: int = 0) -> EclipProjection:
    generator = torch.Generator().manual_seed(seed)
    weight, bias = torch.randn(48, 96, generator=generator), torch.randn(48, generator=generator)
    return EclipProjection(weight, bias, fingerprint, name, {"epochs": 3}, ((1, 1, 2.5, 0.5),))


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    saved = projection("abc")
    found = load_projection(save_projection(saved, tmp_path / "deep" / "p.safetensors"))
    assert torch.equal(found.weight, saved.weight)
    assert torch.equal(found.bias, saved.bias)
    assert (found.fingerprint, found.clip_name, found.settings, found.history) == (
        "abc", "vit-cls", {"epochs": 3}, ((1, 1, 2.5, 0.5),),
    )  # fmt: skip
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["p.safetensors"]


def test_another_clip_is_refused(tmp_path: Path) -> None:
    path = save_projection(projection("abc", "ViT-X"), tmp_path / "p.safetensors")
    with pytest.raises(InputError, match=r"trained for ViT-X, not for vit-cls.*Train ECLIP Projection"):
        load_projection(path, tiny_clip("vit-cls"))


def test_tensors_that_make_no_projection_are_refused(tmp_path: Path) -> None:
    bad = EclipProjection(projection().weight, torch.zeros(3), "", "x", {})
    with pytest.raises(InputError, match="can't be read as ECLIP projections"):
        load_projection(save_projection(bad, tmp_path / "p.safetensors"))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.rand(2, 2)}, tmp_path / "p.safetensors")
    with pytest.raises(InputError, match="no ECLIP projections; choose a file that Train ECLIP Projection saved"):
        load_projection(tmp_path / "p.safetensors")


def test_the_newest_file_for_the_clip_is_found(tmp_path: Path) -> None:
    (tmp_path / "notes.safetensors").write_text("no projection")
    paths = [tmp_path / "notes.safetensors"]
    for age, (name, fingerprint, seed) in enumerate([("newest-other", "abc", 1), ("newer", "", 2), ("older", "", 3)]):
        path = save_projection(projection(fingerprint, seed=seed), tmp_path / f"{name}.safetensors")
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
        paths.append(path)
    found = find_projection(tiny_clip("vit-cls"), paths)
    assert found is not None
    assert torch.equal(found.weight, projection(seed=2).weight)
    assert find_projection(tiny_clip("vit-cls"), paths[:2]) is None


def test_a_file_is_read_again_only_when_it_changed(tmp_path: Path) -> None:
    path = save_projection(projection(seed=1), tmp_path / "p.safetensors")
    clip = tiny_clip("vit-cls")
    first = find_projection(clip, [path])
    assert find_projection(clip, [path]) is first
    save_projection(projection(seed=2), path)
    again = find_projection(clip, [path])
    assert again is not None
    assert torch.equal(again.weight, projection(seed=2).weight)


def test_its_repr_tells_two_projections_apart() -> None:
    """Nodes use it as a key of what they computed last."""
    assert repr(projection(seed=1)) == repr(projection(seed=1)) != repr(projection(seed=2))
