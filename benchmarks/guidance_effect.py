"""What guidance does to the pictures, by a judge that takes no part in it.

    python benchmarks/guidance_effect.py [--quick] [--prompts 200] [--processes 2]

The demo diffusion model draws pictures of two objects unguided, guided by CLIP's similarity alone, by ours (words), and
by ours with boxes; and the best of four is picked as CLIP ranks them. A detector that was trained apart says what is
there and where. Two settings: with the diffusion model's own text, and without it, so that CLIP alone reads the prompt
(the setting of the papers).
Needs ComfyUI, as the pack's test environment has it; writes guidance_effect.{json,md,png}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from guidance_studio import Guidance, Ranked, Sampling, Studio, Task
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "training"))

FIRST_SEED = 1000
"""Seeds below it were used to choose settings."""
BOX_SHARES = (0.4, 0.7)
"""Of the picture's side. Objects are .26 to .5 wide: unguided, some 30 % of them are in such boxes."""

# Found on seeds below FIRST_SEED. Beside its own text the model needs a nudge while the layout forms; a pull as strong
# as pictures without text need makes CLIP content with traces of an object.
NUDGE = {"route": "full", "strength": 0.3, "end_percent": 0.5, "cutouts": 4, "word_weight": 1.0}
PULL = {"route": "full", "strength": 1.5, "end_percent": 0.7, "cutouts": 4, "word_weight": 0.1}
# The paper's term, as a small CLIP needs it.
OVERLAP = {"box_weight": 1.0, "box_fill": 1.0, "box_blocks": 0}
# By contrast; fewer windows leave time for several updates of a step. Without text the boxes alone say what to draw.
BOXES = {**NUDGE, "cutouts": 2, "repeats": 2, "box_weight": 0.0, "box_contrast": 0.2}
BOXES_ALONE = {**BOXES, "strength": 0.5, "end_percent": 0.6, "repeats": 3, "box_contrast": 1.0}
SETTINGS = {"text": Sampling(), "no_text": Sampling(text=False)}
Variants = dict[str, dict[str, Guidance | None]]

TRIES = 4


@dataclass(frozen=True)
class Pick:
    """The best picture of the batch of another variant."""

    of: str
    by: Ranked


def variants_of(words: dict[str, Any], boxes: Guidance) -> dict[str, Guidance | None]:
    """What is compared, None being unguided: similarity alone has all the settings of ours but the words."""
    return {
        "unguided": None,
        "similarity": Guidance(changes={**words, "word_weight": 0.0}),
        "ours": Guidance(changes=words),
        "ours_boxes": boxes,
    }


VARIANTS = {
    "text": variants_of(NUDGE, Guidance(True, BOXES)),
    "no_text": variants_of(PULL, Guidance(True, BOXES_ALONE)),
}
PICKS = {
    "unguided_by_similarity": Pick("unguided", "similarity"),
    "unguided_by_words": Pick("unguided", "words"),
    "unguided_by_boxes": Pick("unguided", "boxes"),
    "ours_boxes_by_boxes": Pick("ours_boxes", "boxes"),
}
"""With the model's own text; a variant that is picked from is drawn as a batch, whose first picture stands for it."""


def make_tasks(count: int, first_seed: int = FIRST_SEED) -> list[Task]:
    """Two classes and two boxes that don't overlap for each seed."""
    from clip_explainability.core.demo.diffusion import diffusion_classes

    names, tasks = diffusion_classes(), []
    for seed in range(first_seed, first_seed + count):
        rng = np.random.default_rng(seed)
        pair = tuple(names[i] for i in rng.permutation(len(names))[:2])
        while True:
            sides = rng.uniform(*BOX_SHARES, (2, 2))
            corners = [rng.uniform(0.01, 0.99 - side) for side in sides]
            boxes = tuple((float(x), float(y), float(x + width), float(y + height))
                          for (x, y), (width, height) in zip(corners, sides, strict=True))  # fmt: skip
            if overlap(*boxes) == 0:
                break
        tasks.append(Task(pair, boxes, seed))
    return tasks


def overlap(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """Area shared by two boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0.0) * max(height, 0.0)


def area(box: tuple[float, ...]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def judge_picture(task: Task, found: list[Any]) -> dict[str, float]:
    """What a picture's detections say about its task; an object that is missing is in no box."""
    missing, centres, halves, overlaps, sure = [], [], [], [], []
    for name, box in zip(task.names, task.boxes, strict=True):
        seen = [d for d in found if d.class_name == name]
        missing.append(not seen)
        if not seen:
            centres, halves, overlaps = [*centres, 0.0], [*halves, 0.0], [*overlaps, 0.0]
            continue
        best = max(seen, key=lambda d: d.confidence)
        x, y = (best.box[0] + best.box[2]) / 2, (best.box[1] + best.box[3]) / 2
        shared = overlap(best.box, box)
        centres.append(float(box[0] <= x <= box[2] and box[1] <= y <= box[3]))
        halves.append(float(shared >= 0.5 * area(best.box)))
        overlaps.append(shared / (area(best.box) + area(box) - shared))
        sure.append(best.confidence)
    strangers = [d for d in found if d.class_name not in task.names]
    return {
        "missing_word_rate": float(np.mean(missing)),
        "all_present": float(not any(missing)),
        "centre_in_box_rate": float(np.mean(centres)),
        "half_in_box_rate": float(np.mean(halves)),
        "box_miou": float(np.mean(overlaps)),
        "confidence": float(np.mean(sure)) if sure else float("nan"),
        "strangers": float(len(strangers)),
    }


def draw_all(tasks: list[Task], variants: Variants, store: Path, progress: bool) -> dict[Any, Any]:
    """Pictures uint8 [N, 96, 96, 3] of every variant of every setting; those in the store are not drawn again."""
    studio, began = Studio(), time.perf_counter()
    pictures: dict[Any, list[np.ndarray]] = {}
    for number, task in enumerate(tasks):
        for setting, chosen in variants.items():
            batches: dict[str, np.ndarray] = {}
            picks = {name: pick for name, pick in PICKS.items() if setting == "text" and pick.of in chosen}
            for name, how in chosen.items():
                tries = TRIES if any(pick.of == name for pick in picks.values()) else 1
                batches[name] = make_batch(studio, task, how, SETTINGS[setting], tries, store)
                pictures.setdefault((setting, name), []).append(batches[name][0])
            for name, pick in picks.items():
                images = torch.from_numpy(batches[pick.of]).permute(0, 3, 1, 2).float() / 255
                best = studio.pick(task, images, pick.by)
                pictures.setdefault((setting, name), []).append(batches[pick.of][best])
        if progress and (number + 1) % 5 == 0:
            left = (time.perf_counter() - began) / (number + 1) * (len(tasks) - number - 1)
            print(f"  {number + 1} of {len(tasks)} prompts, {left:.0f} s left", flush=True)
    return {key: np.stack(images) for key, images in pictures.items()}


def make_batch(
    studio: Studio, task: Task, guidance: Guidance | None, sampling: Sampling, tries: int, store: Path
) -> np.ndarray:
    """Pictures uint8 [tries, 96, 96, 3], from the store (side by side) where they are there."""
    kept = store / digest(task, guidance, sampling, tries)
    if not kept.exists():
        images = studio.draw(task, guidance, sampling, tries).clamp(0, 1)
        side_by_side = (images.permute(2, 0, 3, 1).flatten(1, 2) * 255).round().byte().numpy()
        Image.fromarray(side_by_side).save(kept)
    return np.stack(np.split(np.asarray(Image.open(kept)), tries, axis=1))


def digest(task: Task, guidance: Guidance | None, sampling: Sampling, tries: int) -> str:
    """File name for a batch: of all that it depends on, but for the code."""
    clip, diffusion = weights()
    used = (diffusion,) if guidance is None else (clip, diffusion)
    if guidance is None or not guidance.boxes:
        task = replace(task, boxes=())
    return hashlib.sha256(repr((task, guidance, sampling, tries, *used)).encode()).hexdigest()[:32] + ".png"


@cache
def weights() -> tuple[str, str]:
    """Digests of the demo CLIP and the demo diffusion model."""
    from clip_explainability.core.demo.clip import WEIGHTS as CLIP_WEIGHTS
    from clip_explainability.core.demo.diffusion import WEIGHTS

    clip, diffusion = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (CLIP_WEIGHTS, WEIGHTS))
    return clip, diffusion


def draw_in_processes(tasks: list[Task], variants: Variants, store: Path, processes: int) -> dict[Any, np.ndarray]:
    """The same, shared among processes; in the order of the tasks."""
    store.mkdir(parents=True, exist_ok=True)
    if processes == 1:
        return draw_all(tasks, variants, store, True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        parts = list(
            pool.map(draw_all, [tasks[i::processes] for i in range(processes)], [variants] * processes,
                     [store] * processes, [i == 0 for i in range(processes)])
        )  # fmt: skip
    joined = {}
    for key in parts[0]:
        joined[key] = np.empty((len(tasks), *parts[0][key].shape[1:]), np.uint8)
        for i, part in enumerate(parts):
            joined[key][i::processes] = part[key]
    return joined


def seconds_a_step(studio: Studio, task: Task, guidance: Guidance | None, sampling: Sampling) -> float:
    """Seconds of a sampling step, decoding left out: the difference of a long and a short run."""

    def run(steps: int) -> float:
        began = time.perf_counter()
        studio.draw(task, guidance, replace(sampling, steps=steps))
        return time.perf_counter() - began

    run(2)
    return (run(14) - run(4)) / 10


def measure_cost(repeats: int) -> dict[str, float]:
    """Ratios of a guided step's time, medians over `repeats` rounds in turns."""
    studio = Studio()
    three = Task(("frog", "car", "donut"), ((0.02, 0.1, 0.4, 0.5), (0.5, 0.05, 0.95, 0.45), (0.3, 0.55, 0.7, 0.95)), 1)
    always = {**NUDGE, "words": "all"}
    kinds: dict[str, Guidance | None] = {
        "unguided": None,
        "similarity": Guidance(changes={**NUDGE, "word_weight": 0.0}),
        "words": Guidance(changes=always),
        "boxes3": Guidance(True, {**NUDGE, **OVERLAP, "word_weight": 0.0}),
    }
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(repeats):
        for name, guidance in kinds.items():
            taken[name].append(seconds_a_step(studio, three, guidance, Sampling()))
    return {name: float(np.median(values)) for name, values in taken.items()}


def changed(guidance: Guidance | None, settings: list[str]) -> Guidance | None:
    """A variant with widgets set as `name=value`."""
    if guidance is None:
        return None
    given = dict(setting.split("=", 1) for setting in settings)
    values = {name: _value(text) for name, text in given.items()}
    return replace(guidance, changes={**guidance.changes, **values})


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run the benchmark, write its report and return it."""
    from diffusion_world import ScenePainter
    from guidance_effect_report import write_report
    from judge import frechet_distance, load_judge
    from machine import describe_machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="16 prompts: some minutes")
    parser.add_argument("--prompts", type=int, help="pictures of each variant (default 200)")
    parser.add_argument("--processes", type=int, default=1, help="share the work among so many, one thread each")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help=f"below {FIRST_SEED} to choose settings")
    parser.add_argument("--set", nargs="+", default=[], metavar="WIDGET=VALUE", help="change the guided variants' node")
    names = list(VARIANTS["text"])
    parser.add_argument("--variants", nargs="+", default=names, choices=names)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--store", type=Path, help="keep the pictures here, and go on from those that are here")
    parser.add_argument("--no-report", action="store_true", help="print the rates only, measure no cost")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args(arguments)
    count = options.prompts or (16 if options.quick else 200)

    began = time.perf_counter()
    tasks = make_tasks(count, options.first_seed)
    variants = {
        setting: {
            name: changed(how, options.set) for name, how in VARIANTS[setting].items() if name in options.variants
        }
        for setting in options.settings
    }
    print(f"{count} prompts, {sum(len(v) for v in variants.values())} variants", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        pictures = draw_in_processes(tasks, variants, options.store or Path(folder), options.processes)
    judge = load_judge()
    real = ScenePainter(99_991, two=1.0).batch(1000).images
    real_features = judge.features(real)
    rows: dict[str, dict[str, Any]] = {}
    for (setting, name), images in pictures.items():
        drawn = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        judged = [judge_picture(task, found) for task, found in zip(tasks, judge.detect(drawn), strict=True)]
        rows.setdefault(setting, {})[name] = {key: [one[key] for one in judged] for key in judged[0]}
        # Fewer pictures than features: the distance would measure their number.
        if count > 2 * real_features.shape[1]:
            distance = round(frechet_distance(judge.features(drawn), real_features), 3)
            rows[setting][name]["distance_to_real"] = distance
    if options.no_report or len(options.variants) < len(names) or "text" not in options.settings:
        for setting, of_setting in rows.items():
            for name, row in of_setting.items():
                means = {key: round(float(np.nanmean(v)), 3) for key, v in row.items()}
                print(f"{setting:8} {name:24} {means}")
        return rows
    print("Cost ...", flush=True)
    cost = measure_cost(2 if options.quick else 5)
    result = {
        "prompts": count,
        "first_seed": options.first_seed,
        "seconds": round(time.perf_counter() - began),
        "machine": describe_machine(),
        "clip": weights()[0][:16],
        "diffusion": weights()[1][:16],
        "guidance": {
            setting: {name: each and asdict(each) for name, each in chosen.items()}
            for setting, chosen in variants.items()
        },
        "judge_threshold": judge.threshold,
        "seconds_a_step": {name: round(value, 4) for name, value in cost.items()},
    }
    write_report(result, rows, tasks, pictures, options.out)
    print((options.out / "guidance_effect.md").read_text("utf-8"))
    return result


if __name__ == "__main__":
    main()
