from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from clip_explainability.core.eclip.projection import load_projection
from clip_explainability.core.errors import InputError
from clip_explainability.core.loading import trained_file
from clip_explainability.nodes import host
from clip_explainability.nodes.clip_relevancy_map import CLIPRelevancyMap
from clip_explainability.nodes.compare_methods import CompareMethods
from clip_explainability.nodes.hosted_clip import HostedClip
from clip_explainability.nodes.prompt_ensemble_classifier import PromptEnsembleClassifier
from clip_explainability.nodes.train_eclip_projection import TrainECLIPProjection
from PIL import Image
from tiny_clips import tiny_clip

DEFAULTS = {
    "epochs": 2,
    "batch_size": 2,
    "learning_rate": 0.001,
    "attention_mass": 0.6,
    "seed": 0,
    "save_as": "",
    "captions": "a dog\na snail\na green car",
}
IMAGES = torch.rand(3, 50, 70, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def clip() -> HostedClip:
    return HostedClip(tiny_clip("vit-cls"))


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the host's model folder."""
    folder = tmp_path / "models"
    monkeypatch.setattr(host, "model_folder", lambda name="": str(folder))
    monkeypatch.setattr(host, "model_file_path", lambda name, _="": str(folder / name))
    monkeypatch.setattr(host, "model_files", lambda _="": [path.name for path in folder.glob("*")])
    return folder


def train(clip: HostedClip, image: torch.Tensor | None = IMAGES, **changes):
    with torch.inference_mode():
        return TrainECLIPProjection().train(clip=clip, image=image, **{**DEFAULTS, **changes})["result"]


def test_projection_chart_and_report_come_out(clip: HostedClip) -> None:
    projection, chart, report = train(clip)
    assert projection.weight.shape == (48, 96)
    assert chart.shape == (1, 240, 480, 3)
    data = json.loads(report)
    assert [row["epoch"] for row in data["history"]] == [1, 2]
    assert data["settings"]["pairs"] == 3
    assert data["file"] is None


def test_a_saved_projection_is_found_by_the_method(clip: HostedClip, models: Path) -> None:
    saved = train(clip, save_as="mine")[0]
    assert torch.equal(load_projection(models / "mine.safetensors", clip.clip).weight, saved.weight)
    compared = CompareMethods().compare(
        clip=clip, image=IMAGES[:1], text="a dog", methods="eclip", last_blocks=0, fit="stretch", colormap="turbo",
        opacity=0.5,
    )["result"]  # fmt: skip
    assert list(json.loads(compared[2])["seconds"]) == ["eclip"]


def test_a_new_colour_reads_no_projection_and_a_new_projection_is_seen(
    clip: HostedClip, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(clip, save_as="mine")
    node, reads = CLIPRelevancyMap(), []
    load = trained_file.load
    monkeypatch.setattr(trained_file, "load", lambda *given: reads.append(1) or load(*given))

    def heat(colormap: str) -> torch.Tensor:
        return node.explain(
            clip=clip, image=IMAGES[:1], text="a dog", method="eclip", last_blocks=0, score="cosine", fit="stretch",
            threshold=0.2, colormap=colormap, opacity=0.5, layout="grid",
        )["result"][1]  # fmt: skip

    first = heat("turbo")
    reads.clear()
    assert torch.equal(heat("gray"), first)
    assert reads == []
    train(clip, save_as="mine", learning_rate=0.1)
    assert not torch.equal(heat("gray"), first)


def test_the_classifier_finds_a_saved_projection(clip: HostedClip, models: Path) -> None:
    def maps() -> torch.Tensor:
        return PromptEnsembleClassifier().classify(
            clip=clip, image=IMAGES[:1], classes="dog\ncat", templates="custom", custom_templates="a {}",
            ensemble="mean of logits", temperature=1.0, top_k=2, threshold=0.5, fit="crop", maps="eclip",
        )["result"][4]  # fmt: skip

    with pytest.raises(InputError, match="Train ECLIP Projection"):
        maps()
    train(clip, save_as="mine")
    assert maps().max() == 1


def test_a_folder_with_captions_beside_the_images(clip: HostedClip, tmp_path: Path) -> None:
    for index, caption in enumerate(["a dog", "a cat"]):
        Image.new("RGB", (40 + index, 30), (index * 200, 0, 90)).save(tmp_path / f"{index}.png")
        (tmp_path / f"{index}.txt").write_text(caption)
    alone = train(clip, None, folder=str(tmp_path))
    assert json.loads(alone[2])["settings"]["pairs"] == 2
    both = train(clip, folder=str(tmp_path))
    assert json.loads(both[2])["settings"]["pairs"] == 5
    before = TrainECLIPProjection.IS_CHANGED(folder=str(tmp_path))
    (tmp_path / "1.txt").write_text("something else")
    assert TrainECLIPProjection.IS_CHANGED(folder=str(tmp_path)) != before


def test_cancel_writes_nothing(clip: HostedClip, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cancelled(Exception):
        """Stands in for the host's exception."""

    from contextlib import contextmanager

    @contextmanager
    def cancelled_at_the_second_epoch(total: int = 1):
        def report(done: int, total: int | None = None, draw=None) -> None:
            if draw is not None and done == 2:
                draw()
                raise Cancelled

        yield report

    monkeypatch.setattr(host, "progress", cancelled_at_the_second_epoch)
    with pytest.raises(Cancelled):
        train(clip, save_as="mine", epochs=5)
    assert list(models.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": None}, "both empty"),
        ({"captions": "only one"}, "1 lines for 3 images"),
        ({"save_as": "../evil"}, "plain file name"),
        ({"save_as": "CON.x"}, "plain file name"),  # a device on Windows
        ({"batch_size": 1}, "batch_size"),
    ],
)
def test_mistakes_are_named_before_the_work(clip: HostedClip, models: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(clip, **changes)


def test_bad_pairs_of_a_folder_are_left_out_and_listed(clip: HostedClip, tmp_path: Path) -> None:
    captions = {"a": "a dog".encode("utf-16"), "b": b"\xef\xbb\xbfa cat\r\n", "c": b"a caf\xe9", "d": b"", "e": b"owl"}
    for name, caption in captions.items():
        Image.new("RGB", (40, 30), (len(name) * 50, 0, 90)).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.{'TXT' if name == 'b' else 'txt'}").write_bytes(caption)
    (tmp_path / "e.png").write_bytes(b"no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "f.png")
    report = train(clip, None, folder=str(tmp_path))[2]
    data = json.loads(report)
    assert data["settings"]["pairs"] == 2
    assert data["left_out"]["count"] == 4
    said = {item["name"]: item["reason"] for item in data["left_out"]["items"]}
    assert "c.txt' is not UTF-8" in said["c.png"]
    assert "is empty" in said["d.png"]
    assert "can't be read as an image" in said["e.png"]
    assert "has no caption" in said["f.png"]
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"0 image-caption pairs are too few.*left out 6: .*c\.txt"):
        train(clip, None, folder=str(tmp_path))
