"""What no user means to give: files that are no CLIP, extreme sizes and texts, wrong inputs of every kind."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import host_fuzz
import psutil
from host_client import ComfyClient, Prompt, PromptRejected
from host_trials import pixels_of
from hostile_checkpoints import hostile_checkpoints
from reliability_trial import Trial, examples, found_that, unclear

WORDS = " ".join(f"word{number}" for number in range(10_000))
STRANGE = ("<img src=x onerror=alert(1)>", r"$\frac{1$ and {} %s", "a\0b\x1b[31m", "\ud83d", "猫🐱")


def check_checkpoints(trial: Trial) -> dict[str, Any]:
    """Files that are no CLIP."""
    faults, names = [], []
    traces = trial.folder / "traces"
    traces.mkdir()
    with trial.running() as (server, client):
        folder = server.base / "models" / "open_clip"
        for name, content, says in hostile_checkpoints(traces):
            names.append(name)
            (folder / name).write_bytes(content)
            inputs = {"source": name, "download": False}
            prompt = {
                "clip": {"class_type": "LoadExplainableCLIP", "inputs": inputs},
                "sink": {"class_type": "Sink", "inputs": {"value": ["clip", 0]}},
            }
            faults += [f"{name}: {problem}" for problem in unclear(client.run(prompt), says)]
            (folder / name).unlink()
    faults += [f"{path.name} went off" for path in traces.iterdir()]
    return found_that(
        f"{len(names)} files in place of a CLIP: damaged, dangerous, of other kinds",
        f"{len(faults)} unclear answers; no pickle ran",
        faults,
    )


def check_extremes(trial: Trial) -> dict[str, Any]:
    """One pixel, 8192 pixels, 10 000 words, strange labels, latents that are no numbers."""
    faults, runs, slowest, peak = [], 0, 0.0, 0.0
    with trial.running() as (server, client):
        process = psutil.Process(server.pid)
        for what, prompt, error in _extremes(client, trial.quick):
            start = time.monotonic()
            message, clear = _outcome(client, prompt)
            runs, slowest = runs + 1, max(slowest, time.monotonic() - start)
            peak = max(peak, process.memory_info().rss / 2**20)
            if not clear or error not in message or (message and not error):
                faults.append(f"{what}: {message[:200] or 'no error'}")
            if not server.alive():
                faults.append(f"{what}: the server ended")
                break
            print(f"    {what}: {time.monotonic() - start:.1f} s {message[:60]}", flush=True)
            client.free_memory()
    side = "8192 x 64" if trial.quick else "8192 x 8192"
    return found_that(
        f"{runs} runs: pictures of 1 x 1 and {side}, texts of 10 000 words and with markup, latents of NaN and inf",
        f"{len(faults)} broke or were unclear; slowest {slowest:.0f} s, memory up to {peak / 1024:.1f} GiB",
        faults,
    )


def _extremes(client: ComfyClient, quick: bool) -> Iterator[tuple[str, Prompt, str]]:
    """What is done, the prompt, and what its error has to say (nothing: it has to work)."""
    info = client.object_info()
    good = dict(host_fuzz.good_prompts(info))
    large = (8192, 64) if quick else (8192, 8192)
    for node, inputs in good.items():
        specs = {**info[node]["input"].get("required", {}), **info[node]["input"].get("optional", {})}
        for name, spec in specs.items():
            if spec[0] == "IMAGE" and node not in ("GuidanceReport", "RouteImagesByClass"):
                for width, height in ((1, 1), large):
                    prompt = host_fuzz.around(node, {**inputs, name: ["odd", 0]})
                    picture = {"width": width, "height": height, "batch_size": 1, "color": 0x336699}
                    prompt["odd"] = {"class_type": "EmptyImage", "inputs": picture}
                    few = {"LearnClassPrompts": "labels", "TrainECLIPProjection": "captions"}.get(node, "")
                    yield f"{node}, {width} x {height}", prompt, few
            if spec[0] == "STRING" and spec[1].get("multiline"):
                for text in (WORDS, *STRANGE):
                    yield f"{node}.{name} = {text[:20]!r}", *_with_text(node, name, inputs, text)
    for value in ("nan", "inf", "-inf"):
        odd = {"class_type": "Filled", "inputs": {"value": value, "channels": 4}}
        guided = host_fuzz.around("ExplainabilityGuidance", good["ExplainabilityGuidance"])
        guided["guided"]["inputs"]["latent_image"] = ["odd", 0]
        yield f"guided latents of {value}", {**guided, "odd": odd}, ""
        optimized = host_fuzz.around("OptimizeLatent", {**good["OptimizeLatent"], "latent": ["odd", 0]})
        yield f"optimised latents of {value}", {**optimized, "odd": odd}, "NaN or infinite"


def _outcome(client: ComfyClient, prompt: Prompt) -> tuple[str, bool]:
    """What was said against a prompt, and whether in the pack's own words."""
    try:
        run = client.run(prompt, timeout=3600)
    except PromptRejected as refusal:
        return json.dumps(refusal.answer, ensure_ascii=False), True
    if run.error is None:
        return "", True
    return run.error["exception_message"], run.error["exception_type"].endswith("InputError")


def _with_text(node: str, name: str, inputs: dict[str, Any], text: str) -> tuple[Prompt, str]:
    """A prompt with that text, and what an error would be about."""
    error = "methods names" if name == "methods" else ""
    if name == "labels" and text == WORDS:
        error = "rename it"
    if name in ("labels", "captions"):
        text = " ".join(text.split()) + "\na dog"
    if name == "custom_templates":
        inputs, text = {**inputs, "templates": "custom"}, f"{text} {{}}"
    return host_fuzz.around(node, {**inputs, name: text}), error


def check_faults(trial: Trial) -> dict[str, Any]:
    """Every wrong input of every node."""
    with trial.running() as (server, client):
        every = list(host_fuzz.faults(client.object_info(), odd_links=trial.environment.comfyui is not None))
        drawn = random.Random(0).sample(every, 300) if trial.quick else every
        faults = []
        harmless = examples(client)["02 Draw boxes for objects - no download"]
        right = pixels_of(client, client.run(harmless))
        for number, fault in enumerate(drawn):
            if number % 250 == 0:
                print(f"    {number} of {len(drawn)}", flush=True)
            problem = host_fuzz.answer(client, fault)
            faults += [problem] if problem else []
        after = pixels_of(client, client.run(harmless))
        if after != right or not server.alive():
            faults.append("afterwards the server was gone, or a picture was not the same")
    nodes = len({fault.node for fault in drawn})
    return found_that(
        f"{len(drawn)} prompts with a missing, unknown, wrongly typed or wrongly connected input, {nodes} nodes",
        f"{len(faults)} unclear answers; the server went on",
        faults,
    )
