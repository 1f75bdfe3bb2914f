"""Measure the demo CLIP on scenes of one vendor's art, with bootstrap intervals.

    python training/evaluate_demo_clip.py --vendor emojione     # the validation vendor, as often as one likes
    python training/evaluate_demo_clip.py                       # the test vendor: once

Writes training/results/<vendor>.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from library import art, captions, clip, core, scenes

HERE = Path(__file__).resolve().parent
PIXELS = 192
"""Scenes are drawn at twice the size the CLIP sees, and scaled down by the pack as a user's picture would be."""

TEMPLATES = (*captions.TEMPLATES, *captions.UNFAMILIAR_TEMPLATES)

Interval = dict[str, float]


def interval(values: np.ndarray, statistic: Callable[[np.ndarray], float] = np.mean, rounds: int = 1000) -> Interval:
    """A statistic of `values` [N, ...] with its 95 % percentile bootstrap interval over the first axis."""
    rng = np.random.default_rng(0)
    draws = [statistic(values[rng.integers(len(values), size=len(values))]) for _ in range(rounds)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return {"value": round(float(statistic(values)), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def pictures(drawn: list[Any]) -> torch.Tensor:
    """Scenes -> [N, 3, H, W]."""
    return torch.from_numpy(np.stack([scene.image for scene in drawn])).permute(0, 3, 1, 2)


@torch.no_grad()
def image_features(model: Any, images: torch.Tensor) -> torch.Tensor:
    """Normalised features [N, D] of images [N, 3, H, W] of any size."""
    whole = core.views.View(0, 0, *images.shape[-2:])
    parts = [core.views.cut_view(part, whole, model.image_size) for part in images.split(64)]
    return torch.cat([model.model.encode_image(model.normalize_pixels(part), normalize=True) for part in parts])


@torch.no_grad()
def text_features(model: Any, template: str, labels: tuple[str, ...]) -> torch.Tensor:
    """Normalised features [C, D] of the class names in a template."""
    prompts = [captions.fill(template, label) for label in labels]
    return model.model.encode_text(model.tokenizer(prompts), normalize=True)


def recognition(model: Any, vendor: str, per_class: int) -> dict[str, Any]:
    """Zero-shot top-1 on single-object scenes: every template, their spread, and their ensemble."""
    labels = art.class_names()
    drawn = [
        scenes.draw_scene((10, i, k), PIXELS, classes=[label], vendor=vendor, clutter=0.3 * (k % 2))
        for i, label in enumerate(labels)
        for k in range(per_class)
    ]
    truth = torch.arange(len(labels)).repeat_interleave(per_class)
    images = image_features(model, pictures(drawn))
    weights = [text_features(model, template, labels) for template in TEMPLATES]
    ensemble = torch.nn.functional.normalize(torch.stack(weights).mean(0), dim=-1)
    right = np.stack([((images @ w.T).argmax(1) == truth).numpy() for w in [*weights, ensemble]], 1)
    plain = right[:, 0].reshape(len(labels), per_class).mean(1)
    singles = right[:, :-1]
    return {
        "scenes": len(drawn),
        "classes": len(labels),
        "top1_plain": interval(right[:, 0]),
        "top1_ensemble": interval(right[:, -1]),
        "top1_mean_template": interval(singles.mean(1)),
        "template_spread": interval(singles, lambda r: float(np.ptp(r.mean(0)))),
        "template_sd": interval(singles, lambda r: float(r.mean(0).std())),
        "top1_by_template": {t: round(float(r), 4) for t, r in zip(TEMPLATES, singles.mean(0), strict=True)},
        "worst_classes": {labels[i]: round(float(plain[i]), 3) for i in np.argsort(plain)[:12]},
    }


def pointing(model: Any, vendor: str, count: int) -> dict[str, Any]:
    """Two-object scenes, each object asked for: is the map's peak on it?"""
    kinds: dict[str, dict[str, Any]] = {
        "pointing_all_blocks": {},
        "pointing_last_block": {"options": core.options(blocks=1)},
        "pointing_shifted_grids": {"shifted": True},
        "pointing_edges_followed": {"along_edges": True},
        "pointing_shifted_grids_edges_followed": {"shifted": True, "along_edges": True},
    }
    hits: dict[str, list[bool]] = {name: [] for name in (*kinds, "in_box_all_blocks", "target_above_other")}
    for i in range(count):
        scene = scenes.draw_scene((20, i), PIXELS, n_objects=2, vendor=vendor, clutter=0.3 * (i % 2))
        prompts = [captions.fill(captions.PLAIN_TEMPLATE, o.label) for o in scene.objects]
        image = pictures([scene])
        maps = {n: core.explain.explain(model, image, prompts, **k).maps[:, 0].numpy() for n, k in kinds.items()}
        for k, thing in enumerate(scene.objects):
            peaks = {name: np.unravel_index(found[k].argmax(), found[k].shape) for name, found in maps.items()}
            for name, peak in peaks.items():
                hits[name].append(bool(thing.mask[peak]))
            y, x = peaks["pointing_all_blocks"]
            x0, y0, x1, y1 = thing.box
            hits["in_box_all_blocks"].append(x0 <= x < x1 and y0 <= y < y1)
            heat = maps["pointing_all_blocks"][k]
            hits["target_above_other"].append(heat[thing.mask].mean() > heat[scene.objects[1 - k].mask].mean())
    by_scene = {name: np.array(found, float).reshape(count, 2).mean(1) for name, found in hits.items()}
    return {"scenes": count, "prompts": 2 * count, **{name: interval(shares) for name, shares in by_scene.items()}}


def words(model: Any, vendor: str, count: int) -> dict[str, Any]:
    """Captions that name one object of the scene and one that isn't there: which word counts for more?"""
    rng = np.random.default_rng(30)
    labels, better = art.class_names(), []
    for i in range(count):
        scene = scenes.draw_scene((30, i), PIXELS, n_objects=1, vendor=vendor)
        here = scene.objects[0].label
        absent = str(rng.choice([label for label in labels if label != here]))
        order = [here, absent] if rng.random() < 0.5 else [absent, here]
        found = core.explain.explain(model, pictures([scene]), [scenes.plain_caption(order)])
        assert found.word_scores is not None
        score = dict(zip(found.words[0], found.word_scores[0][0].tolist(), strict=True))
        better.append(score[here] > score[absent])
    return {"captions": count, "present_above_absent": interval(np.array(better, float))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--vendor", default=art.TEST_VENDOR, help="shipped, or fetched by fetch_art.py")
    parser.add_argument("--per-class", type=int, default=20)
    parser.add_argument("--count", type=int, default=300, help="scenes for pointing, captions for words")
    args = parser.parse_args()
    if args.vendor not in art.vendors():
        fetched = json.loads((HERE / ".cache" / "art" / f"{args.vendor}.json").read_text())["art"]
        # Art that isn't shipped stands in for a shipped vendor's for this process alone.
        held = {label: tuple(drawings) for label, drawings in fetched.items()}
        scenes.load_art = lambda vendor: held
    model = clip.load_demo()
    result = {
        "vendor": args.vendor,
        "training": {k: v for k, v in clip.read_config().training.items() if k not in ("classes", "vendors")},
        "recognition": recognition(model, args.vendor, args.per_class),
        "pointing": pointing(model, args.vendor, args.count),
        "words": words(model, args.vendor, args.count),
    }
    (HERE / "results").mkdir(exist_ok=True)
    path = HERE / "results" / f"{args.vendor}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(path.read_text())


if __name__ == "__main__":
    main()
