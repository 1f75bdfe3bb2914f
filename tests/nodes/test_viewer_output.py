"""What the nodes give the viewer, and what lies in the host's temporary folder then."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from clip_explainability.core.guidance.record import GuidanceRecord, StepRecord
from clip_explainability.core.lens import Lens
from clip_explainability.nodes import host
from clip_explainability.nodes.clip_relevancy_map import CLIPRelevancyMap
from clip_explainability.nodes.compare_methods import CompareMethods
from clip_explainability.nodes.guidance_report import GuidanceReport
from clip_explainability.nodes.host import execution
from clip_explainability.nodes.hosted_clip import HostedClip
from clip_explainability.nodes.prompt_ensemble_classifier import PromptEnsembleClassifier
from tiny_clips import tiny_clip


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As inside a host with this temporary folder, for what is written there."""
    monkeypatch.setattr(execution, "temporary_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, good_inputs: Any) -> Callable[..., dict[str, Any]]:
    """Runs a node: its ``ui``. Only the writing of the viewer's files believes in the host."""
    real = execution.show_lens

    def show(make: Callable[[], Lens]) -> dict[str, Any]:
        with monkeypatch.context() as patch:
            patch.setattr(execution, "running", lambda: True)
            return real(make)

    monkeypatch.setattr(host, "show_lens", show)

    def run(node: Any, **changes: Any) -> dict[str, Any]:
        with torch.inference_mode():
            return getattr(node, node.FUNCTION)(**{**good_inputs(type(node)), **changes})["ui"]

    return run


def lens_of(temporary: Path, ui: dict) -> dict:
    (entry,) = ui["clip_lens"]
    assert entry["subfolder"] == "clip_lens"
    assert entry["type"] == "temp"
    data = json.loads((temporary / "clip_lens" / entry["filename"]).read_text("utf-8"))
    for name in data["pictures"] + data["sheets"]:
        assert (temporary / "clip_lens" / name).is_file()
    return data


def record() -> GuidanceRecord:
    made = GuidanceRecord("a dog", ("a", "dog"))
    for step in range(3):
        made.steps.append(StepRecord(step, 1.0, {"words": [0.5]}, [[0.1, 0.9]], None, None, [0.1]))
        made.previews.append((step, torch.zeros(4, 6, 3, dtype=torch.uint8)))
    return made


@pytest.mark.parametrize(
    ("node", "kind", "sheets"),
    [
        (CLIPRelevancyMap, "prompts", 2),
        (CompareMethods, "methods", 2),
        (PromptEnsembleClassifier, "classes", 2),
        (GuidanceReport, "steps", 0),
    ],
)
def test_each_node_leads_the_viewer_to_its_run(temporary, shown, node, kind, sheets) -> None:
    changes = {"record": record()} if node is GuidanceReport else {}
    data = lens_of(temporary, shown(node(), **changes))
    assert data["kind"] == kind
    assert len(data["sheets"]) == sheets
    assert data["pictures"]


def test_the_same_picture_lies_there_once(temporary, shown) -> None:
    clip = HostedClip(tiny_clip("vit-cls"))
    one = lens_of(temporary, shown(CLIPRelevancyMap(), clip=clip))
    other = lens_of(temporary, shown(CompareMethods(), clip=clip))
    again = lens_of(temporary, shown(CLIPRelevancyMap(), clip=clip, threshold=0.5))
    assert one["pictures"] == other["pictures"] == again["pictures"]
    assert one["sheets"] == again["sheets"]


def test_classes_beyond_those_asked_for_have_no_map(temporary, shown) -> None:
    data = lens_of(temporary, shown(PromptEnsembleClassifier(), classes="cat\ndog\nbird", maps_of_classes=2))
    assert [[entry["maps"] for entry in image] for image in data["by_image"]] == [[[0], [1], None]] * 2
    data = lens_of(temporary, shown(PromptEnsembleClassifier(), maps="off"))
    assert data["sheets"] == []


def test_the_oldest_files_go_first(temporary, monkeypatch) -> None:
    monkeypatch.setattr(execution, "_MOST_LENS_BYTES", 2500)
    monkeypatch.setattr(execution, "running", lambda: True)
    for number in range(4):
        execution.show_lens(lambda number=number: Lens((bytes([number]) * 1000,), (), {}))
        for file in (temporary / "clip_lens").iterdir():  # a day older
            os.utime(file, (file.stat().st_atime - 86400, file.stat().st_mtime - 86400))
    left = {file.read_bytes()[:1] for file in (temporary / "clip_lens").glob("*.png")}
    assert left == {bytes([2]), bytes([3])}


def test_a_full_disk_leaves_the_static_preview(temporary, monkeypatch) -> None:
    monkeypatch.setattr(execution, "running", lambda: True)

    def refuse(self, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert execution.show_lens(lambda: Lens((b"x",), (), {})) == {}
    assert list((temporary / "clip_lens").iterdir()) == []
