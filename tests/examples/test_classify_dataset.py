"""The Ray Data example: the same labels as the node, resumes after a kill. Skipped where ray is not installed."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import ModuleType

import pytest
import torch
from clip_explainability.core.classification.image_folder import read_image
from clip_explainability.core.demo.scenes import draw_scene
from clip_explainability.core.loading import sources
from clip_explainability.nodes.hosted_clip import HostedClip
from clip_explainability.nodes.prompt_ensemble_classifier import PromptEnsembleClassifier
from PIL import Image

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "classify_dataset.py"
CLASSES = "cat\nfish\nhouse = home\nguitar\n"
with_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the optional extra ray[data]")


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("classify_dataset", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with nine pictures and a file that only looks like one."""
    folder = tmp_path / "images"
    for index, name in enumerate(["cat", "fish", "house"] * 3):
        scene = draw_scene(index, (96 + 8 * index, 128), classes=[name])
        path = folder / name / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((scene.image * 255).astype("uint8")).save(path)
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def arguments(images: Path, output: Path, *more: str) -> list[str]:
    classes = images.parent / "classes.txt"
    classes.write_text(CLASSES)
    return [str(images), str(output), "--classes", str(classes), "--templates", "photo", "--part-size", "3", *more]


def run(*given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLE), *given], capture_output=True, text=True, timeout=300, env=environment()
    )


def environment() -> dict[str, str]:
    """Ray on this machine alone: no cluster of the user's, nothing sent anywhere."""
    kept = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return {**kept, "RAY_USAGE_STATS_ENABLED": "0"}


def results(output: Path) -> dict[str, dict]:
    import pyarrow.parquet as parquet

    rows = [row for path in sorted(output.glob("*.parquet")) for row in parquet.read_table(path).to_pylist()]
    assert len({row["image"] for row in rows}) == len(rows)
    return {row["image"]: row for row in rows}


def node_labels(images: Path) -> dict[str, str]:
    clip = HostedClip(sources.load_source(sources.DEMO, lambda _: None, None, False, torch.float32, "auto"))
    node, found = PromptEnsembleClassifier(), {}
    for path in images.rglob("[0-9].png"):
        picture = read_image(path).movedim(1, -1)
        labels = node.classify(clip, picture, CLASSES, "photo", "", "mean of embeddings", 1.0, 5, 0.0, "crop", "off")[
            "result"
        ][0]
        found[str(path.relative_to(images))] = labels[0]
    return found


def test_the_plan_is_the_same_every_time_and_covers_every_image(example: ModuleType, images: Path) -> None:
    settings = example.Settings(str(images), CLASSES, None, "photo", "mean of embeddings", 1.0, 5, "crop", None, 3)
    parts = example.plan(settings)
    assert parts == example.plan(settings)
    assert [len(part.files) for part in parts] == [3, 3, 3, 1]
    assert len({name for part in parts for name in part.files}) == 10


def test_parts_that_are_done_are_left_out_and_other_settings_refused(
    example: ModuleType, images: Path, tmp_path: Path
) -> None:
    settings = example.Settings(str(images), CLASSES, None, "photo", "mean of embeddings", 1.0, 5, "crop", None, 3)
    parts, output = example.plan(settings), tmp_path / "output"
    assert example.remaining(parts, output, settings) == parts
    (output / parts[1].output).write_bytes(b"")
    assert example.remaining(parts, output, settings) == [parts[0], *parts[2:]]
    other = example.Settings(str(images), "dog", None, "photo", "mean of embeddings", 1.0, 5, "crop", None, 3)
    with pytest.raises(SystemExit, match="other settings"):
        example.remaining(parts, output, other)


def test_a_file_appears_whole_or_not_at_all(example: ModuleType, tmp_path: Path) -> None:
    def die_halfway() -> None:
        with example.write_whole(tmp_path / "a") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die_halfway()
    assert list(tmp_path.iterdir()) == []
    with example.write_whole(tmp_path / "a") as file:
        file.write(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_zpe_is_refused_with_the_reason(example: ModuleType, images: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="whole data set at once"):
        example.main(arguments(images, tmp_path / "output", "--ensemble", "zpe weights"))


@with_ray
def test_two_workers_give_the_nodes_labels_and_note_what_they_cannot_read(images: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    done = run(*arguments(images, output, "--workers", "2", "--threads", "1"))
    assert done.returncode == 0, done.stderr
    found = results(output)
    assert "can't be read as an image" in found.pop("broken.png")["error"]
    assert {name: row["label"] for name, row in found.items()} == node_labels(images)
    assert all(row["top_labels"][0] == row["label"] and row["error"] is None for row in found.values())


@with_ray
def test_killed_and_started_again_it_goes_on_where_it_was(images: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    command = [sys.executable, str(EXAMPLE), *arguments(images, output, "--workers", "1", "--threads", "1")]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=environment()
    )
    deadline = time.monotonic() + 200
    while not list(output.glob("*.parquet")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1)
    before = {path: path.stat().st_mtime_ns for path in output.glob("*.parquet")}
    assert before
    done = run(*arguments(images, output, "--workers", "1", "--threads", "1"))
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of 4 parts are done" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(results(output)) == 10
    assert json.loads((output / "settings.json").read_text())["templates"] == "photo"


@with_ray
def test_webdataset_shards_are_read(images: Path, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    for number, name in enumerate(("cat", "fish")):
        with tarfile.open(shards / f"{number:05}.tar", "w") as shard:
            for path in sorted((images / name).iterdir()):
                shard.add(path, arcname=path.name)
                label = io.BytesIO(name.encode())
                entry = tarfile.TarInfo(f"{path.stem}.txt")
                entry.size = len(label.getvalue())
                shard.addfile(entry, label)
    output = tmp_path / "output"
    done = run(*arguments(shards, output, "--workers", "2", "--threads", "1"))
    assert done.returncode == 0, done.stderr
    expected = node_labels(images)
    found = {name.split("/")[1]: row["label"] for name, row in results(output).items()}
    assert found == {Path(name).name: label for name, label in expected.items() if not name.startswith("house")}
