"""Rank every map method by how well it finds objects: ``python benchmarks/localisation.py [--quick]``.

Without further arguments: the demo CLIP on demo scenes whose art it never saw. ``--dataset voc --root FOLDER`` and so
on judge any CLIP on data you have. Each object of an image is one query, "a photo of a {label}". The threshold of the
mIoU is chosen for each method on other images: another vendor's art, or the first tenth of a folder.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from benchmark_pack import ROOT
from clip_explainability.core import left_out
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.datasets.annotated import AnnotatedImage
from clip_explainability.core.datasets.coco import read_coco
from clip_explainability.core.datasets.demo import read_demo
from clip_explainability.core.datasets.imagenet_s import read_imagenet_s
from clip_explainability.core.datasets.voc import read_voc
from clip_explainability.core.demo.clip import load_demo
from clip_explainability.core.eclip.projection import find_projection
from clip_explainability.core.edges import follow_edges
from clip_explainability.core.evaluation import metrics
from clip_explainability.core.evaluation.faithfulness import deletion_and_insertion
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.loading.checkpoints import load_checkpoint
from clip_explainability.core.methods import METHODS, MapOptions
from clip_explainability.core.towers.text import encode_tokens
from clip_explainability.core.towers.tokens import tokenize
from clip_explainability.core.views import choose_views, cut_view, half_patch_views, merge_maps
from localisation_report import write_report
from machine import describe_machine

PROMPT = "a photo of a {}"
FOLDERS = {"voc": read_voc, "coco": read_coco, "imagenet-s": read_imagenet_s}
TUNING_VENDOR = "noto"
METRICS = ("miou", "msc", "pointing", "auc", "in_box", "deletion", "insertion")
_FAITHFULNESS_STEPS = 4
_QUERIES_PER_FAITHFULNESS_PASS = 32


@dataclass(frozen=True)
class Variant:
    """A method as it is judged: its name in the table, the method and its options; `shifted` averages its maps over
    patch grids half a patch apart, `along_edges` lets them follow the picture's edges."""

    name: str
    method: str
    options: MapOptions
    shifted: bool = False
    along_edges: bool = False


@dataclass
class Tally:
    """Scores of every query so far, for one variant; ``scene`` says which queries share an image."""

    maps: list[torch.Tensor] = field(default_factory=list)
    values: dict[str, list[torch.Tensor]] = field(default_factory=lambda: {name: [] for name in METRICS})
    scene: list[int] = field(default_factory=list)


def variants(clip: ExplainableCLIP, names: list[str]) -> list[Variant]:
    """Every method that applies to the CLIP; relevancy also with the last block alone, the best made finer."""
    found = []
    for name in names:
        if not METHODS[name].applies_to(clip.vision):
            continue
        projection = find_projection(clip) if name == "eclip" else None
        if name == "eclip" and projection is None:
            print("eclip: no projection is trained for this CLIP, left out")
            continue
        found.append(Variant(name, name, MapOptions(projection=projection)))
        if name == "relevancy" and clip.vision.blocks > 1:
            found.append(Variant("relevancy, last block", name, MapOptions(blocks=1)))
        if name == "relevancy":
            found.append(Variant("relevancy, shifted grids", name, MapOptions(), shifted=True))
        if name in ("relevancy", "agreement"):
            found += [
                Variant(f"{name}, edges followed", name, MapOptions(), along_edges=True),
                Variant(f"{name}, shifted grids, edges followed", name, MapOptions(), shifted=True, along_edges=True),
            ]
    return found


@torch.no_grad()
def encode_labels(clip: ExplainableCLIP, labels: list[str]) -> torch.Tensor:
    """L2-normalised text features ``[K, D]`` of the queries."""
    tokens = tokenize(clip, [PROMPT.format(label) for label in labels])
    return F.normalize(encode_tokens(clip, tokens)[0].float(), dim=-1)


def patch_maps(clip: ExplainableCLIP, variant: Variant, pixels: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """Maps ``[K, rows, columns]`` of one image ``[1, 3, h, w]``."""
    with gradients():
        return METHODS[variant.method].patch_maps(clip, pixels, texts, variant.options).maps[:, 0].detach()


def maps_of(
    clip: ExplainableCLIP, variant: Variant, shown: AnnotatedImage, pixels: torch.Tensor, texts: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps of one image: on the patch grid ``[K, rows, columns]``, and ``[K, H, W]`` as the map node gives them."""
    size: tuple[int, int] = tuple(shown.image.shape[1:])  # type: ignore[assignment]
    views, maps = choose_views(size, clip.image_size, "stretch"), [patch_maps(clip, variant, pixels, texts)]
    image = shown.image.unsqueeze(0).to(clip.device)
    if variant.shifted:
        parts = half_patch_views(views[0], clip.vision.grid)
        maps += [patch_maps(clip, variant, cut_view(image, part, clip.image_size), texts) for part in parts]
        views += parts
    full = merge_maps([each.unsqueeze(1) for each in maps], views, size)
    if variant.along_edges:
        full = follow_edges(full, image)
    finer = variant.shifted or variant.along_edges
    return (F.adaptive_avg_pool2d(full[:, 0], clip.vision.grid) if finer else maps[0]), full[:, 0]


def choose_thresholds(
    clip: ExplainableCLIP, images: Iterable[AnnotatedImage], chosen: list[Variant]
) -> dict[str, float]:
    """For each variant the threshold with the highest mIoU on images that the table does not report."""
    maps: dict[str, list[torch.Tensor]] = {variant.name: [] for variant in chosen}
    masks = []
    for pixels, texts, shown in queries(clip, images):
        masks.append(_at_half_size(torch.stack([found.mask for found in shown.objects]).float()))
        for variant in chosen:
            maps[variant.name].append(_at_half_size(maps_of(clip, variant, shown, pixels, texts)[1]))
    return {name: metrics.best_threshold(list(zip(found, masks, strict=True))) for name, found in maps.items()}


def _at_half_size(maps: torch.Tensor) -> torch.Tensor:
    return maps[:, ::2, ::2]


def queries(
    clip: ExplainableCLIP, images: Iterable[AnnotatedImage]
) -> Iterator[tuple[torch.Tensor, torch.Tensor, AnnotatedImage]]:
    """For each image that shows anything: its pixels ``[1, 3, h, w]`` for the tower, its queries, itself."""
    for shown in images:
        if not shown.objects:
            continue
        view = choose_views(tuple(shown.image.shape[1:]), clip.image_size, "stretch")[0]  # type: ignore[arg-type]
        pixels = cut_view(shown.image.unsqueeze(0).to(clip.device), view, clip.image_size)
        yield pixels, encode_labels(clip, [found.label for found in shown.objects]), shown


def evaluate(
    clip: ExplainableCLIP,
    images: Iterable[AnnotatedImage],
    chosen: list[Variant],
    thresholds: dict[str, float],
    wanted: int,
    faithful: int,
) -> dict[str, Tally]:
    """Score ``wanted`` queries (or as many as there are) with every variant, the first ``faithful`` by deletion and
    insertion too."""
    tallies = {variant.name: Tally() for variant in chosen}
    waiting: list[tuple[torch.Tensor, torch.Tensor]] = []
    done, perturbed, start = 0, 0, time.perf_counter()
    for scene, (pixels, texts, shown) in enumerate(queries(clip, images)):
        masks = torch.stack([found.mask for found in shown.objects])
        for variant in chosen:
            tally = tallies[variant.name]
            maps, full = maps_of(clip, variant, shown, pixels, texts)
            scores = metrics.score_maps(full, masks.float(), thresholds[variant.name], shown.valid)
            for name, values in zip(("miou", "msc", "pointing", "auc", "in_box"), fields(scores), strict=True):
                tally.values[name].append(getattr(scores, values.name))
            tally.scene += [scene] * len(masks)
            if perturbed < faithful:
                tally.maps.append(maps.cpu())
        if perturbed < faithful:
            waiting += [(pixels[0], text) for text in texts]
            perturbed += len(masks)
        done += len(masks)
        if len(waiting) >= _QUERIES_PER_FAITHFULNESS_PASS or (waiting and perturbed >= faithful):
            _add_faithfulness(clip, tallies, waiting)
            waiting = []
        if scene % 50 == 49:
            print(f"  {done} of {wanted} queries, {time.perf_counter() - start:.0f} s", flush=True)
        if done >= wanted:
            break
    if waiting:
        _add_faithfulness(clip, tallies, waiting)
    for tally in tallies.values():
        # Between processes every tensor takes a file descriptor, of which there are 1024.
        tally.values = {name: [torch.cat(values)] if values else [] for name, values in tally.values.items()}
    return tallies


def _add_faithfulness(
    clip: ExplainableCLIP, tallies: dict[str, Tally], waiting: list[tuple[torch.Tensor, torch.Tensor]]
) -> None:
    pixels, texts = (torch.stack(part) for part in zip(*waiting, strict=True))
    maps = torch.stack([torch.cat(tally.maps) for tally in tallies.values()])
    found = deletion_and_insertion(clip, pixels, maps, texts, _FAITHFULNESS_STEPS)
    for tally, deletion, insertion in zip(tallies.values(), *found, strict=True):
        tally.values["deletion"].append(deletion)
        tally.values["insertion"].append(insertion)
        tally.maps.clear()


def milliseconds(clip: ExplainableCLIP, variant: Variant, repeats: int) -> float:
    """Median time of one image and one prompt, text encoded beforehand."""
    pixels = torch.rand(1, 3, *clip.image_size, device=clip.device)
    texts = encode_labels(clip, ["thing"])
    shown = AnnotatedImage("noise", pixels[0].cpu(), (), torch.ones(clip.image_size, dtype=torch.bool))
    maps_of(clip, variant, shown, pixels, texts)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        maps_of(clip, variant, shown, pixels, texts)
        if clip.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 1000 * sorted(times)[len(times) // 2]


def evaluate_in_processes(options: argparse.Namespace, thresholds: dict[str, float]) -> dict[str, Tally]:
    """:func:`evaluate` on every n-th image in each of n processes, which are given a thread each."""
    count = options.processes
    if count == 1:
        return _evaluate_part(options, thresholds, 0)
    with ProcessPoolExecutor(count, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        parts = list(pool.map(_evaluate_part, [options] * count, [thresholds] * count, range(count)))
    merged = parts[0]
    for number, part in enumerate(parts[1:], 1):
        for name, tally in part.items():
            for metric, values in tally.values.items():
                merged[name].values[metric] += values
            merged[name].scene += [-number - count * scene for scene in tally.scene]  # no scene is in two parts
    return merged


def _evaluate_part(options: argparse.Namespace, thresholds: dict[str, float], part: int) -> dict[str, Tally]:
    clip, count = load_clip(options.clip), options.processes
    images = itertools.islice(_images(options)[1], part, None, count)
    wanted, faithful = -(-options.queries // count), -(-options.faithful // count)
    return evaluate(clip, images, variants(clip, options.methods), thresholds, wanted, faithful)


def summarise(tally: Tally, threshold: float, milliseconds: float) -> dict[str, Any]:
    """Of each metric the mean and its 95 % interval over scenes."""
    scenes = torch.tensor(tally.scene)
    row: dict[str, Any] = {"threshold": threshold, "ms": milliseconds, "queries": len(scenes)}
    for name in METRICS:
        values = torch.cat(tally.values[name])
        groups = scenes if len(values) == len(scenes) else None  # deletion and insertion saw a part of the queries
        mean, low, high = metrics.mean_with_interval(values, groups)
        row[name], row[f"{name}_interval"] = mean, [low, high]
    row["faithfulness_queries"] = len(torch.cat(tally.values["deletion"]))
    return row


def load_clip(source: str) -> ExplainableCLIP:
    """The demo CLIP, or any checkpoint file that Load Explainable CLIP takes."""
    return load_demo() if source == "demo" else load_checkpoint(source)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run the benchmark, write its table and return it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="300 queries: a few minutes")
    parser.add_argument("--queries", type=int, help="objects to ask for (default 2000)")
    parser.add_argument("--faithful", type=int, help="how many of them to judge by deletion and insertion (a quarter)")
    parser.add_argument("--processes", type=int, default=1, help="share the work among so many, one thread each")
    parser.add_argument("--retime", action="store_true", help="keep the scores in --out, time the methods again")
    parser.add_argument("--dataset", choices=["demo", *FOLDERS], default="demo")
    parser.add_argument("--root", type=Path, help="the data set's folder")
    parser.add_argument("--vendor", default=None, help="art of the demo scenes (default: the unseen vendor)")
    parser.add_argument("--clip", default="demo", help="demo, or a checkpoint file")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args(arguments)
    options.queries = options.queries or (300 if options.quick else 2000)
    options.faithful = options.queries // 4 if options.faithful is None else options.faithful

    clip = load_clip(options.clip)
    chosen = variants(clip, options.methods)
    print(f"{clip.name}: {len(chosen)} methods, {options.queries} queries")
    repeats = 5 if options.quick else 20
    if options.retime:
        result = json.loads((options.out / "localisation.json").read_text("utf-8"))
        for variant in chosen:
            result["methods"][variant.name]["ms"] = milliseconds(clip, variant, repeats)
        return _report(result, clip, chosen, options)
    start = time.perf_counter()
    thresholds = choose_thresholds(clip, _images(options)[0], chosen)
    print(f"  thresholds chosen, {time.perf_counter() - start:.0f} s", flush=True)
    tallies = evaluate_in_processes(options, thresholds)
    rows = {
        variant.name: summarise(tallies[variant.name], thresholds[variant.name], milliseconds(clip, variant, repeats))
        for variant in chosen
    }
    result = {
        "clip": clip.name,
        "fingerprint": clip.fingerprint,
        "dataset": options.dataset,
        "queries": max(row["queries"] for row in rows.values()),
        "faithfulness_queries": max(row["faithfulness_queries"] for row in rows.values()),
        "machine": describe_machine(),
        "seconds": round(time.perf_counter() - start),
        "methods": rows,
    }
    if options.dataset != "demo":
        result["left_out"] = options.left_out
    return _report(result, clip, chosen, options)


def _report(
    result: dict[str, Any], clip: ExplainableCLIP, chosen: list[Variant], options: argparse.Namespace
) -> dict[str, Any]:
    write_report(result, options.out, _example(clip, chosen, options) if options.dataset == "demo" else None)
    print((options.out / "localisation.md").read_text("utf-8"))
    return result


def _images(options: argparse.Namespace) -> tuple[Iterable[AnnotatedImage], Iterable[AnnotatedImage]]:
    """Images to choose thresholds on, and images to report."""
    if options.dataset == "demo":
        vendor = {} if options.vendor is None else {"vendor": options.vendor}
        tuned = read_demo(max(10, options.queries // 20), vendor=TUNING_VENDOR, seed=1)
        return tuned, read_demo(options.queries, **vendor)
    if options.root is None:
        raise SystemExit(f"--dataset {options.dataset} needs --root: the folder that holds it")
    read = FOLDERS[options.dataset]
    all_images = read(options.root)
    tuned_count = max(1, min(100, sum(1 for _ in all_images) // 10))
    options.left_out = left_out.report(all_images.left_out)
    return itertools.islice(read(options.root), tuned_count), itertools.islice(read(options.root), tuned_count, None)


def _example(
    clip: ExplainableCLIP, chosen: list[Variant], options: argparse.Namespace
) -> tuple[AnnotatedImage, dict[str, torch.Tensor]]:
    """One scene and every variant's maps of it ``[K, H, W]``."""
    shown = next(iter(read_demo(1, seed=7)))
    pixels, texts, shown = next(queries(clip, [shown]))
    return shown, {each.name: maps_of(clip, each, shown, pixels, texts)[1] for each in chosen}


if __name__ == "__main__":
    main()
