"""What guidance costs, as ratios: words and boxes against similarity alone, a guided step against an unguided one.

    python benchmarks/guidance_cost.py [--cutouts 8] [--repeats 7] [--threads 2] [--step [--comfyui CHECKOUT]]

The CLIP is a ViT-B/32 at 224 px with random weights: time does not depend on them. Variants are timed in turns, so
that a busy machine slows all of them alike; figures are medians. ``--step`` also times one classifier-free step of a
UNet of SD 1.5's size at 512 px (3.4 GB of random weights, minutes on a CPU), in a Python that has a ComfyUI.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import pack  # noqa: E402

pack.load()

import open_clip  # noqa: E402
import torch  # noqa: E402
from clip_explainability.core.boxes.constraint import from_box  # noqa: E402
from clip_explainability.core.clip import ExplainableCLIP  # noqa: E402
from clip_explainability.core.grad_mode import gradients  # noqa: E402
from clip_explainability.core.guidance.cutouts import draw_windows, seeded_generator  # noqa: E402
from clip_explainability.core.guidance.decode import latents_to_rgb  # noqa: E402
from clip_explainability.core.guidance.objective import Objective, Weights  # noqa: E402

PROMPT = "a brown dog, a blue bicycle and a wooden bench on a beach"
THREE = tuple(
    from_box(label, box, 64, 64, prompt=f"a photo of {label}")
    for label, box in [
        ("a dog", (0.05, 0.4, 0.4, 0.95)),
        ("a bicycle", (0.5, 0.4, 0.95, 0.9)),
        ("a bench", (0.3, 0.05, 0.7, 0.35)),
    ]
)
FACTORS = [[0.35, 0.23, 0.32], [0.33, 0.5, 0.24], [-0.28, 0.18, 0.27], [-0.21, -0.26, -0.72]]  # SD 1.5's preview


def objectives(clip: ExplainableCLIP) -> dict[str, Objective]:
    similarity = Weights(words=0.0)
    return {
        "similarity": Objective(clip, PROMPT, weights=similarity),
        "words": Objective(clip, PROMPT, choice="all"),
        "boxes3": Objective(clip, PROMPT, THREE, similarity),
        "contrast3": Objective(clip, PROMPT, THREE, Weights(words=0.0, boxes=0.0, contrast=0.2)),
        "boxes+contrast3": Objective(clip, PROMPT, THREE, Weights(words=0.0, contrast=0.2)),
        "words+boxes3": Objective(clip, PROMPT, THREE, choice="all"),
    }


def guided_call(objective: Objective, latents: torch.Tensor, cutouts: int) -> None:
    """What guidance adds to a model call on the cheap route with the linear preview as decoder."""
    with gradients():
        leaf = latents.clone().requires_grad_()
        images = latents_to_rgb(leaf, FACTORS)
        generator = seeded_generator(0, 1.0)
        _, gradient = objective.gradient(images, draw_windows(cutouts, generator), generator)
        torch.autograd.grad(images, leaf, gradient)


def median_seconds(work: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    for run in work.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, run in work.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def unguided_step(comfyui: Path | None) -> Callable[[], None]:
    """One classifier-free step (batch of two) of a UNet of SD 1.5's size on 64 x 64 latents."""
    if comfyui is not None:
        sys.path.insert(0, str(comfyui))
    from comfy.cli_args import args

    args.cpu = True
    from comfy import ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    network = UNetModel(
        image_size=32,
        in_channels=4,
        out_channels=4,
        model_channels=320,
        num_res_blocks=[2, 2, 2, 2],
        channel_mult=(1, 2, 4, 4),
        num_heads=8,
        use_spatial_transformer=True,
        transformer_depth=[1, 1, 1, 1, 1, 1, 0, 0],
        transformer_depth_output=[1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        transformer_depth_middle=1,
        context_dim=768,
        legacy=False,
        dtype=torch.float32,
        operations=ops.disable_weight_init,
    ).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.02)
    x, context = torch.randn(2, 4, 64, 64), torch.randn(2, 77, 768)

    def step() -> None:
        with torch.no_grad():
            network(x, torch.tensor([500.0, 500.0]), context)

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cutouts", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--step", action="store_true")
    parser.add_argument("--comfyui", type=Path)
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    chosen = parser.parse_args()
    sys.argv = sys.argv[:1]  # the host reads them as well
    torch.set_num_threads(chosen.threads)
    model = open_clip.create_model("ViT-B-32", pretrained=None)
    clip = ExplainableCLIP(model, open_clip.get_tokenizer("ViT-B-32"), "ViT-B-32")
    latents = torch.randn(1, 4, 64, 64)
    work: dict[str, Callable[[], None]] = {
        name: (lambda objective=objective: guided_call(objective, latents, chosen.cutouts))  # type: ignore[misc]
        for name, objective in objectives(clip).items()
    }
    seconds = median_seconds(work, chosen.repeats)
    result: dict[str, Any] = {
        "cutouts": chosen.cutouts,
        "threads": chosen.threads,
        "torch": torch.__version__,
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "ratio_to_similarity": {name: round(value / seconds["similarity"], 3) for name, value in seconds.items()},
    }
    if chosen.step:
        step = median_seconds({"step": unguided_step(chosen.comfyui)}, 1)["step"]
        result["unguided_step_seconds"] = round(step, 3)
        result["ratio_to_unguided_step"] = {name: round(1 + value / step, 3) for name, value in seconds.items()}
    print(json.dumps(result, indent=2))
    if chosen.output:
        chosen.output.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


main()
