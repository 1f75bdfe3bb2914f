"""Train the judge on one CPU core, in about a quarter of an hour, and measure it:

    taskset -c 1 nice -n 10 python training/train_judge.py --out /tmp/judge     # resumes where it was stopped
    python training/train_judge.py --out /tmp/judge --evaluate                  # only measure the shipped weights

Writes benchmarks/assets/judge.safetensors and training/results/judge.json. The threshold is chosen on a validation
seed; all figures are from another one. A resumed run draws its pictures anew.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import library  # noqa: F401 (makes the pack importable)
import numpy as np
import torch
import torch.nn.functional as F
from clip_explainability.core.files import write_whole
from diffusion_world import CLASSES, ScenePainter, SceneSet
from judge import SURE, WEIGHTS, Box, Detection, Judge, JudgeNet, detect, frechet_distance, load_judge, pack_judge
from judge_pictures import (
    SPOILERS,
    UNDECIDED,
    UNSEEN_SPOILERS,
    Pictures,
    PictureSource,
    add_artefacts,
    backdrop,
    blur,
    jpeg,
)

RESULTS = Path(__file__).resolve().parent / "results" / "judge.json"
SEED = 770_001
VALIDATION_SEED, TEST_SEED = 880_001, 990_001
"""Scenes of three kinds: trained on, chosen with, measured on."""
BACKGROUND_WEIGHT, REFUSED_WEIGHT = 0.4, 1.5
"""Of cells of plain background and of those that a spoiled or unknown object covers; an object's weigh 1."""
PRECISION, MOST_SPOILED = 0.99, 0.05
"""The threshold is the lowest with at least this precision on scenes, finding at most this share of spoiled objects."""
MATCH = 0.5
"""Intersection over union from which a detection is an object's."""


def cell_loss(net: JudgeNet, pictures: Pictures) -> torch.Tensor:
    """Cross entropy of the cells, weighted by what covers them; undecided cells don't count."""
    weights = torch.where(pictures.covered == len(CLASSES), BACKGROUND_WEIGHT, 1.0)
    weights[pictures.refused] = REFUSED_WEIGHT
    weights[pictures.covered == UNDECIDED] = 0
    losses = F.cross_entropy(net(pictures.images), pictures.covered, ignore_index=UNDECIDED, reduction="none")
    return (weights * losses).sum() / weights.sum()


class Trainer:
    """The network, its running average, and how far it has come."""

    def __init__(self, out: Path, samples: int, batch: int, rate: float) -> None:
        self.out, self.total, self.batch, self.rate = out, samples, batch, rate
        torch.manual_seed(SEED)
        self.net = JudgeNet(len(CLASSES)).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), rate, betas=(0.9, 0.98), weight_decay=0.02)
        self.average = [p.detach().clone() for p in self.net.parameters()]
        self.samples, self.seconds = 0, 0.0
        if self._checkpoint.exists():
            state = torch.load(self._checkpoint)
            self.net.load_state_dict(state["net"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.average, self.samples, self.seconds = state["average"], state["samples"], state["seconds"]
        self.source = PictureSource(SEED + 2 * self.samples)

    @property
    def _checkpoint(self) -> Path:
        return self.out / "judge.pt"

    def save(self) -> None:
        state = {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "samples": self.samples,
            "seconds": self.seconds,
        }
        torch.save(state, self._checkpoint.with_suffix(".next"))
        self._checkpoint.with_suffix(".next").replace(self._checkpoint)

    def pictures(self) -> Pictures:
        """A batch with artefacts."""
        drawn = self.source.batch(self.batch)
        images = add_artefacts(drawn.images, self.source.rng)
        return dataclasses.replace(drawn, images=images.contiguous(memory_format=torch.channels_last))

    def step(self) -> float:
        """One step of AdamW; the loss."""
        done = self.samples / self.total
        rate = self.rate * min(1.0, (self.samples + self.batch) / 3000) * (0.5 + 0.5 * math.cos(math.pi * done))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = cell_loss(self.net, self.pictures())
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.samples += self.batch
        steps = self.samples / self.batch
        torch._foreach_lerp_(self.average, [p.detach() for p in self.net.parameters()], max(0.004, 1 / (1 + steps / 8)))
        return loss.item()

    def run(self) -> JudgeNet:
        """Train to the end; the averaged network."""
        self.net.train()
        began, reported, losses = time.time(), time.time(), []
        while self.samples < self.total:
            losses.append(self.step())
            if time.time() - reported > 30 or self.samples >= self.total:
                self.seconds += time.time() - began
                began = reported = time.time()
                self.save()
                speed = self.samples / max(self.seconds, 1e-9)
                print(f"{self.samples} pictures, loss {np.mean(losses):.4f}, {speed:.0f} a second", flush=True)
                losses = []
        return self.averaged()

    @torch.no_grad()
    def averaged(self, batches: int = 40) -> JudgeNet:
        """The running average of the weights, with statistics of its own for the batch norms."""
        net = JudgeNet(len(CLASSES)).to(memory_format=torch.channels_last)
        for parameter, mean in zip(net.parameters(), self.average, strict=True):
            parameter.copy_(mean)
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # a plain mean over the batches below
        net.train()
        for _ in range(batches):
            net(self.pictures().images)
        return net.eval()


# --- measuring -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a judge made of one picture: of each object the IoU with its detection (0: not found), and how many
    detections are no object's; those of them whose class the picture does not show at all."""

    ious: tuple[float, ...]
    false: int
    absent: int


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


def compare(found: Sequence[Detection], names: Sequence[str], boxes: Sequence[Box]) -> Outcome:
    """Match detections, surest first, to objects of their class with an IoU of at least MATCH."""
    left, ious, false = list(range(len(names))), [0.0] * len(names), 0
    for detection in found:
        fits = {k: iou(detection.box, boxes[k]) for k in left if names[k] == detection.class_name}
        best = max(fits, key=fits.__getitem__, default=None)
        if best is None or fits[best] < MATCH:
            false += 1
            continue
        ious[best] = fits[best]
        left.remove(best)
    return Outcome(tuple(ious), false, sum(detection.class_name not in names for detection in found))


def outcomes(judge: Judge, scenes: SceneSet, images: torch.Tensor | None = None) -> list[Outcome]:
    """What the judge makes of scenes, or of changed pictures of them."""
    found = judge.detect(scenes.images if images is None else images)
    return [
        compare(detections, [CLASSES[c] for c in labels], [tuple(box) for box in boxes])
        for detections, labels, boxes in zip(found, scenes.labels, scenes.boxes, strict=True)
    ]


def _interval(values: Callable[[np.ndarray], float], count: int, draws: int = 1000) -> dict[str, float]:
    """A figure over pictures 0..count-1 and its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    again = [values(rng.integers(0, count, count)) for _ in range(draws)]
    low, high = np.nanpercentile(again, [2.5, 97.5])
    return {"value": round(values(np.arange(count)), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _wilson(hits: int, count: int) -> dict[str, float]:
    """A share and its 95 % Wilson interval, which says something even at 0 and 1."""
    share, z = hits / count, 1.96
    centre, half = share + z * z / 2 / count, z * math.sqrt(share * (1 - share) / count + (z / 2 / count) ** 2)
    low, high = ((centre + sign * half) / (1 + z * z / count) for sign in (-1, 1))
    return {"value": round(share, 4), "low": round(max(low, 0.0), 4), "high": round(min(high, 1.0), 4)}


def summarise(found: Sequence[Outcome]) -> dict[str, Any]:
    """Recall, precision, false positives and IoU, each with a 95 % interval."""
    ious = [np.array(outcome.ious) for outcome in found]
    hits = sum(int((values > 0).sum()) for values in ious)
    false = sum(outcome.false for outcome in found)
    absent = np.array([outcome.absent for outcome in found], float)

    def mean_iou(chosen: np.ndarray) -> float:
        values = np.concatenate([ious[k] for k in chosen])
        return float(values[values > 0].mean()) if (values > 0).any() else math.nan

    return {
        "pictures": len(found),
        "objects": sum(map(len, ious)),
        "recall": _wilson(hits, sum(map(len, ious))),
        "precision": _wilson(hits, hits + false),
        "false_positives_a_picture": _interval(
            lambda chosen: float(np.mean([found[k].false for k in chosen])), len(found)
        ),
        "absent_class_a_picture": _interval(lambda chosen: float(absent[chosen].mean()), len(found)),
        "box_iou": _interval(mean_iou, len(found)),
    }


def choose_threshold(judge: Judge, scenes: int) -> tuple[float, dict[str, Any]]:
    """The lowest threshold that keeps PRECISION on scenes and MOST_SPOILED on spoiled objects; the validation seed."""
    shown = ScenePainter(VALIDATION_SEED).batch(scenes)
    source = PictureSource(VALIDATION_SEED + 10)
    spoiled = [source.spoiled_scenes(scenes // len(SPOILERS), spoiler).images for spoiler in SPOILERS]
    with torch.no_grad():
        logits = [judge.net(part) for part in shown.images.split(64)]
        bad = [judge.net(part) for part in torch.cat(spoiled).split(64)]
    at_half = [[detect(one, SURE, CLASSES) for batch in group for one in batch] for group in (logits, bad)]
    for threshold in np.arange(0.5, 0.96, 0.05):
        kept = [[d for d in found if d.confidence >= threshold] for found in at_half[0]]
        results = [
            compare(found, [CLASSES[c] for c in labels], [tuple(box) for box in boxes])
            for found, labels, boxes in zip(kept, shown.labels, shown.boxes, strict=True)
        ]
        summary = summarise(results)
        passed = np.mean([any(d.confidence >= threshold for d in found) for found in at_half[1]])
        facts = {"seed": VALIDATION_SEED, "precision": summary["precision"], "recall": summary["recall"],
                 "spoiled_found": round(float(passed), 4)}  # fmt: skip
        if summary["precision"]["low"] >= PRECISION and passed <= MOST_SPOILED:
            break
    return round(float(threshold), 2), facts


def artefacts() -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    """Single artefacts of a set strength."""
    noise = torch.Generator().manual_seed(0)
    return {
        "blur, 1 px": lambda images: blur(images, 1.0),
        "blur, 2 px": lambda images: blur(images, 2.0),
        "noise, 0.05": lambda images: (images + 0.05 * torch.randn(images.shape, generator=noise)).clamp(0, 1),
        "jpeg, quality 30": lambda images: torch.stack([jpeg(image, 30) for image in images]),
        "contrast, 0.6": lambda images: images.mean((1, 2, 3), keepdim=True) * 0.4 + images * 0.6,
        "another scene through it, 0.15": lambda images: 0.85 * images + 0.15 * images.roll(1, 0),
        "all mixed, as in training": lambda images: add_artefacts(images, np.random.default_rng(0)),
    }


def evaluate(judge: Judge, scenes: int) -> dict[str, Any]:
    """Everything measured on the test seed."""
    shown = ScenePainter(TEST_SEED).batch(scenes)
    table: dict[str, Any] = {"seed": TEST_SEED, "scenes": summarise(outcomes(judge, shown))}
    found = outcomes(judge, shown)
    seen: dict[str, list[bool]] = {name: [] for name in CLASSES}
    for labels, outcome in zip(shown.labels, found, strict=True):
        for label, overlap in zip(labels, outcome.ious, strict=True):
            seen[CLASSES[label]].append(overlap > 0)
    table["recall_by_class"] = {name: _wilson(sum(hits), len(hits)) for name, hits in seen.items()}
    part = _first(shown, scenes // 3)
    changed = {name: change(part.images) for name, change in artefacts().items()}
    table["artefacts"] = {name: summarise(outcomes(judge, part, images)) for name, images in changed.items()}

    source = PictureSource(TEST_SEED + 10)
    table["spoiled_objects_found"] = {}
    spoiled = {}
    for spoiler in (*SPOILERS, *UNSEEN_SPOILERS):
        drawn = source.spoiled_scenes(scenes // 3, spoiler).images
        hits = [bool(found) for found in judge.detect(drawn)]
        name = spoiler.__name__ + (" (never trained on)" if spoiler in UNSEEN_SPOILERS else "")
        table["spoiled_objects_found"][name] = _wilson(sum(hits), len(hits))
        spoiled[name] = drawn
    empty = torch.stack([backdrop(image) for image in shown.images])
    table["empty_found"] = _wilson(sum(bool(found) for found in judge.detect(empty)), len(empty))

    half = len(shown.images) // 2
    real = judge.features(ScenePainter(TEST_SEED + 1).batch(scenes).images)
    table["frechet_to_scenes"] = {"other scenes": frechet_distance(real, judge.features(shown.images))}
    table["frechet_to_scenes"] |= {
        "scenes, half as many": frechet_distance(real, judge.features(shown.images[:half])),
        **{name: frechet_distance(real, judge.features(images)) for name, images in changed.items()},
        **{name: frechet_distance(real, judge.features(images)) for name, images in spoiled.items()},
        "empty": frechet_distance(real, judge.features(empty)),
    }
    table["frechet_to_scenes"] = {name: round(value, 4) for name, value in table["frechet_to_scenes"].items()}
    return table


def _first(scenes: SceneSet, count: int) -> SceneSet:
    parts = {field.name: getattr(scenes, field.name)[:count] for field in dataclasses.fields(scenes)}
    return SceneSet(**parts)


def main() -> None:
    """Train what is left to train, choose the threshold, save, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--samples", type=int, default=30_000, help="pictures to train on")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--scenes", type=int, default=1200, help="scenes to measure on")
    parser.add_argument("--evaluate", action="store_true", help="measure the shipped weights only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any]
    if options.evaluate:
        facts = json.loads(RESULTS.read_text())
    else:
        trainer = Trainer(options.out, options.samples, options.batch, options.rate)
        judge = Judge(trainer.run(), CLASSES, SURE)
        threshold, chosen = choose_threshold(judge, options.scenes)
        parameters = sum(p.numel() for p in judge.net.parameters())
        facts = {
            "parameters": parameters, "pictures": trainer.samples, "seconds": round(trainer.seconds),
            "seed": SEED, "threshold": threshold, "threshold_chosen": chosen,
        }  # fmt: skip
        write_whole(WEIGHTS, pack_judge(dataclasses.replace(judge, threshold=threshold)))
    report = {**facts, "test": evaluate(load_judge(), options.scenes)}
    write_whole(RESULTS, (json.dumps(report, indent=2) + "\n").encode())
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
