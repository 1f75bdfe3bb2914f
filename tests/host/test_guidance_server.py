"""Guidance as a user runs it: a queued workflow on a running server, with progress, report and Cancel."""

from __future__ import annotations

import json
from typing import Any

import pytest
from host_client import ComfyClient

CLIP_FILE = "tiny.safetensors"
BOXES = json.dumps({"version": 1, "boxes": [{"id": "b1", "label": "a dog", "x": 0, "y": 0, "width": 0.5, "height": 1}]})


@pytest.fixture(autouse=True)
def _clip_file(tiny_clip: str) -> None:
    assert tiny_clip == CLIP_FILE


def node(class_type: str, /, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def workflow(steps: int = 3, seed: int = 1, cutouts: int = 2) -> dict[str, dict[str, Any]]:
    return {
        "tiny": node("TinyDiffusion", kind="eps"),
        "clip": node("LoadExplainableCLIP", source=CLIP_FILE, download=False),
        "boxes": node("BoxSpatialConstraint", width=64, height=64, template="a photo of {}", boxes=BOXES),
        "guide": node(
            "ExplainabilityGuidance",
            model=["tiny", 0],
            clip=["clip", 0],
            vae=["tiny", 1],
            constraints=["boxes", 0],
            prompt="a dog and a cat",
            strength=0.2,
            words="neglected",
            word_weight=0.1,
            box_weight=1.0,
            start_percent=0.0,
            end_percent=1.0,
            every_nth_step=1,
            cutouts=cutouts,
            decode="auto",
            seed=0,
        ),
        "empty": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "sampler": node(
            "KSampler",
            model=["guide", 0],
            seed=seed,
            steps=steps,
            cfg=4.0,
            sampler_name="euler",
            scheduler="normal",
            positive=["tiny", 2],
            negative=["tiny", 3],
            latent_image=["empty", 0],
            denoise=1.0,
        ),
        "decoded": node("VAEDecode", samples=["sampler", 0], vae=["tiny", 1]),
        "report": node("GuidanceReport", record=["guide", 1], image=["decoded", 0]),
        "shown": node("PreviewImage", images=["decoded", 0]),
        "steps": node("PreviewImage", images=["report", 1]),
    }


def test_a_guided_run_shows_picture_report_and_progress(client: ComfyClient) -> None:
    run = client.run(workflow())
    assert run.error is None
    assert len(run.images()) >= 3
    assert (3, 3) in run.progress


def test_same_seeds_same_picture(client: ComfyClient) -> None:
    first, other, again = (client.run(workflow(seed=seed)) for seed in (5, 6, 5))
    pictures = [client.view(run.outputs["shown"]["images"][0]) for run in (first, other, again)]
    assert pictures[0] == pictures[2] != pictures[1]


def test_optimize_latent_and_the_companions(client: ComfyClient) -> None:
    whole = workflow()
    prompt = {
        "tiny": whole["tiny"],
        "clip": whole["clip"],
        "empty": whole["empty"],
        "optimized": node(
            "OptimizeLatent",
            clip=["clip", 0],
            vae=["tiny", 1],
            latent=["empty", 0],
            prompt="a dog and a cat",
            preset="generate",
            steps=3,
            learning_rate=0.05,
            words="all",
            word_weight=0.1,
            box_weight=1.0,
            cutouts=2,
            seed=0,
        ),
        "decoded": node("VAEDecode", samples=["optimized", 0], vae=["tiny", 1]),
        "report": node("GuidanceReport", record=["optimized", 1], image=["decoded", 0]),
        "found": node(
            "FindNeglectedWords",
            clip=["clip", 0],
            image=["decoded", 0],
            prompt="a dog and a cat",
            emphasis=1.3,
            neglect_threshold=0.7,
        ),
        "best": node(
            "PickBestExplained",
            clip=["clip", 0],
            images=["decoded", 0],
            prompt="a dog and a cat",
            count=1,
            neglect_threshold=0.7,
        ),
        "shown": node("PreviewImage", images=["best", 0]),
        "words": node("PreviewImage", images=["found", 2]),
    }
    run = client.run(prompt)
    assert run.error is None
    assert (3, 3) in run.progress


def test_an_error_names_input_and_remedy(client: ComfyClient) -> None:
    prompt = workflow()
    prompt["guide"]["inputs"]["words"] = "marked"
    run = client.run(prompt)
    assert run.error is not None
    assert "square brackets" in run.error["exception_message"]


def test_cancel_stops_within_a_step(client: ComfyClient) -> None:
    seen: list[int] = []

    def cancel(message: dict[str, Any]) -> None:
        if message["type"] == "progress" and message["data"]["max"] == 200:
            seen.append(int(message["data"]["value"]))
            if len(seen) == 2:
                client.interrupt()

    run = client.run(workflow(steps=200, cutouts=8), cancel)
    assert run.interrupted
    assert max(seen) <= seen[1] + 2  # one step may have been reported while the request was on its way
    assert client.run(workflow()).error is None
