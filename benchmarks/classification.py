"""Does it matter how a class is phrased, what do ensembles mend, and does explainability help to learn prompts?

    python benchmarks/classification.py            # the table, on the demo world's unseen art
    python benchmarks/classification.py --quick    # the same in a few minutes, with fewer scenes
    python benchmarks/classification.py --images DIR --clip FILE   # your own images, one folder a class
    python benchmarks/classification.py --choose   # how lambda was chosen, on the validation vendor

A *task* is a seed: ``--ways`` classes, one labelled image of each, and other images of the same classes to test on;
learned prompts are tested on classes without a labelled image too. Every method sees the same tasks; differences are
taken task by task. Writes results/classification.{json,md,png} (``--choose``: results/classification_choice.json).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from classification_data import Pool, art, demo_pool, folder_pool
from classification_one_shot import LAMBDA, WITH, WITHOUT, OneShot, choose_lambda
from classification_report import write_markdown, write_plot
from classification_tasks import LISTS, draw_task, zero_shot_accuracy
from clip_explainability.core.classification.cache import FeatureCache
from clip_explainability.core.classification.class_prompts import LearningSettings
from clip_explainability.core.classification.classes import ClassList, ClassName
from clip_explainability.core.classification.classify import Prompting, classify
from clip_explainability.core.classification.ensembles import ENSEMBLES
from clip_explainability.core.classification.explainability_weights import SHARPNESS, class_word_shares
from clip_explainability.core.classification.templates import CUSTOM, PRESETS, preset_templates
from clip_explainability.core.classification.zero_shot import encode_classes
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.demo.captions import TEMPLATES
from clip_explainability.core.loading import sources
from clip_explainability.core.views import View, cut_view
from intervals import mean_interval

RESULTS = Path(__file__).resolve().parent / "results"
VALIDATION_VENDOR = "emojione"
LEVELS = (0.0, 0.5, 1.0)
LAMBDAS = (0.0, 1.0, 3.0, 10.0)
DEMO_TEMPLATES = "demo world"


@dataclass(frozen=True)
class Size:
    """How much is measured: tasks, classes a task, and scenes to test on and learn from a class and clutter level."""

    tasks: int
    ways: int
    test_images: int
    support_images: int


FULL, QUICK = Size(24, 20, 10, 4), Size(20, 10, 4, 2)


def main() -> None:
    """Measure, write, print."""
    arguments = parse_arguments()
    torch.manual_seed(0)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    size = QUICK if arguments.quick else FULL
    size = replace(size, tasks=arguments.tasks or size.tasks, ways=arguments.ways or size.ways)
    clip = load_clip(arguments.clip)
    vendor = VALIDATION_VENDOR if arguments.choose else art.TEST_VENDOR
    if arguments.images:
        pool = folder_pool(clip, arguments.images)
    else:
        pool = demo_pool(clip, arguments.vendor or vendor, LEVELS, size.test_images, size.support_images)
    templates = TEMPLATES if arguments.templates == DEMO_TEMPLATES else preset_templates(arguments.templates)
    RESULTS.mkdir(exist_ok=True)
    if arguments.choose:
        choose(clip, pool, templates, size)
        return
    started = time.perf_counter()
    results = measure(clip, pool, templates, size, arguments.explainability_weight)
    results["about"] = {
        "clip": clip.name,
        "fingerprint": clip.fingerprint,
        "templates": arguments.templates,
        "images": arguments.images or f"scenes of {arguments.vendor or vendor}",
        "classes": len(pool.classes),
        "size": asdict(size),
        "quick": arguments.quick,
        "seconds": round(time.perf_counter() - started),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    name = arguments.name or "classification"
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    write_plot(results, RESULTS / f"{name}.png")
    print(write_markdown(results, RESULTS / f"{name}.md"))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer scenes, classes and tasks: a few minutes")
    parser.add_argument("--images", help="a folder with one folder of images a class, instead of the demo world")
    parser.add_argument("--clip", help="a checkpoint file; default: the embedded demo CLIP")
    parser.add_argument("--vendor", help="draw scenes with this vendor's art")
    parser.add_argument("--tasks", type=int, help="number of seeds")
    parser.add_argument("--ways", type=int, help="classes a task")
    parser.add_argument("--explainability-weight", type=float, default=LAMBDA)
    parser.add_argument("--choose", action="store_true", help="compare lambdas on the validation vendor instead")
    parser.add_argument(
        "--templates",
        default=DEMO_TEMPLATES,
        choices=[*(name for name in PRESETS if name != CUSTOM), DEMO_TEMPLATES],
        help=f"{DEMO_TEMPLATES!r}: the phrasings that the demo CLIP was trained to compare",
    )
    parser.add_argument("--threads", type=int, help="torch threads")
    parser.add_argument("--name", help="name of the result files")
    return parser.parse_args()


def load_clip(source: str | None) -> ExplainableCLIP:
    """The embedded demo CLIP, or one from a file."""
    name = Path(source).name if source else sources.DEMO
    return sources.load_source(name, lambda _: source, None, False, torch.float32, "auto")


def measure(
    clip: ExplainableCLIP, pool: Pool, templates: tuple[str, ...], size: Size, explainability_weight: float
) -> dict[str, Any]:
    """All accuracies, gains with intervals, and the throughput."""
    prompts = encode_classes(clip, [ClassName(name) for name in pool.classes], templates)
    shares = class_word_shares(clip, prompts)
    per_task: dict[str, list[np.ndarray]] = {name: [] for name in ("templates", *ENSEMBLES)}
    one_shot, started = OneShot(pool), time.perf_counter()
    for seed in range(size.tasks):
        task = draw_task(pool, seed, size.ways)
        for name, accuracy in zero_shot_accuracy(clip, pool, task, prompts, shares, SHARPNESS).items():
            per_task[name].append(accuracy)
        one_shot.add(clip, pool, task, prompts, explainability_weight)
        print(f"  task {seed + 1} of {size.tasks}, {time.perf_counter() - started:.0f} s", flush=True)
    found = {name: np.stack(rows) for name, rows in per_task.items()}  # [tasks, levels], templates [tasks, levels, T]
    learned = one_shot.summary()
    whole = learned["over_rates_and_crowds"]
    results = summarise(found, pool, templates)
    for name, arm in (("one_shot_lambda_0", WITHOUT), ("one_shot_lambda", WITH)):
        results["accuracy"][name] = whole[arm][LISTS[0]]["mean"]
    return {
        **results,
        "one_shot_gain_ci95": [whole["gain"][LISTS[0]][end] for end in ("low", "high")],
        "one_shot": learned,
        "lambda": explainability_weight,
        "settings": asdict(LearningSettings(explainability_weight=explainability_weight)),
        "throughput_ratio": throughput_ratio(clip, templates),
    }


def summarise(found: dict[str, np.ndarray], pool: Pool, templates: tuple[str, ...]) -> dict[str, Any]:
    """Means over tasks and levels, paired differences with intervals over tasks, and all of it level by level."""
    single = found.pop("templates")
    by_template = single.mean(axis=(0, 1))
    names = {
        "mean of embeddings": "ensemble_mean",
        "mean of logits": "ensemble_logits",
        "majority vote": "majority_vote",
        "zpe weights": "zpe",
        "explainability-weighted": "explainability_weighted",
    }
    tasks = {names[name]: accuracy for name, accuracy in found.items()}
    tasks = {"single_template_mean": single.mean(axis=2), **tasks}
    gains = {
        "ensemble_mean - single_template_mean": tasks["ensemble_mean"] - tasks["single_template_mean"],
        "explainability_weighted - ensemble_mean": tasks["explainability_weighted"] - tasks["ensemble_mean"],
        "explainability_weighted - zpe": tasks["explainability_weighted"] - tasks["zpe"],
    }
    accuracy = {name: round(float(values.mean()), 4) for name, values in tasks.items()}
    accuracy["single_template_min"] = round(float(by_template.min()), 4)
    accuracy["single_template_max"] = round(float(by_template.max()), 4)
    return {
        "accuracy": accuracy,
        "gains": {name: mean_interval(values.mean(axis=1)) for name, values in gains.items()},
        "intervals": {name: mean_interval(values.mean(axis=1)) for name, values in tasks.items()},
        "by_clutter": {
            level: {
                "accuracy": {name: mean_interval(values[:, index]) for name, values in tasks.items()},
                "gains": {name: mean_interval(values[:, index]) for name, values in gains.items()},
            }
            for index, level in enumerate(pool.level_names)
        },
        "single_templates": {
            template: round(float(value), 4) for template, value in zip(templates, by_template, strict=True)
        },
    }


def throughput_ratio(clip: ExplainableCLIP, templates: tuple[str, ...], count: int = 128, rounds: int = 7) -> float:
    """Images a second of the whole classifier over those of a bare loop around ``encode_image``; both by turns.

    Both get the same tensors, twice the tower's size; class texts are encoded before.
    """
    images = torch.rand(count, 3, *(2 * side for side in clip.image_size))
    whole = View(0, 0, *images.shape[-2:])
    prompting = Prompting(ClassList(tuple(ClassName(f"thing {i}") for i in range(20))), templates)
    cache = FeatureCache()
    classify(clip, images[:1], prompting, cache=cache)

    def bare() -> None:
        with torch.no_grad():
            for batch in images.split(32):
                pixels = cut_view(batch.to(clip.device), whole, clip.image_size)
                clip.model.encode_image(clip.normalize_pixels(pixels), normalize=True).cpu()

    def ours() -> None:
        classify(clip, images, prompting, cache=cache, images_key=torch.empty(0))  # a key of its own: nothing cached

    ratios = []
    for _ in range(rounds):
        seconds = []
        for run in (bare, ours):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
    return round(float(np.median(ratios)), 4)


def choose(clip: ExplainableCLIP, pool: Pool, templates: tuple[str, ...], size: Size) -> None:
    """Compare lambdas, rates and sharpness on the validation vendor's tasks, which share no seed with the test's."""
    prompts = encode_classes(clip, [ClassName(name) for name in pool.classes], templates)
    shares = class_word_shares(clip, prompts)
    tasks = [draw_task(pool, 1000 + seed, size.ways) for seed in range(size.tasks)]
    weighted = {
        str(sharpness): float(
            np.mean(
                [
                    zero_shot_accuracy(clip, pool, task, prompts, shares, sharpness)["explainability-weighted"]
                    for task in tasks
                ]
            )
        )
        for sharpness in (0.5, 1.0, 2.0, 4.0)
    }
    base = zero_shot_accuracy(clip, pool, tasks[0], prompts, shares, 1.0)
    print("sharpness:", weighted, {name: float(value.mean()) for name, value in base.items()}, flush=True)
    rows = choose_lambda(clip, pool, tasks, LAMBDAS)
    data = {"vendor": VALIDATION_VENDOR, "lambda": rows, "sharpness": weighted, "size": asdict(size)}
    (RESULTS / "classification_choice.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
