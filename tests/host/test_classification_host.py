"""Classifier, router and prompt learner in a real server, on scenes of the demo world."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clip_explainability.core.classification.class_prompts import load_class_prompts
from clip_explainability.core.classification.classes import parse_classes
from clip_explainability.core.classification.classify import Prompting, classify
from clip_explainability.core.demo.batch import draw_batch
from clip_explainability.core.loading import sources
from host_client import ComfyClient, Message, Prompt, PromptRejected, Run
from host_server import ComfyServer

OBJECTS = ["cat", "fish", "house", "guitar"]
CLASSES = "\n".join([*OBJECTS, "car", "tree"])
TEMPLATES = ("a {}", "a photo of a {}")


def classifier(source: str = sources.DEMO, **changes: Any) -> Prompt:
    """Four pictures, classified, sorted into files by class."""
    settings = {
        "classes": CLASSES,
        "templates": "custom",
        "custom_templates": "\n".join(TEMPLATES),
        "ensemble": "mean of embeddings",
        "temperature": 1.0,
        "top_k": 3,
        "threshold": 0.0,
        "fit": "crop",
        "maps": "relevancy",
    }
    linked = {"clip": ["clip", 0], "image": ["scenes", 0]}
    scenes = {
        "objects": ", ".join(OBJECTS),
        "random_objects": 1,
        "width": 128,
        "height": 128,
        "scenes": 1,
        "clutter": 0.0,
        "seed": 4,
        "apart": True,
    }
    routed = {"image": ["scenes", 0], "selected": ["classifier", 5], "class_name": changes.pop("class_name", "")}
    return {
        "clip": {"class_type": "LoadExplainableCLIP", "inputs": {"source": source, "download": False}},
        "scenes": {"class_type": "DemoScene", "inputs": scenes},
        "classifier": {"class_type": "PromptEnsembleClassifier", "inputs": {**linked, **settings, **changes}},
        "route": {"class_type": "RouteImagesByClass", "inputs": routed},
        "sorted": {"class_type": "SaveImage", "inputs": {"images": ["route", 0], "filename_prefix": ["route", 1]}},
        "maps": {"class_type": "MaskToImage", "inputs": {"mask": ["classifier", 4]}},
        "shown": {"class_type": "PreviewImage", "inputs": {"images": ["maps", 0]}},
    }


def learner(source: str = sources.DEMO, **changes: Any) -> Prompt:
    """The same pictures, learned from, and then classified with what was learned."""
    settings = {
        "n_ctx": 4,
        "class_position": "middle",
        "explainability_weight": 0.5,
        "also_minimise": True,
        "derivative": "first order",
        "epochs": 5,
        "learning_rate": 0.002,
        "batch_size": 32,
        "seed": 0,
        "labels": "\n".join(OBJECTS),
        "save_as": "",
    }
    prompt = classifier(source, classes="", class_prompts=["learner", 0], maps="off")
    linked = {"clip": ["clip", 0], "image": ["scenes", 0]}
    prompt["learner"] = {"class_type": "LearnClassPrompts", "inputs": {**linked, **settings, **changes}}
    return prompt


def saved_labels(run: Run) -> list[str]:
    """Classes by which the pictures were sorted into files."""
    assert run.error is None
    return sorted(image["filename"].rsplit("_", 2)[0] for image in run.outputs["sorted"]["images"])


def test_pictures_are_filed_under_the_class_that_the_library_gives_them(client: ComfyClient) -> None:
    images = draw_batch(OBJECTS, 1, (128, 128), 1, 0.0, 4, apart=True).images.movedim(-1, 1)
    clip = sources.load_source(sources.DEMO, lambda _: None, None, False, torch.float32, "auto")
    found = classify(clip, images, Prompting(parse_classes(CLASSES), TEMPLATES))
    run = client.run(classifier())
    assert saved_labels(run) == sorted(found.names[i] for i in found.scores.top.tolist())
    assert len(run.outputs["shown"]["images"]) == len(OBJECTS)
    assert len(run.outputs["classifier"]["images"]) == 1  # the chart, on the node itself


def test_a_new_threshold_or_temperature_encodes_nothing_again(client: ComfyClient) -> None:
    assert client.run(classifier(classes="cat\nowl\nfish")).progress
    again = client.run(classifier(classes="cat\nowl\nfish", threshold=1.0, temperature=5.0))
    assert again.progress == []
    assert saved_labels(again) == ["(unsure)"] * len(OBJECTS)


def test_an_output_without_images_fails_no_run(client: ComfyClient) -> None:
    prompt = classifier(class_name="no such class")
    prompt["matching"] = {"class_type": "PreviewImage", "inputs": {"images": ["route", 2]}}
    prompt["others"] = {"class_type": "PreviewImage", "inputs": {"images": ["route", 3]}}
    run = client.run(prompt)
    assert run.error is None
    assert len(run.outputs.get("matching", {}).get("images", [])) <= 1  # none, or a stand-in on hosts of early 2024
    assert len(run.outputs["others"]["images"]) == len(OBJECTS)


def test_a_template_without_a_place_for_the_class_is_refused_before_anything_runs(client: ComfyClient) -> None:
    with pytest.raises(PromptRejected, match=r"has no \{\}"):
        client.queue(classifier(custom_templates="a photo"))


def test_learning_shows_every_epoch_and_its_prompts_classify(client: ComfyClient, server: ComfyServer) -> None:
    run = client.run(learner(save_as="host test"))
    assert {(epoch, 5) for epoch in range(1, 6)} <= set(run.progress)
    assert set(saved_labels(run)) <= set(OBJECTS)
    assert load_class_prompts(prompts_file(server, "host test")).classes == tuple(OBJECTS)


def test_saved_prompts_load_and_another_clip_refuses_them(client: ComfyClient, tiny_clip: str) -> None:
    client.run(learner(save_as="to load"))
    loaded = {"class_type": "LoadClassPrompts", "inputs": {"file": "to load.safetensors"}}
    prompt = {**classifier(classes="", class_prompts=["prompts", 0], maps="off"), "prompts": loaded}
    assert set(saved_labels(client.run(prompt))) <= set(OBJECTS)
    foreign = {**classifier(tiny_clip, classes="", class_prompts=["prompts", 0], maps="off"), "prompts": loaded}
    error = client.run(foreign).error
    assert error is not None
    assert "were learned on" in error["exception_message"]


def test_cancelling_a_long_lesson_is_prompt_and_keeps_the_best_so_far(client: ComfyClient, server: ComfyServer) -> None:
    cancelled: list[float] = []

    def cancel_in_training(message: Message) -> None:
        if message["type"] == "progress" and message["data"]["max"] == 2000 and not cancelled:
            client.interrupt()
            cancelled.append(time.monotonic())

    run = client.run(learner(epochs=2000, seed=1), cancel_in_training)
    assert run.interrupted
    assert time.monotonic() - cancelled[0] < 5
    kept = load_class_prompts(prompts_file(server, "cancelled"))
    assert 1 <= len(kept.history) < 2000
    assert np.isfinite(kept.context.numpy()).all()


def prompts_file(server: ComfyServer, name: str) -> Path:
    return server.base / "models" / "clip_explainability" / f"{name}.safetensors"
