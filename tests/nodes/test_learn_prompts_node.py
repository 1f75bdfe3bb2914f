from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from clip_explainability.core.errors import InputError
from clip_explainability.nodes import host
from clip_explainability.nodes.hosted_clip import HostedClip
from clip_explainability.nodes.learn_class_prompts import LearnClassPrompts
from clip_explainability.nodes.load_class_prompts import LoadClassPrompts
from PIL import Image
from tiny_clips import tiny_clip

DEFAULTS = {
    "n_ctx": 3,
    "class_position": "middle",
    "explainability_weight": 0.5,
    "also_minimise": True,
    "derivative": "first order",
    "epochs": 3,
    "learning_rate": 0.002,
    "batch_size": 32,
    "seed": 0,
    "labels": "dog\nsnail",
}
IMAGES = torch.rand(2, 50, 70, 3, generator=torch.Generator().manual_seed(0))


class Cancelled(Exception):
    """Stands in for the host's exception."""


@pytest.fixture
def clip() -> HostedClip:
    return HostedClip(tiny_clip("vit-cls"))


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the host's model folder."""
    folder = tmp_path / "models"
    monkeypatch.setattr(host, "model_folder", lambda name="": str(folder))
    monkeypatch.setattr(host, "model_file_path", lambda name, _="": str(folder / name))
    return folder


def learn(clip: HostedClip, image: torch.Tensor | None = IMAGES, **changes):  # type: ignore[no-untyped-def]
    with torch.inference_mode():
        return LearnClassPrompts().learn(clip=clip, image=image, **{**DEFAULTS, **changes})["result"]


def test_prompts_chart_and_report_come_out(clip: HostedClip) -> None:
    prompts, chart, report = learn(clip)
    assert prompts.classes == ("dog", "snail")
    assert prompts.context.shape == (3, 64)
    assert chart.shape == (1, 240, 480, 3)
    data = json.loads(report)
    assert [row["epoch"] for row in data["history"]] == [1, 2, 3]
    assert data["settings"]["explainability_weight"] == 0.5
    assert data["file"] is None


@pytest.mark.parametrize("derivative", ["first order", "full"])
@pytest.mark.parametrize("position", ["middle", "end", "front"])
def test_every_choice_learns(clip: HostedClip, derivative: str, position: str) -> None:
    learn(clip, derivative=derivative, class_position=position, epochs=1)


def test_several_images_of_a_class_are_welcome(clip: HostedClip) -> None:
    images = torch.rand(4, 40, 40, 3)
    prompts = learn(clip, images, labels="dog, snail, dog,  snail")[0]
    assert prompts.classes == ("dog", "snail")


def test_a_folder_with_one_folder_a_class_will_do(clip: HostedClip, tmp_path: Path) -> None:
    for index, name in enumerate(("red fox", "owl")):
        (tmp_path / "shots" / name).mkdir(parents=True)
        Image.new("RGBA", (30 + index, 20), (200, 40 * index, 0, 128)).save(tmp_path / "shots" / name / "a.png")
    prompts = learn(clip, None, labels="", folder=str(tmp_path / "shots"))[0]
    assert prompts.classes == ("owl", "red fox")
    both = learn(clip, IMAGES, labels="dog\nowl", folder=str(tmp_path / "shots"))[0]
    assert both.classes == ("dog", "owl", "red fox")


def test_a_changed_folder_counts_as_a_changed_input(tmp_path: Path) -> None:
    shots = tmp_path / "owl"
    shots.mkdir()
    Image.new("RGB", (8, 8)).save(shots / "a.png")
    before = LearnClassPrompts.IS_CHANGED(folder=str(tmp_path))
    assert LearnClassPrompts.IS_CHANGED(folder=str(tmp_path)) == before
    Image.new("RGB", (9, 9)).save(shots / "b.png")
    assert LearnClassPrompts.IS_CHANGED(folder=str(tmp_path)) != before
    assert LearnClassPrompts.IS_CHANGED(folder="") == ""


def test_what_is_saved_can_be_loaded(clip: HostedClip, models: Path) -> None:
    prompts, _, report = learn(clip, save_as="my dogs.safetensors")
    assert json.loads(report)["file"] == "my dogs.safetensors"
    loaded = LoadClassPrompts().load("my dogs.safetensors")[0]
    assert torch.equal(loaded.context, prompts.context)
    assert [path.name for path in models.iterdir()] == ["my dogs.safetensors"]


def test_the_bar_gets_every_epoch_and_a_picture_of_loss_and_accuracy(
    clip: HostedClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = reported(monkeypatch)
    learn(clip)
    assert [(done, total) for done, total, _ in steps[-3:]] == [(1, 3), (2, 3), (3, 3)]
    assert steps[-1][2]().size == (480, 240)


def reported(monkeypatch: pytest.MonkeyPatch, cancel_at: int | None = None) -> list:
    """Steps that the node reports; the host cancels at an epoch."""
    from contextlib import contextmanager

    steps: list = []

    @contextmanager
    def progress(total: int = 1):  # type: ignore[no-untyped-def]
        def report(done, total=None, draw=None):  # type: ignore[no-untyped-def]
            if draw is not None and done == cancel_at:
                raise Cancelled
            steps.append((done, total, draw))

        yield report

    monkeypatch.setattr(host, "progress", progress)
    monkeypatch.setattr(host, "is_interrupt", lambda error: isinstance(error, Cancelled))
    return steps


@pytest.mark.parametrize(("save_as", "file"), [("", "cancelled"), ("dogs", "dogs")])
def test_cancelling_stops_the_run_and_keeps_the_best_so_far(
    clip: HostedClip, models: Path, monkeypatch: pytest.MonkeyPatch, save_as: str, file: str
) -> None:
    reported(monkeypatch, cancel_at=2)
    with pytest.raises(Cancelled):
        learn(clip, epochs=9, save_as=save_as)
    kept = LoadClassPrompts().load(f"{file}.safetensors")[0]
    assert len(kept.history) == 2
    assert kept.context.isfinite().all()


@pytest.mark.parametrize("name", ["../up", "a/b", "a\\b", ".hidden", "c:evil", "..", "what?"])
def test_only_plain_file_names_are_written(clip: HostedClip, models: Path, name: str) -> None:
    with pytest.raises(InputError, match="give a plain file name"):
        learn(clip, save_as=name)
    assert not models.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": "dog"}, "1 for 2 images"),
        ({"labels": "dog\ndog"}, "at least two"),
        ({"image": None, "labels": ""}, "image and folder are both empty"),
        ({"image": None, "folder": "/no/such/folder"}, "does not exist"),
        ({"n_ctx": 40}, "lower n_ctx"),
        ({"class_position": "beside"}, "position is 'beside'"),
    ],
)
def test_bad_inputs_are_named(clip: HostedClip, change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        learn(clip, **change)


def test_an_unreadable_image_is_named(clip: HostedClip, tmp_path: Path) -> None:
    for name in ("owl", "bat"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"broken\.png.*can't be read as an image"):
        learn(clip, None, folder=str(tmp_path))


def test_bad_images_of_a_folder_are_left_out_and_listed(clip: HostedClip, tmp_path: Path) -> None:
    for name in ("owl", "bat", "empty", "cat", ".cache", "__MACOSX"):
        (tmp_path / name).mkdir()
    for name in ("owl/a.png", "bat/a.PNG"):
        Image.new("RGB", (30, 20)).save(tmp_path / name)
    (tmp_path / "cat" / "a.png").write_bytes(b"")
    (tmp_path / "owl" / "b.png").symlink_to(tmp_path / "gone")
    (tmp_path / "owl" / "c.png").mkdir()
    prompts, _, report = learn(clip, None, labels="", folder=f'"{tmp_path}" ')  # as Windows copies a path
    assert prompts.classes == ("bat", "owl")
    left_out = json.loads(report)["left_out"]
    assert left_out["count"] == 3
    assert [Path(item["name"]).name for item in left_out["items"]] == ["empty", "a.png", "b.png"]
    assert "holds no image" in left_out["items"][0]["reason"]
    assert LearnClassPrompts.IS_CHANGED(folder=str(tmp_path))  # whatever lies in the folder
