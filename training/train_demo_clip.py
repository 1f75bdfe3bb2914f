"""Train the demo CLIP on CPU cores: two one-thread ranks, checkpoints, and a cool-down that can be called for.

    nice -n 3 python training/train_demo_clip.py --out /tmp/run --ranks 2
    echo 250000 > /tmp/run/decay      # start the cool-down now and let it take 250 000 scenes

Samples, not time, drive the schedule. Run again with the same --out to resume.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
import vocabulary
from art_table import ICON_NAMES, VALIDATION_VENDOR
from batches import Batch, SceneSource
from library import captions
from model import (
    EMBED_DIM,
    IMAGE_SIZE,
    PATCH,
    VISION_CFG,
    Seen,
    build_model,
    choose_patches,
    image_features,
    start_patches_whitened,
    text_features,
)
from muon import Muon
from sprites import build, sampling_weights

GROUP_SHARES = {"emoji": 0.8, "colour": 0.1, "mono": 0.1}
UNKNOWN_WORDS = 0.01
VALUE_SCALE = 20.0
"""Of the cosines between patches' value paths and class names; near the trained CLIP's own."""


@dataclass(frozen=True)
class Stage:
    """`samples` scenes of `side` pixels with a share `drop` of the patches left out."""

    side: int
    drop: float
    samples: int


def parse_stages(text: str) -> list[Stage]:
    """`48/0:150000,96/0.5:900000` -> stages; the last one goes on until the cool-down."""
    stages = []
    for part in text.split(","):
        picture, samples = part.split(":")
        side, drop = picture.split("/")
        stages.append(Stage(int(side), float(drop), int(samples)))
    return stages


def caption_features(model: torch.nn.Module, texts: list[str]) -> torch.Tensor:
    """Normalised features [N, D] of captions, a few words of them made unknown; short ones don't pay for long ones."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    features = []
    for part in np.array_split(order, 4):
        rows, ends = vocabulary.encode([texts[i] for i in part])
        unknown = (torch.rand(rows.shape) < UNKNOWN_WORDS) & (torch.arange(rows.shape[1]) < ends[:, None])
        unknown[:, 0] = False
        features.append(text_features(model, rows.masked_fill(unknown, len(vocabulary.known_ids())), ends))
    back = torch.empty(len(texts), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(texts))
    return torch.cat(features)[back]


def spread_names(model: torch.nn.Module, steps: int = 200) -> None:
    """Teach the text tower, before anything else, that class names differ: to map them to orthogonal features.

    Where both towers start at random, the text tower collapses long before the image tower says anything.
    """
    forms = [f for n in ICON_NAMES for f in (n, f"a {n}", captions.plural(n), captions.SYNONYMS.get(n, n))]
    codes = torch.linalg.qr(torch.randn(EMBED_DIM, EMBED_DIM)).Q[: len(ICON_NAMES)].repeat_interleave(4, 0)
    rows, ends = vocabulary.encode(forms)
    optimiser = torch.optim.AdamW([p for n, p in model.named_parameters() if "visual" not in n], lr=1e-3)
    for _ in range(steps):
        loss = 1 - (text_features(model, rows, ends) * codes).sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"names spread: cosine to their codes {1 - loss.item():.3f}", flush=True)


def name_features(model: torch.nn.Module) -> torch.Tensor:
    """Normalised features [C, D] of the bare class names."""
    return text_features(model, *vocabulary.encode(list(ICON_NAMES)))


def names_loss(model: torch.nn.Module, images: torch.Tensor, present: torch.Tensor, names: torch.Tensor
               ) -> torch.Tensor:  # fmt: skip
    """Cross entropy of the class names [C, D] for image features [B, D], even over the classes present [B, C]."""
    by_name = model.logit_scale.exp().clamp(max=100) * images @ names.T
    return even_cross_entropy(by_name, present)


def even_cross_entropy(logits: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Cross entropy [B, C] -> scalar; the target is even over the classes present."""
    return -(logits.log_softmax(1) * present).sum(1).div(present.sum(1)).mean()


def contrastive_loss(model: torch.nn.Module, batch: Batch, images: torch.Tensor, names: torch.Tensor) -> torch.Tensor:
    """InfoNCE over two captions a scene; pairs that happen to be true are no negatives.

    Every scene also has a caption with one noun swapped among its negatives, and all bare class names as
    candidates.
    """
    n = len(batch.images)
    scale = model.logit_scale.exp().clamp(max=100)
    logits = scale * images @ caption_features(model, batch.texts + batch.wrong_texts).T
    named = torch.cat([batch.named, batch.wrong_named])
    true = ~(named[None] & ~batch.present[:, None]).any(-1)
    # A wrong caption without a noun is just a copy: no negative for anybody.
    true |= ~named.any(-1)[None] & (torch.arange(3 * n) >= 2 * n)[None]
    loss = 2 * names_loss(model, images, batch.present, names)
    own = torch.eye(n, dtype=torch.bool)
    for k in range(2):
        part = slice(k * n, (k + 1) * n)
        hidden = true.clone()
        hidden[:, part] &= ~own
        loss = loss + F.cross_entropy(logits.masked_fill(hidden, -1e4), torch.arange(n) + k * n)
        loss = loss + F.cross_entropy(logits[:, part].masked_fill(true[:, part] & ~own, -1e4).T, torch.arange(n))
    return loss / 6


def softened(images: torch.Tensor, share: float) -> torch.Tensor:
    """Images [B, 3, S, S], a share of them as blurred as a half-denoised picture is."""
    images = images.clone()
    side = images.shape[-1]
    for i in (torch.rand(len(images)) < share).nonzero().flatten():
        small = round(side / float(torch.empty(1).uniform_(1.5, 5)))
        small_image = F.interpolate(images[i : i + 1], (small, small), mode="area")
        images[i : i + 1] = F.interpolate(small_image, (side, side), mode="bicubic").clamp(0, 1)
    return images


def patch_loss(seen: Seen, batch: Batch, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Cross entropy of what a probe reads from patch tokens for what covers them."""
    assert seen.read is not None
    return F.cross_entropy(seen.read.flatten(0, 1), batch.covered.gather(1, seen.kept).flatten(), weights)


def value_loss(seen: Seen, batch: Batch, names: torch.Tensor, background: torch.Tensor,
               weights: torch.Tensor) -> torch.Tensor:  # fmt: skip
    """Cross entropy of the class names for each patch's value path; `background` is the logit of no class."""
    by_name = VALUE_SCALE * seen.values.flatten(0, 1) @ names.T
    logits = torch.cat([by_name, background.expand(len(by_name), 1)], 1)
    return F.cross_entropy(logits, batch.covered.gather(1, seen.kept).flatten(), weights)


def attacked(model: torch.nn.Module, batch: Batch, names: torch.Tensor, probe: torch.nn.Linear, keep: torch.Tensor,
             furthest: float) -> torch.Tensor:  # fmt: skip
    """Images [B, 3, S, S], each moved up to `furthest` (l2) the way that makes its classes hardest to tell.

    What fools a CLIP fools its maps, and guidance by its gradient draws traces instead of objects; the gradients of
    one that was trained against it look like the objects (Santurkar et al. 2019, "Image Synthesis with a Single
    (Robust) Classifier").
    """
    images = batch.images.clone().requires_grad_()
    seen = image_features(model, images, probe, keep)
    loss = names_loss(model, seen.features, batch.present, names.detach()) + patch_loss(seen, batch)
    (way,) = torch.autograd.grad(loss, images)
    way = way / way.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
    return (batch.images + furthest * torch.rand(len(way), 1, 1, 1) * way).clamp(0, 1)


@torch.no_grad()
def top1(model: torch.nn.Module, images: torch.Tensor, classes: torch.Tensor, labels: tuple[str, ...],
         template: str) -> float:  # fmt: skip
    """Share of single-object scenes whose class the template puts first."""
    rows, ends = vocabulary.encode([captions.fill(template, label) for label in labels])
    scores = image_features(model, images).features @ text_features(model, rows, ends).T
    return (scores.argmax(1) == classes).float().mean().item()


class Trainer:
    def __init__(self, args: argparse.Namespace, rank: int) -> None:
        self.args, self.rank, self.out = args, rank, Path(args.out)
        torch.manual_seed(args.seed)
        self.model = build_model(len(vocabulary.known_ids()) + 1)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        inner = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "resblocks" in n]
        self.muon = Muon(inner, decay=0.05)
        plain = [p for p in self.parameters if p.ndim < 2]
        heavy = [p for p in self.parameters if p.ndim >= 2]
        self.optimiser = torch.optim.AdamW(
            [{"params": heavy, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
            lr=args.lr, betas=(0.9, 0.98), fused=True,
        )  # fmt: skip
        self.text_parameters = [p for n, p in self.model.named_parameters() if "visual" not in n]
        self.average: list[torch.Tensor] = []
        self.samples, self.step = 0, 0
        self.decay: tuple[int, int] | None = (args.decay_at, args.decay_samples) if args.decay_at else None
        # Deep supervision of the patch tokens: what covers each patch, by a classifier that training throws away.
        self.probe = torch.nn.Linear(VISION_CFG["width"], len(ICON_NAMES) + 1)
        self.probe_weights = torch.ones(len(ICON_NAMES) + 1)
        self.probe_weights[-1] = 0.15
        self.background = torch.nn.Parameter(torch.tensor([0.2 * VALUE_SCALE]))
        self.probe_optimiser = torch.optim.AdamW([*self.probe.parameters(), self.background], lr=2e-3)
        self.stages = parse_stages(args.stages)
        if (self.out / "checkpoint.pt").exists():
            self.load()
            if (self.out / "probe.pt").exists():
                kept = torch.load(self.out / "probe.pt", weights_only=True)
                self.background.data = kept.pop("background", self.background.data)
                self.probe.load_state_dict(kept)
        sprites = build()
        weights = sampling_weights(sprites, GROUP_SHARES)
        if not self.samples:
            spread_names(self.model)
            start_patches_whitened(self.model, SceneSource(sprites, weights, args.seed).batch(400, IMAGE_SIZE).images)
            self.average = [p.detach().clone() for p in self.parameters]
        torch.manual_seed(args.seed + 1000 * rank + self.samples)
        self.source = SceneSource(sprites, weights, args.seed + 7919 * (rank + 1) + self.samples)
        if rank == 0:
            one_vendor = np.zeros_like(weights)
            ids = np.flatnonzero(sprites.vendors == sprites.vendor_names.index(VALIDATION_VENDOR))
            one_vendor[sprites.classes[ids], ids] = 1
            one_vendor /= one_vendor.sum(1, keepdims=True).clip(1)
            batch = SceneSource(sprites, one_vendor, 1, augment=False).batch(304, IMAGE_SIZE, (1.0, 0.0, 0.0))
            self.validation = (batch.images, batch.present.int().argmax(1), sprites.labels)

    def load(self) -> None:
        state = torch.load(self.out / "checkpoint.pt", weights_only=False)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average = state["average"]
        self.muon.buffers = state.get("momentum", self.muon.buffers)
        self.samples, self.step, self.decay = state["samples"], state["step"], state["decay"]

    def save(self) -> None:
        names = [n for n, p in self.model.named_parameters() if p.requires_grad]
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "momentum": self.muon.buffers,
            "samples": self.samples,
            "step": self.step,
            "decay": self.decay,
        }
        torch.save({**self.probe.state_dict(), "background": self.background.data}, self.out / "probe.pt")
        torch.save(state, self.out / "next.pt")
        (self.out / "next.pt").rename(self.out / "checkpoint.pt")
        facts = {
            "samples": self.samples,
            "decay": self.decay,
            "seed": self.args.seed,
            "ranks": self.args.ranks,
            "batch": self.args.batch,
            "lr": self.args.lr,
            "muon": self.args.muon,
            "names_only": self.args.names_only,
            "stages": self.args.stages,
            "attack": self.args.attack,
            "soften": self.args.soften,
            "values": self.args.values,
        }
        ids = torch.tensor(vocabulary.known_ids(), dtype=torch.int32)
        torch.save(
            {"weights": dict(zip(names, self.average, strict=True)), "facts": facts, "token_ids": ids},
            self.out / "average.pt",
        )

    def stage(self) -> Stage:
        if self.decay and self.samples >= self.decay[0] + 0.85 * self.decay[1]:
            return Stage(IMAGE_SIZE, 0.0, 0)
        if self.decay:
            return Stage(IMAGE_SIZE, 0.5, 0)
        start = 0
        for stage in self.stages:
            start += stage.samples
            if self.samples < start:
                return stage
        return self.stages[-1]

    def rate(self) -> float:
        warm = min(1.0, (self.step + 1) / self.args.warm_up)
        left = 1.0
        if self.decay:
            left = 1 - (self.samples - self.decay[0]) / self.decay[1]
        return self.args.lr * warm * max(left, 0.0)

    def call_for_decay(self) -> None:
        """Let rank 0 look for the signal file and tell the others."""
        order = torch.zeros(1, dtype=torch.long)
        path = self.out / "decay"
        if self.rank == 0 and path.exists():
            order[0] = int(path.read_text())
        dist.broadcast(order, 0)
        if order.item() and self.decay is None:
            self.decay = (self.samples, int(order.item()))

    def train_step(self) -> float:
        stage = self.stage()
        if self.step % 50 == 0:
            if self.decay is None:
                self.call_for_decay()
            self.source.refill(0.02)
        counts = (0.4, 0.45, 0.15) if stage.side == IMAGE_SIZE else (0.75, 0.25, 0.0)
        batch = self.source.batch(self.args.batch, stage.side, counts)
        keep = choose_patches(self.args.batch, (stage.side // PATCH) ** 2, stage.drop)
        batch = replace(batch, images=softened(batch.images, self.args.soften))
        pixels, names = batch.images, name_features(self.model)
        if self.args.attack:
            furthest = self.args.attack * stage.side / IMAGE_SIZE
            pixels = attacked(self.model, batch, names, self.probe, keep, furthest)
        seen = image_features(self.model, pixels, self.probe, keep)
        if self.samples < self.args.names_only:
            loss = names_loss(self.model, seen.features, batch.present, names)
        else:
            loss = contrastive_loss(self.model, batch, seen.features, names)
        depth = patch_loss(seen, batch, self.probe_weights)
        values = value_loss(seen, batch, names, self.background, self.probe_weights)
        (loss + (0.2 if self.decay else 0.6) * depth + self.args.values * values).backward()
        self.values_loss = values.item()
        self.probe_loss = depth.item()
        self.probe_optimiser.step()
        self.probe_optimiser.zero_grad()
        if self.samples < self.args.names_only:
            for parameter in self.text_parameters:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([p.grad.flatten() for p in self.parameters])
        dist.all_reduce(flat)
        flat /= self.args.ranks
        flat *= (1.0 / flat.norm().clamp(min=1e-6)).clamp(max=1.0)
        for parameter, grad in zip(self.parameters, flat.split([p.numel() for p in self.parameters]), strict=True):
            parameter.grad = grad.view_as(parameter)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        if self.samples < self.args.names_only:
            for parameter in self.text_parameters:
                parameter.grad = None
        self.muon.step(self.rate() * self.args.muon)
        for parameter in self.muon.parameters:
            parameter.grad = None
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1
        self.samples += self.args.batch * self.args.ranks
        if self.step % 4 == 0:
            keep = min(0.996, 1 - 1 / (1 + self.step / 40))
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - keep)
        return loss.item()

    def report(self, loss: float, seconds: float, since: int) -> None:
        held = [p.detach().clone() for p in self.parameters]
        for parameter, mean in zip(self.parameters, self.average, strict=True):
            parameter.data.copy_(mean)
        images, classes, labels = self.validation
        scores = {t: round(top1(self.model, images, classes, labels, t), 3) for t in captions.TEMPLATES[::3]}
        for parameter, own in zip(self.parameters, held, strict=True):
            parameter.data.copy_(own)
        line = {
            "samples": self.samples,
            "loss": round(loss, 3),
            "probe": round(self.probe_loss, 3),
            "values": round(self.values_loss, 3),
            "lr": self.rate(),
            "stage": self.stage().side,
            "per_second": round(since / seconds),
            "scale": round(self.model.logit_scale.exp().item(), 1),
            "clock": time.strftime("%H:%M:%S"),
            "top1": scores,
        }
        print(json.dumps(line), flush=True)

    def run(self) -> None:
        began, before, losses, count = time.time(), self.samples, 0.0, 0
        while self.decay is None or self.samples < sum(self.decay):
            losses += self.train_step()
            count += 1
            last = self.decay is not None and self.samples >= sum(self.decay)
            if self.rank == 0 and (time.time() - began > self.args.report_every or last):
                self.save()
                self.report(losses / count, time.time() - began, self.samples - before)
                began, before, losses, count = time.time(), self.samples, 0.0, 0
        if self.rank == 0:
            print("finished", flush=True)


def worker(rank: int, args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(args.port))
    dist.init_process_group("gloo", rank=rank, world_size=args.ranks)
    Trainer(args, rank).run()
    dist.barrier()
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", required=True, help="folder for checkpoints and the `decay` signal file")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32, help="scenes a rank and step")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--warm-up", type=int, default=400, help="steps")
    parser.add_argument("--names-only", type=int, default=60_000, help="scenes before captions and the text tower join")
    parser.add_argument("--muon", type=float, default=4.0, help="learning rate of the blocks' matrices, times --lr")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stages", default="48/0:160000,96/0.5:1")
    parser.add_argument("--decay-at", type=int, default=0, help="samples at which to cool down (default: on signal)")
    parser.add_argument("--decay-samples", type=int, default=250_000)
    parser.add_argument(
        "--attack", type=float, default=0.0, help="train on images moved to fool it, up to so far (l2, at 96 px)"
    )
    parser.add_argument("--soften", type=float, default=0.0, help="share of the images that is blurred")
    parser.add_argument("--values", type=float, default=0.0, help="weight of the patches' value path in the loss")
    parser.add_argument("--report-every", type=float, default=150, help="seconds between reports and checkpoints")
    parser.add_argument("--port", type=int, default=29511)
    args = parser.parse_args()
    Path(args.out).mkdir(parents=True, exist_ok=True)
    vocabulary.known_ids()
    build()
    torch.multiprocessing.spawn(worker, (args,), args.ranks)


if __name__ == "__main__":
    main()
