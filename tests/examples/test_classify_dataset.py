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


def damage(shards: Path) -> None:
    """Three shards with a picture each, of which the middle one is cut within its picture."""
    shards.mkdir()
    for number in range(3):
        file = io.BytesIO()
        scene = draw_scene(number, (96, 96), classes=["cat"])
        Image.fromarray((scene.image * 255).astype("uint8")).save(file, "PNG")
        with tarfile.open(shards / f"{number}.tar", "w") as shard:
            entry = tarfile.TarInfo("cat.png")
            entry.size = len(file.getvalue())
            shard.addfile(entry, io.BytesIO(file.getvalue()))
    whole = (shards / "1.tar").read_bytes()
    (shards / "1.tar").write_bytes(whole[:1500])


def test_a_part_with_bad_pictures_or_a_damaged_shard_is_done_all_the_same(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Ray's workers do it, without Ray."""
    shards, written = tmp_path / "shards", []
    damage(shards)
    (shards / os.fsdecode(b"caf\xe9.png")).write_bytes(b"no image")
    settings = example.Settings(str(shards), CLASSES, None, "photo", "mean of embeddings", 1.0, 5, "crop", None, 3)
    worker = example.PartClassifier(settings, str(tmp_path), 4, 0)
    monkeypatch.setattr(worker, "_write", lambda part, rows: written.extend(rows))
    for part in example.plan(settings):
        worker({"number": part.number, "files": [os.fsencode(name) for name in part.files]})
    assert [(row["image"], row.get("label")) for row in written] == [
        ("0.tar/cat.png", "cat"), ("1.tar", None), ("2.tar/cat.png", "cat"), ("caf\ufffd.png", None),
    ]  # fmt: skip
    errors = [row["error"] for row in written if row["error"]]
    assert "'1.tar' is damaged after 0 images" in errors[0]
    assert "can't be read as an image" in errors[1]
    assert "0x" not in "".join(errors)


def test_other_files_are_another_data_set(example: ModuleType, images: Path, tmp_path: Path) -> None:
    settings = example.Settings(str(images), CLASSES, None, "photo", "mean of embeddings", 1.0, 5, "crop", None, 3)
    example.remaining(example.plan(settings), tmp_path / "output", settings)
    (images / "cat" / "more.png").write_bytes(b"")
    with pytest.raises(SystemExit, match="made from other files"):
        example.remaining(example.plan(settings), tmp_path / "output", settings)


@pytest.mark.parametrize(
    ("content", "message"),
    [("caf\xe9".encode("latin-1"), "not UTF-8"), (b"", "classes is empty"), (None, "can't be read")],
)
def test_a_class_list_that_can_t_be_used_is_said_before_the_work(
    example: ModuleType, images: Path, tmp_path: Path, content: bytes | None, message: str
) -> None:
    given = arguments(images, tmp_path / "output")
    classes = images.parent / "classes.txt"
    classes.unlink() if content is None else classes.write_bytes(content)
    with pytest.raises(SystemExit, match=message):
        example.main(given)


@with_ray
def test_a_damaged_shard_is_reported_and_not_tried_again(tmp_path: Path) -> None:
    shards, output = tmp_path / "shards", tmp_path / "output"
    damage(shards)
    given = arguments(shards, output, "--workers", "1", "--threads", "1")
    done = run(*given)
    assert done.returncode == 0, done.stderr
    assert "left out: '1.tar' is damaged after 0 images" in done.stdout
    assert {name: row["label"] for name, row in results(output).items()} == {
        "0.tar/cat.png": "cat", "1.tar": None, "2.tar/cat.png": "cat",
    }  # fmt: skip
    assert "3 of 3 parts are done" in run(*given).stdout


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
