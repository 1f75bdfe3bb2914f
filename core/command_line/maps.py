"""``clip-explain map``, ``compare`` and ``methods``."""

from __future__ import annotations

import argparse
from typing import Any

import torch

from ..drawing.colormap import colorize, overlay
from ..evaluation.method_comparison import compare, comparison_grid, parse_methods
from ..explain import Explanation, check_images, check_prompts, explain
from ..maps import normalize_map, threshold_map
from ..methods import METHODS, MapOptions, find_method
from ..report import build_report, to_json
from ..words.neglected import NEGLECTED_BELOW
from .pictures import Batch, FileNames, safe, write_picture
from .session import Session, begin


def run_map(given: argparse.Namespace) -> int:
    """Overlay, heat, mask and words of every picture and prompt."""
    prompts = check_prompts(given.text)
    find_method(given.method)
    _check_colormap(given.colormap)
    session = begin(given)
    options = MapOptions(blocks=given.last_blocks or None)
    names = FileNames(given.out)
    for batch in session.batches():
        found = explain(
            session.clip,
            batch.images,
            prompts,
            given.method,
            options,
            given.fit,
            given.shifted_grids,
            given.follow_edges,
        )
        _write_maps(session, given, names, batch, found)
    return session.finish(method=given.method)


def _write_maps(
    session: Session, given: argparse.Namespace, names: FileNames, batch: Batch, found: Explanation
) -> None:
    heat = normalize_map(found.maps)
    mask = threshold_map(heat, given.threshold)
    pictures = overlay(check_images(batch.images).movedim(1, -1), heat, given.colormap, given.opacity)
    report = build_report(found, heat, mask, session.clip.name, given.method, NEGLECTED_BELOW)
    for b, name in enumerate(batch.names):
        stem = names.stem(name)
        entries = []
        for k, prompt in enumerate(report["prompts"]):
            files = {}
            for kind, picture in (("overlay", pictures[k, b]), ("heat", heat[k, b]), ("mask", mask[k, b])):
                path = names.folder / f"{stem}.{k + 1}-{safe(prompt['prompt'])}.{kind}.png"
                write_picture(path, picture)
                files[kind] = str(path)
            entries.append({"prompt": prompt["prompt"], **prompt["images"][b], "files": files})
        lines = [_line(name, entry) for entry in entries]
        session.add({"image": name, "prompts": entries, "warnings": report["warnings"]}, "\n".join(lines))


def _check_colormap(name: str) -> None:
    colorize(torch.zeros(1, 1), name)


def _line(name: str, entry: dict[str, Any]) -> str:
    hottest = "no heat" if entry["hottest"] is None else "hottest at {}, {}".format(*entry["hottest"])
    return (
        f"{name}: {entry['prompt']!r}: similarity {entry['score']:.3f}, {hottest}, mask {entry['coverage']:.1%}"
        f"\n  {entry['files']['overlay']}"
    )


def run_compare(given: argparse.Namespace) -> int:
    """One picture for each picture: a row a method, a column a prompt."""
    prompts, methods = check_prompts(given.text), parse_methods(given.methods)
    _check_colormap(given.colormap)
    session = begin(given)
    options = MapOptions(blocks=given.last_blocks or None)
    names = FileNames(given.out)
    for batch in session.batches():
        found = compare(
            session.clip, batch.images, prompts, methods, options, given.fit, given.shifted_grids, given.follow_edges
        )
        for b, name in enumerate(batch.names):
            image = check_images(batch.images[b : b + 1])[0].movedim(0, -1)
            picture = comparison_grid(image, found.heat[:, :, b], found, prompts, given.colormap, given.opacity)
            path = names.folder / f"{names.stem(name)}.compare.png"
            write_picture(path, picture)
            scores = [round(float(score), 5) for score in found.scores[:, b]]
            entry = {"image": name, "file": str(path), "prompts": prompts, "scores": scores}
            session.add(entry, f"{name}: {', '.join(found.methods)}\n  {path}")
    return session.finish(methods=list(found.methods), left_out_methods=found.left_out)


def run_methods(given: argparse.Namespace) -> int:
    """The map methods."""
    rows = [
        {"name": name, "needs": method.needs, "cost": method.cost, "source": method.source}
        for name, method in METHODS.items()
    ]
    if given.json:
        print(to_json(rows))
        return 0
    width = max(map(len, METHODS))
    for row in rows:
        print(f"{row['name']:<{width}}  {row['source']}\n{'':<{width}}  {row['cost']}")
    return 0
