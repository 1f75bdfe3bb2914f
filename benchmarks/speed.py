"""How fast is relevancy? ``python benchmarks/speed.py [--quick]``: everything side by side in one run.

Relevancy of one image for K prompts on random ViT-B/32 and ViT-B/16, text features given, against

- the reference order: the image repeated K times, one gradient call for each layer, N x N products;
- the floor: one image forward pass and K backward passes, nothing else;
- one gradient call on the image repeated K times;
- peers that are installed (legrad-torch, gem-torch).

Then how memory grows with K, a guidance step with and without relevancy, and the classifier's throughput.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from benchmark_pack import ROOT
from clip_explainability.core import relevancy
from clip_explainability.core.boxes.constraint import from_box
from clip_explainability.core.classification.zero_shot import encode_images, encode_texts
from clip_explainability.core.clip import ExplainableCLIP
from clip_explainability.core.grad_mode import gradients
from clip_explainability.core.guidance.cutouts import draw_windows, seeded_generator
from clip_explainability.core.guidance.objective import Objective, Weights
from machine import describe_machine, machine_line
from speed_peers import PEERS

MODELS = ("ViT-B-32", "ViT-B-16")
PROMPT_COUNTS = (1, 8, 32)
_MEMORY_COUNTS = (1, 8, 32, 64)
_BOUND = 16 * 2**20


def random_clip(name: str) -> ExplainableCLIP:
    """A full-size CLIP with random weights: times don't depend on them."""
    torch.manual_seed(0)
    model = open_clip.CLIP(**open_clip.get_model_config(name))
    return ExplainableCLIP(model, open_clip.get_tokenizer(name), name)


def reference_order(
    clip: ExplainableCLIP, pixels: torch.Tensor, texts: torch.Tensor, blocks: int | None
) -> torch.Tensor:
    """Relevancy as the released reference code orders it: ``[K, rows, columns]``."""
    with gradients():
        trace = relevancy.trace_images(clip, pixels.expand(len(texts), -1, -1, -1), blocks)
        score = (trace.features * texts).sum()
        tokens = trace.attention[0].shape[-1]
        r = torch.eye(tokens, device=pixels.device).expand(len(texts), tokens, tokens)
        for attention in trace.attention:
            gradient = torch.autograd.grad(score, [attention], retain_graph=True)[0].detach()
            contribution = (gradient * attention.detach()).clamp(min=0).mean(dim=1)
            r = r + torch.bmm(contribution, r)
    return r[:, 0, 1:].unflatten(-1, clip.vision.grid)


def ours(clip: ExplainableCLIP, pixels: torch.Tensor, texts: torch.Tensor, blocks: int | None) -> torch.Tensor:
    """The same by ``core.relevancy``: ``[K, rows, columns]``."""
    with gradients():
        return relevancy.image_relevancy(relevancy.trace_images(clip, pixels, blocks), texts)[:, 0]


def one_gradient_call(clip: ExplainableCLIP, pixels: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """The image repeated K times, then one gradient call and the row form: ``[K, rows, columns]``."""
    with gradients():
        trace = relevancy.trace_images(clip, pixels.expand(len(texts), -1, -1, -1))
        found = torch.autograd.grad((trace.features * texts).sum(), trace.attention)
        contributions = [relevancy.block_contribution(a, g) for a, g in zip(trace.attention, found, strict=True)]
        row = F.one_hot(torch.zeros(len(texts), dtype=torch.long), contributions[0].shape[-1]).to(contributions[0])
        return relevancy.propagate_row(row, contributions)[:, 1:].unflatten(-1, clip.vision.grid)


def floor(clip: ExplainableCLIP, pixels: torch.Tensor, texts: torch.Tensor) -> None:
    """One forward pass with readable attention and K backward passes down to the first block's attention."""
    with gradients():
        trace = relevancy.trace_images(clip, pixels)
        for text in texts:
            torch.autograd.grad(trace.features, trace.attention, text.unsqueeze(0), retain_graph=True)


def plain_forward(clip: ExplainableCLIP, pixels: torch.Tensor) -> None:
    """The image tower alone, with its fused attention."""
    with torch.no_grad():
        clip.model.encode_image(clip.normalize_pixels(pixels))


def median_ms(work: Callable[[], Any], repeats: int) -> float:
    """Median time of ``repeats`` runs after one to warm up."""
    return medians_in_turns({"work": work}, repeats)["work"]


def medians_in_turns(work: dict[str, Callable[[], Any]], repeats: int, warm_up: bool = True) -> dict[str, float]:
    """Median times of several variants, run in turns: a machine that is busy for a while slows all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(repeats + warm_up):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn or not warm_up:
                times[name].append(time.perf_counter() - start)
    return {name: round(1000 * sorted(found)[len(found) // 2], 2) for name, found in times.items()}


def time_relevancy(name: str, counts: tuple[int, ...], repeats: int, device: torch.device) -> dict[str, Any]:
    """Milliseconds of every variant for every K, and the ratios that the goals are about."""
    clip = random_clip(name)
    clip.model.to(device)
    pixels = torch.rand(1, 3, *clip.image_size, device=device)
    rows: dict[str, Any] = {"forward": median_ms(lambda: plain_forward(clip, pixels), repeats), "k": {}}
    for count in counts:
        texts = F.normalize(torch.randn(count, 512, device=device), dim=-1)
        _check_agreement(clip, pixels, texts[:2])
        few = max(1, repeats // (1 if count == 1 else 3 if count <= 8 else 5))
        work: dict[str, Callable[[], Any]] = {
            "all_blocks": lambda texts=texts: ours(clip, pixels, texts, None),  # type: ignore[misc]
            "last_block": lambda texts=texts: ours(clip, pixels, texts, 1),  # type: ignore[misc]
            "floor": lambda texts=texts: floor(clip, pixels, texts),  # type: ignore[misc]
            "one_gradient_call": lambda texts=texts: one_gradient_call(clip, pixels, texts),  # type: ignore[misc]
            "reference_last_block": lambda texts=texts: reference_order(clip, pixels, texts, 1),  # type: ignore[misc]
            "reference": lambda texts=texts: reference_order(clip, pixels, texts, None),  # type: ignore[misc]
        }
        found = medians_in_turns(work, few, warm_up=count <= 8)
        found["speedup_all_blocks"] = round(found["reference"] / found["all_blocks"], 2)
        found["speedup_last_block"] = round(found["reference"] / found["last_block"], 2)
        found["floor_ratio"] = round(found["all_blocks"] / found["floor"], 3)
        rows["k"][count] = found
        print(f"  {name}, K = {count}: {found}", flush=True)
    rows["peers"] = time_peers(clip, pixels, max(1, repeats // 5)) if device.type == "cpu" else {}
    if 8 in rows["k"]:
        eight = rows["k"][8]
        rows["speedup_k8_all_blocks"] = eight["speedup_all_blocks"]
        rows["speedup_k8_last_block"] = eight["speedup_last_block"]
        rows["floor_ratio_k8"] = eight["floor_ratio"]
    return rows


def _check_agreement(clip: ExplainableCLIP, pixels: torch.Tensor, texts: torch.Tensor) -> None:
    """A faster answer must be the same answer."""
    literal = reference_order(clip, pixels, texts, None)
    for found in (ours(clip, pixels, texts, None), one_gradient_call(clip, pixels, texts)):
        assert (found - literal).abs().max() <= 1e-4 * literal.abs().max()


def time_peers(clip: ExplainableCLIP, pixels: torch.Tensor, repeats: int) -> dict[str, Any]:
    """Milliseconds of other packages for 8 prompts of one image, or why they did not run."""
    found: dict[str, Any] = {}
    for name, prepare in PEERS.items():
        try:
            run = prepare(copy.deepcopy(clip.model), pixels, 8)
            found[name] = median_ms(run, repeats)
        except Exception as error:  # a peer may fail in any way; that is the result
            found[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"
        print(f"  peer {name}: {found[name]}", flush=True)
    return found


def measure_memory(name: str) -> dict[str, Any]:
    """Memory (MiB) that K prompts take beside the image's forward pass, each in a process of its own; and with a bound
    on the gradients held at once."""

    def peak(count: int, bound: int | None) -> float:
        command = [sys.executable, __file__, "--peak-memory", name, str(count), str(bound or 0)]
        # What is allocated, not what malloc keeps for later: large pieces go back to the system at once.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
        return float(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)

    free = {count: round(peak(count, None), 1) for count in _MEMORY_COUNTS}
    bounded = {count: round(peak(count, _BOUND), 1) for count in _MEMORY_COUNTS}
    print(f"  {name}: MiB for K prompts: {free}; bounded: {bounded}", flush=True)
    return {"mib": free, "mib_bounded": bounded, "bound_mib": _BOUND // 2**20}


def print_peak_memory(name: str, count: int, bound: int) -> None:
    """In a fresh process: explain once and print by how many MiB the resident memory rose meanwhile."""
    import psutil

    clip = random_clip(name)
    pixels = torch.rand(1, 3, *clip.image_size)
    texts = F.normalize(torch.randn(count, 512), dim=-1)
    process, peak, done = psutil.Process(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, process.memory_info().rss)

    with gradients():
        trace = relevancy.trace_images(clip, pixels)
        before = process.memory_info().rss
        watcher = threading.Thread(target=watch)
        watcher.start()
        relevancy.image_relevancy(trace, texts, pass_bytes=bound or 2**40)
        done.set()
        watcher.join()
    print(max(0, peak - before) / 2**20)


def time_guidance(repeats: int) -> dict[str, float]:
    """One guidance step (loss and its gradient) on a 256 px picture through ViT-B/32, four cutouts."""
    clip = random_clip("ViT-B-32")
    image, windows = torch.rand(1, 3, 256, 256), draw_windows(4, seeded_generator(0, 1.0))
    box = from_box("dog", (0.1, 0.2, 0.6, 0.8), 256, 256, prompt="a photo of a dog")
    objectives = {
        "similarity": Objective(clip, "a dog and a cat", weights=Weights(words=0)),
        "similarity + words": Objective(clip, "a dog and a cat", choice="all"),
        "similarity + words + box": Objective(clip, "a dog and a cat", (box,), choice="all"),
    }

    def step(objective: Objective) -> None:
        with gradients():
            objective.gradient(image, windows, torch.Generator().manual_seed(0))

    return {name: median_ms(lambda o=objective: step(o), repeats) for name, objective in objectives.items()}  # type: ignore[misc]


def time_classifier(repeats: int) -> dict[str, float]:
    """Images and prompts a second through ViT-B/32."""
    clip = random_clip("ViT-B-32")
    images = torch.rand(16, 3, 224, 224)
    prompts = [f"a photo of a thing number {index}" for index in range(64)]
    return {
        "images a second": round(16_000 / median_ms(lambda: encode_images(clip, images), repeats), 1),
        "prompts a second": round(64_000 / median_ms(lambda: encode_texts(clip, prompts), repeats), 1),
    }


def markdown(result: dict[str, Any]) -> str:
    """The tables."""
    lines = [f"{machine_line(result['machine'])}; {result['seconds']} s. Medians in ms.", ""]
    lines += [
        "| model | K | reference order | one gradient call | floor | **all blocks** | **last block** "
        "| x reference, all | x reference, last | of the floor |",
        "| --- |" + " ---: |" * 9,
    ]
    for name, rows in result["models"].items():
        for count, row in rows["k"].items():
            lines.append(
                f"| {name} | {count} | {row['reference']:.0f} | {row['one_gradient_call']:.0f} | {row['floor']:.0f} | "
                f"{row['all_blocks']:.0f} | {row['last_block']:.0f} | {row['speedup_all_blocks']:.1f} x | "
                f"{row['speedup_last_block']:.1f} x | {row['floor_ratio']:.2f} |"
            )
    lines += ["", "The reference order reading the last block only, for comparison with the same:", ""]
    for name, rows in result["models"].items():
        parts = [f"K = {k}: {row['reference_last_block'] / row['last_block']:.1f} x" for k, row in rows["k"].items()]
        lines.append(f"- {name}: {', '.join(parts)}; a plain forward pass takes {rows['forward']:.0f} ms.")
    lines += [
        "",
        "| peer, 8 prompts | " + " | ".join(result["models"]) + " |",
        "| --- |" + " --- |" * len(result["models"]),
    ]
    for peer in PEERS:
        cells = [rows["peers"].get(peer, "not run") for rows in result["models"].values()]
        lines.append(f"| {peer} | " + " | ".join(f"{c:.0f} ms" if isinstance(c, float) else c for c in cells) + " |")
    memory = result["memory"]
    counts = list(memory["mib"])
    lines += [
        "",
        f"| MiB beside the forward pass, {memory['model']} | " + " | ".join(f"K = {k}" for k in counts) + " |",
        "| --- |" + " ---: |" * len(counts),
        "| no bound | " + " | ".join(str(v) for v in memory["mib"].values()) + " |",
        f"| bound of {memory['bound_mib']} MiB | " + " | ".join(str(v) for v in memory["mib_bounded"].values()) + " |",
        "",
        "| guidance step, ViT-B-32, 4 cutouts | ms | of similarity alone |",
        "| --- | ---: | ---: |",
    ]
    alone = result["guidance"]["similarity"]
    lines += [f"| {name} | {value:.0f} | {value / alone:.2f} |" for name, value in result["guidance"].items()]
    lines += ["", "| classifier, ViT-B-32 | |", "| --- | ---: |"]
    lines += [f"| {name} | {value:.1f} |" for name, value in result["classifier"].items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the benchmark and write its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ViT-B/32, K = 1 and 8: about two minutes")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--peak-memory", nargs=3, metavar=("MODEL", "K", "BOUND"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_memory:
        name, count, bound = options.peak_memory
        print_peak_memory(name, int(count), int(bound))
        return
    repeats, device, start = 3 if options.quick else 10, torch.device(options.device), time.perf_counter()
    result: dict[str, Any] = {"machine": describe_machine(), "models": {}}
    for name in MODELS[:1] if options.quick else MODELS:
        result["models"][name] = time_relevancy(name, PROMPT_COUNTS[: 2 if options.quick else 3], repeats, device)
    result["memory"] = {"model": "ViT-B-32", **measure_memory("ViT-B-32")}
    result["guidance"] = time_guidance(repeats)
    result["classifier"] = time_classifier(repeats)
    result["seconds"] = round(time.perf_counter() - start)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "speed.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    (options.out / "speed.md").write_text(markdown(result), "utf-8")
    print(markdown(result))


if __name__ == "__main__":
    main()
