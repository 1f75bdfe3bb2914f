"""Classify a data set that outgrows the graph, on one machine or many, with Ray Data.

    pip install "ray[data]"
    python examples/classify_dataset.py IMAGES OUTPUT --classes classes.txt --workers 2

IMAGES is a folder of images (any depth), of WebDataset shards (``*.tar``, ``*.tar.gz``), or both. OUTPUT gets one
Parquet file for each part of the work: ``image``, ``label``, ``probability``, ``margin``, ``agreement``,
``top_labels``, ``top_probabilities`` and ``error`` (an image that can't be read is noted there and stops nothing; nor
does a damaged shard, noted under its own name after the images that it still gave). Killed and started again with the
same arguments, it goes on after the parts that are done. The labels are those of the Prompt Ensemble Classifier node:
both call the same library. Workers on other machines need this checkout and IMAGES at the same path.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SETTINGS_FILE = "settings.json"
_MOST_SHOWN = 3  # errors of a part; the Parquet file holds them all


def load_pack() -> Any:
    """This checkout's library, as ``clip_explainability.core``; called in every worker."""
    sys.path.insert(0, str(ROOT / "scripts"))
    import pack

    pack.load()
    return importlib.import_module(f"{pack.NAME}.core")


@dataclass(frozen=True)
class Settings:
    """What decides the results; kept in OUTPUT, so that no run goes on with other settings."""

    images: str
    classes: str
    clip: str | None
    templates: str
    ensemble: str
    temperature: float
    top_k: int
    fit: str
    prompts: str | None
    part_size: int


@dataclass(frozen=True)
class Part:
    """A piece of work: a shard, or some files of the folder."""

    number: int
    files: tuple[str, ...]

    @property
    def output(self) -> str:
        return f"part-{self.number:06}.parquet"


def plan(settings: Settings) -> list[Part]:
    """Cut the data set into parts; the same data set always gives the same ones."""
    core = load_pack()
    left_out: list[Any] = []
    try:
        pieces = core.shards.cut_into_pieces(Path(settings.images), settings.part_size, left_out)
    except core.errors.InputError as error:
        raise SystemExit(str(error)) from error
    core.left_out.warn(settings.images, left_out)
    return [Part(number, files) for number, files in enumerate(pieces)]


class PartClassifier:
    """A worker: loads the CLIP and encodes the class texts once, then turns parts into Parquet files."""

    def __init__(self, settings: Settings, output: str, batch_size: int, threads: int) -> None:
        import torch

        if threads:
            torch.set_num_threads(threads)
        self.core, self.settings, self.output, self.batch_size = load_pack(), settings, Path(output), batch_size
        parts, sources = self.core.classification, self.core.loading.sources
        name = Path(settings.clip).name if settings.clip else sources.DEMO
        self.clip = sources.load_source(name, lambda _: settings.clip, None, False, torch.float32, "auto")
        learned = parts.class_prompts.load_class_prompts(settings.prompts, self.clip) if settings.prompts else None
        classes = parts.classes.parse_classes(settings.classes)
        templates = parts.templates.preset_templates(settings.templates)
        self.prompting = parts.classify.Prompting(classes, templates, learned)
        self.cache = parts.cache.FeatureCache()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Classify one part; writes its file whole or not at all."""
        start = time.perf_counter()
        part = Part(row["number"], tuple(map(os.fsdecode, row["files"])))
        read_view = self.core.classification.image_folder.read_view
        rows: list[dict[str, Any]] = []
        names: list[str] = []
        views: list[Any] = []
        for name, file in self.core.shards.pictures_of(Path(self.settings.images), part.files):
            shown = self.core.left_out.plain_name(name)
            try:
                if isinstance(file, self.core.errors.InputError):
                    raise file
                views.append(read_view(self.clip, file, self.settings.fit, name=shown))
                names.append(shown)
            except self.core.errors.InputError as error:
                rows.append({"image": shown, "error": self.core.left_out.plain_name(str(error))})
            if len(views) == self.batch_size:
                rows += self._classify(names, views)
                names, views = [], []
        if views:
            rows += self._classify(names, views)
        self._write(part, sorted(rows, key=lambda row: row["image"]))
        failed = [row["error"] for row in rows if row["error"]]
        seconds = time.perf_counter() - start
        return {"part": part.number, "images": len(rows) - len(failed), "failed": failed, "seconds": seconds}

    def _classify(self, names: list[str], views: list[Any]) -> list[dict[str, Any]]:
        import torch

        parts, settings = self.core.classification, self.settings
        found = parts.classify.classify(
            self.clip, torch.cat(views), self.prompting, settings.ensemble, settings.temperature, cache=self.cache
        )
        report = parts.results.scores_report(found, settings.top_k)
        return [
            {
                "image": name,
                **{key: image[key] for key in ("label", "probability", "margin", "agreement")},
                "top_labels": [entry["label"] for entry in image["top"]],
                "top_probabilities": [entry["probability"] for entry in image["top"]],
                "error": None,
            }
            for name, image in zip(names, report["images"], strict=True)
        ]

    def _write(self, part: Part, rows: list[dict[str, Any]]) -> None:
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        text, number = arrow.string(), arrow.float64()
        schema = arrow.schema(
            [
                ("image", text),
                ("label", text),
                *((name, number) for name in ("probability", "margin", "agreement")),
                ("top_labels", arrow.list_(text)),
                ("top_probabilities", arrow.list_(number)),
                ("error", text),
            ]
        )
        with write_whole(self.output / part.output) as file:
            parquet.write_table(arrow.Table.from_pylist(rows, schema=schema), file)


class write_whole:
    """``with write_whole(path) as file``: the file appears at its place once it is complete, or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Any:
        handle, self.temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".")
        self.file = os.fdopen(handle, "wb")
        return self.file

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.file.close()
        if kind is None:
            os.replace(self.temporary, self.path)
        else:
            os.unlink(self.temporary)


def remaining(parts: list[Part], output: Path, settings: Settings) -> list[Part]:
    """The parts that OUTPUT lacks; refuses to go on where it was made with other settings."""
    output.mkdir(parents=True, exist_ok=True)
    kept = output / SETTINGS_FILE
    files = hashlib.sha256(repr(parts).encode()).hexdigest()
    wanted = json.dumps({**asdict(settings), "files": files}, indent=1, ensure_ascii=True)
    if kept.exists() and kept.read_text("utf-8") != wanted:
        changed = f'"files": "{files}"' not in kept.read_text("utf-8")
        raise SystemExit(
            f"{output} was made {'from other files' if changed else 'with other settings'} (see {kept}): use another "
            "folder, or remove it"
        )
    with write_whole(kept) as file:
        file.write(wanted.encode())
    return [part for part in parts if not (output / part.output).exists()]


def classify_dataset(settings: Settings, output: Path, workers: int, batch_size: int, threads: int) -> int:
    """Classify what is left to do; returns the number of images done in this run, without those that can't be read."""
    import ray

    parts = plan(settings)
    left = remaining(parts, output, settings)
    print(f"{len(parts) - len(left)} of {len(parts)} parts are done", flush=True)
    if not left:
        return 0
    start_ray(workers)
    rows = [{"number": part.number, "files": list(map(os.fsencode, part.files))} for part in left]  # any file name
    data = ray.data.from_items(rows, override_num_blocks=len(rows))  # a block a part, so that workers share them
    done = data.map(
        PartClassifier,
        fn_constructor_args=(settings, str(output), batch_size, threads),
        concurrency=min(workers, len(rows)),
    )
    images = failed = 0
    for row in done.iter_rows():
        images += row["images"]
        failed += len(row["failed"])
        print(f"part {row['part']}: {row['images']} images, {row['images'] / row['seconds']:.1f} a second", flush=True)
        for error in row["failed"][:_MOST_SHOWN]:
            print(f"  left out: {error}", flush=True)
    if failed:
        print(f"{failed} images or shards could not be read: see 'error' in {output}", flush=True)
    return images


def start_ray(workers: int) -> None:
    """Join the cluster that RAY_ADDRESS names, or start Ray on this machine, without its dashboard."""
    import ray

    if os.environ.get("RAY_ADDRESS"):
        ray.init(ignore_reinit_error=True)
    else:
        ray.init(num_cpus=max(workers, os.cpu_count() or 1), include_dashboard=False, ignore_reinit_error=True)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", help="a folder of images, or of WebDataset shards (*.tar)")
    parser.add_argument("output", type=Path, help="folder for the Parquet files")
    parser.add_argument("--classes", type=Path, required=True, help="a text file, one class a line")
    parser.add_argument("--clip", help="a checkpoint file; default: the embedded demo CLIP")
    parser.add_argument("--prompts", help="class prompts saved by Learn Class Prompts, instead of templates")
    parser.add_argument("--templates", default="imagenet 80", help="preset of the classifier node")
    parser.add_argument("--ensemble", default="mean of embeddings", help="as in the node, except 'zpe weights'")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-k", type=int, default=5)
    parser.add_argument("--fit", choices=("crop", "stretch"), default="crop")
    parser.add_argument("--part-size", type=int, default=1000, help="images a part (a shard is always one part)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=0, help="torch threads a worker; 0: torch's own choice")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run from the command line."""
    given = parse_arguments(arguments)
    if given.ensemble == "zpe weights":
        raise SystemExit("'zpe weights' weighs templates by the whole data set at once: choose another ensemble")
    core = load_pack()
    try:
        classes = core.text_files.read_text(given.classes)
        core.classification.classes.parse_classes(classes)
        core.classification.templates.preset_templates(given.templates)
    except core.errors.InputError as error:
        raise SystemExit(str(error)) from error
    settings = Settings(
        images=str(Path(given.images).resolve()),
        classes=classes,
        clip=str(Path(given.clip).resolve()) if given.clip else None,
        templates=given.templates,
        ensemble=given.ensemble,
        temperature=given.temperature,
        top_k=given.top_k,
        fit=given.fit,
        prompts=str(Path(given.prompts).resolve()) if given.prompts else None,
        part_size=given.part_size,
    )
    start = time.perf_counter()
    images = classify_dataset(settings, given.output, given.workers, given.batch_size, given.threads)
    print(f"{images} images in {time.perf_counter() - start:.1f} s; results in {given.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
