"""Prompts that are wrong on purpose, made from a server's own ``/object_info``, and a judge of its answers.

For every node of the pack and each of its inputs: left out, of the wrong type, out of range, connected to the wrong
socket, and inputs that don't exist. A good answer to any of them names the input and what is wrong with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from host_client import ComfyClient, Prompt, PromptRejected, Run
from workflow_api import ObjectInfo

PACK = "CLIP Explainability"  # where its nodes stand in the menu
_BOXES = {"version": 1, "boxes": [{"label": "cat", "x": 0, "y": 0, "width": 0.5, "height": 1}]}
_CLIP = ["clip", 0]
_SCENES = ["scenes", 0]
_PAIRS = {"image": _SCENES, "clip": _CLIP, "epochs": 1}

# What a connection of each type comes from. Always the same nodes with the same inputs, so that the server keeps
# their results and a prompt costs no more than the node that it is about.
SOURCES: dict[str, list[Any]] = {
    "EXPLAINABLE_CLIP": _CLIP,
    "CLIP_VISION": ["parts", 0],
    "CLIP": ["parts", 1],
    "IMAGE": _SCENES,
    "MASK": ["scenes", 1],
    "LATENT": ["empty", 0],
    "MODEL": ["tiny", 0],
    "VAE": ["tiny", 1],
    "CONDITIONING": ["tiny", 2],
    "STRING": ["classified", 5],
    "BOUNDING_BOX": ["boxes", 2],
    "EXPLAINABILITY_CONSTRAINTS": ["boxes", 0],
    "GUIDANCE_RECORD": ["guide", 1],
    "CLASS_PROMPTS": ["prompts", 0],
    "ECLIP_PROJECTION": ["projection", 0],
}

# Inputs of the node in question that keep it quick, or that its defaults leave open.
_SETTINGS: dict[str, dict[str, Any]] = {
    "DemoScene": {"width": 64, "height": 64},
    "CLIPRelevancyMap": {"last_blocks": 1},
    "CompareMethods": {"methods": "relevancy, itsm", "last_blocks": 1},
    "BoxSpatialConstraint": {"width": 64, "height": 64, "boxes": json.dumps(_BOXES)},
    "ExplainabilityGuidance": {"cutouts": 1},
    "OptimizeLatent": {"steps": 1, "cutouts": 1},
    "PromptEnsembleClassifier": {"templates": "simple", "maps": "off"},
    "LearnClassPrompts": {**_PAIRS, "labels": "cat\ndog", "n_ctx": 2, "save_as": ""},
    "LoadClassPrompts": {"file": "none.safetensors"},
    "GuidanceReport": {"image": ["decoded", 0]},
    "TrainECLIPProjection": {**_PAIRS, "captions": "a cat\na dog", "save_as": ""},
}

# Values that no widget gives, and that some program will send.
_ODD_VALUES: tuple[Any, ...] = (
    None,
    "",
    "nonsense",
    "../../etc/passwd",
    "<img src=x onerror=alert(1)>",
    "a\0b",
    "\ud800",
    -1,
    1e30,
    10**40,
    math.nan,
    math.inf,
    -math.inf,
    True,
    {},
    {"label": "cat"},
)
_ODD_LINKS: tuple[Any, ...] = ([], [1], [1, 2, 3], ["nowhere", 0], ["clip", 99], [None, None], [{}, {}])


@dataclass(frozen=True)
class Fault:
    """A prompt with one wrong input.

    Attributes:
        node, input: type of the node and name of its input.
        value: what the input was given; "(left out)" where it is missing.
        must_fail: whether this can't be right in any reading.
    """

    node: str
    input: str
    value: Any
    prompt: Prompt
    must_fail: bool

    def __str__(self) -> str:
        return f"{self.node}.{self.input} = {str(self.value)[:60]!r}"


def faults(object_info: ObjectInfo, odd_links: bool) -> Iterator[Fault]:
    """Every fault of every node of the pack.

    Args:
        odd_links: also lists that are no links. The host of 2024 follows them unseen, and its worker ends, whichever
            node they are at.
    """
    for node, good in good_prompts(object_info):
        inputs = object_info[node]["input"]
        specs = {
            name: (spec, group == "required")
            for group in ("required", "optional")
            for name, spec in inputs.get(group, {}).items()
        }
        for name, (spec, required) in specs.items():
            if required:
                without = {key: value for key, value in good.items() if key != name}
                yield Fault(node, name, "(left out)", around(node, without), True)
            for value, must_fail in _values(spec, required, odd_links):
                yield Fault(node, name, value, around(node, {**good, name: value}), must_fail)
        for value in (5, _CLIP):
            yield Fault(node, "no_such_input", value, around(node, {**good, "no_such_input": value}), False)


def _values(spec: list[Any], required: bool, odd_links: bool) -> Iterator[tuple[Any, bool]]:
    """Wrong values for an input of that kind, each with whether it must be refused."""
    kind, options = spec[0], spec[1] if len(spec) > 1 else {}
    if _is_socket(kind, options):
        for other, source in SOURCES.items():
            if other != kind:
                yield source, True
        nothing_of_the_kind: tuple[Any, ...] = (None, 5, "nonsense", {})
        yield from ((value, required) for value in nothing_of_the_kind)
    else:
        for value in _ODD_VALUES:
            yield value, _never_right(kind, value)
        yield from ((source, kind != "STRING") for source in (_CLIP, _SCENES))
        if "min" in options and "max" in options:
            yield from ((value, True) for value in (options["min"] - 1, options["max"] + 1))
    if odd_links:
        yield from ((value, True) for value in _ODD_LINKS)


def _is_socket(kind: Any, options: dict[str, Any]) -> bool:
    return not isinstance(kind, list) and kind in SOURCES and (kind != "STRING" or bool(options.get("forceInput")))


def _never_right(kind: Any, value: Any) -> bool:
    if isinstance(kind, list):
        return value is not None
    if kind in ("INT", "FLOAT"):
        return not isinstance(value, bool | None) and (isinstance(value, str | dict) or not math.isfinite(value))
    return False


def good_prompts(object_info: ObjectInfo) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node of the pack with inputs with which it runs (see :func:`around`)."""
    for node, info in object_info.items():
        if info["category"].startswith(PACK):
            yield node, _good_inputs(node, {**info["input"].get("required", {}), **info["input"].get("optional", {})})


def _good_inputs(node: str, specs: dict[str, list[Any]]) -> dict[str, Any]:
    """Its defaults, and connections from :data:`SOURCES` where it needs them."""
    inputs = {}
    for name, spec in specs.items():
        kind, options = spec[0], spec[1] if len(spec) > 1 else {}
        if "default" in options:
            inputs[name] = options["default"]
        elif isinstance(kind, list):
            inputs[name] = kind[0] if kind else ""
        elif _is_socket(kind, options) and name not in (
            "bboxes",
            "labels",
            "class_prompts",
            "eclip_projection",
            "constraints",
        ):
            inputs[name] = SOURCES[kind]
    if node == "PickSpatialConstraint":
        inputs["constraints"] = SOURCES["EXPLAINABILITY_CONSTRAINTS"]
    if node == "BoxSpatialConstraint":
        inputs = {name: value for name, value in inputs.items() if not isinstance(value, list)}
    return {**inputs, **_SETTINGS.get(node, {})}


def around(node: str, inputs: dict[str, Any]) -> Prompt:
    """A whole prompt for one node: what its inputs may come from before it, something that takes its result after it.

    Needs the test pack ``tests/host/tiny_nodes`` in the server.
    """
    subject = {"class_type": node, "inputs": inputs}
    result = ["subject", 0]
    prompt = {**_sources(), "subject": subject, "sink": {"class_type": "Sink", "inputs": {"value": result}}}
    if node == "ExplainabilityGuidance":
        prompt["guided"] = _sampler(result)
        prompt["sink"]["inputs"]["value"] = ["guided", 0]
    return prompt


def _sources() -> Prompt:
    def node(class_type: str, /, **inputs: Any) -> dict[str, Any]:
        return {"class_type": class_type, "inputs": inputs}

    scenes = {"objects": "cat, guitar", "random_objects": 1, "width": 64, "height": 64, "scenes": 2, "clutter": 0.0}
    guidance = {
        "model": SOURCES["MODEL"], "clip": _CLIP, "prompt": "a cat", "strength": 0.1, "words": "all",
        "word_weight": 0.1, "box_weight": 1.0, "start_percent": 0.0, "end_percent": 1.0, "every_nth_step": 1,
        "cutouts": 1, "decode": "fast", "seed": 0,
    }  # fmt: skip
    classes = {
        "classes": "cat\ndog", "templates": "simple", "custom_templates": "a {}", "ensemble": "mean of embeddings",
        "temperature": 1.0, "top_k": 2, "threshold": 0.0, "fit": "crop", "maps": "off",
    }  # fmt: skip
    learning = {
        "n_ctx": 2, "class_position": "end", "explainability_weight": 0.0, "also_minimise": False,
        "derivative": "first order", "learning_rate": 0.002, "batch_size": 2, "seed": 0, "labels": "cat\ndog",
    }  # fmt: skip
    training = {
        "batch_size": 2, "learning_rate": 0.001, "attention_mass": 0.05, "seed": 0, "save_as": "",
        "captions": "a cat\na dog",
    }  # fmt: skip
    return {
        "clip": node("LoadExplainableCLIP", source="demo (embedded)", download=False),
        "parts": node("TinyClipParts", width=64, encoders="clip_l=64", projection="own"),
        "scenes": node("DemoScene", seed=1, **scenes),
        "boxes": node("BoxSpatialConstraint", width=64, height=64, template="{}", boxes=json.dumps(_BOXES)),
        "empty": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "tiny": node("TinyDiffusion", kind="eps"),
        "guide": node("ExplainabilityGuidance", **guidance),
        "sampled": _sampler(["guide", 0]),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=SOURCES["VAE"]),
        "classified": node("PromptEnsembleClassifier", clip=_CLIP, image=_SCENES, **classes),
        "prompts": node("LearnClassPrompts", **_PAIRS, **learning),
        "projection": node("TrainECLIPProjection", **_PAIRS, **training),
    }


def _sampler(model: list[Any]) -> dict[str, Any]:
    inputs = {
        "model": model, "seed": 0, "steps": 1, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal",
        "positive": ["tiny", 2], "negative": ["tiny", 3], "latent_image": ["empty", 0], "denoise": 1.0,
    }  # fmt: skip
    return {"class_type": "KSampler", "inputs": inputs}


def answer(client: ComfyClient, fault: Fault) -> str:
    """Queue a fault; what is wrong with the server's answer, or nothing."""
    try:
        run = client.run(fault.prompt, timeout=120)
    except PromptRejected as refusal:
        return _judge_refusal(fault, refusal.answer)
    return _judge_run(fault, run)


def _judge_refusal(fault: Fault, refusal: dict[str, Any]) -> str:
    """A refusal before anything ran. The host's own words are its own business, an exception of ours is not."""
    errors = [error for node in (refusal.get("node_errors") or {}).values() for error in node["errors"]]
    for error in errors:
        if any("clip-explainability" in line for line in error.get("extra_info", {}).get("traceback", [])):
            return f"{fault}: validation broke: {error['details']}"
        if error["type"] == "custom_validation_failed" and fault.input not in error["details"]:
            return f"{fault}: refused without naming the input: {error['details']}"
    return ""


def _judge_run(fault: Fault, run: Run) -> str:
    error = run.error
    if error is None:
        return f"{fault}: accepted" if fault.must_fail else ""
    message = error["exception_message"]
    if not error["exception_type"].endswith(("InputError", "UnsupportedFamilyError")):
        return f"{fault}: {error['exception_type']} at {error['node_type']}: {message[:200]}"
    if fault.input not in message:
        return f"{fault}: the message does not name the input: {message[:200]}"
    return ""
