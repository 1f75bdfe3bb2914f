"""What a server has to bear, in short; ``benchmarks/reliability.py`` has the long forms."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import host_fuzz
import pytest
from host_client import ComfyClient, Message, Prompt
from host_server import ComfyServer
from host_trials import interrupt_at_random, no_file_larger_than, soak, two_at_once
from hostile_checkpoints import hostile_checkpoints
from workflow_api import ObjectInfo

FAULTS = 200
TINY_NODES = Path(__file__).parent / "tiny_nodes"
TRAINED = ("eclip", "prompts")


@pytest.fixture(scope="session")
def faults(object_info: ObjectInfo, server: ComfyServer) -> list[host_fuzz.Fault]:
    """A fixed draw from all wrong prompts: every input of every node at least once in most of its kinds."""
    every = list(host_fuzz.faults(object_info, odd_links=server.environment.comfyui is not None))
    return random.Random(1).sample(every, FAULTS)


def test_a_wrong_prompt_gets_a_clear_answer_and_the_server_goes_on(
    client: ComfyClient, faults: list[host_fuzz.Fault]
) -> None:
    unclear = [answer for answer in (host_fuzz.answer(client, fault) for fault in faults) if answer]
    assert unclear == []


def test_every_node_runs_where_nothing_is_wrong(client: ComfyClient, object_info: ObjectInfo) -> None:
    """What the faults are made from is right: without this, everything would be refused and nothing tested."""
    for node, inputs in host_fuzz.good_prompts(object_info):
        if node != "LoadClassPrompts":  # there is no file yet
            run = client.run(host_fuzz.around(node, inputs))
            assert run.error is None, (node, run.error)


def test_prompts_by_turns_lose_nothing(
    client: ComfyClient, example: Callable[[str], Prompt], server: ComfyServer
) -> None:
    psutil = pytest.importorskip("psutil")
    process = psutil.Process(server.pid)
    workflows = [
        example("01 Heat map of a picture - start here, no download.json"),
        example("02 Draw boxes for objects - no download.json"),
    ]
    found = soak(client, lambda: process.memory_info().rss / 2**20, workflows, prompts=12)
    assert (found.lost, found.failed) == ([], [])
    assert found.growth(warm_up=4, window=4) < 0.1


def test_cancel_at_any_moment_leaves_the_next_picture_right(
    client: ComfyClient, example: Callable[[str], Prompt]
) -> None:
    busy = [
        example("03 Classify and sort pictures - no download.json"),
        example("01 Heat map of a picture - start here, no download.json"),
    ]
    found = interrupt_at_random(client, busy, example("02 Draw boxes for objects - no download.json"), count=6)
    assert (found.count, found.failed, found.wrong_after) == (6, [], 0)
    assert found.interrupted > 0


def test_two_users_get_what_is_theirs(server: ComfyServer, example: Callable[[str], Prompt]) -> None:
    found = two_at_once(
        server.address,
        example("01 Heat map of a picture - start here, no download.json"),
        example("02 Draw boxes for objects - no download.json"),
        turns=3,
    )
    assert (found.runs, found.wrong, found.foreign) == (6, 0, 0)


def load(source: str) -> Prompt:
    clip = {"class_type": "LoadExplainableCLIP", "inputs": {"source": source, "download": False}}
    return {"clip": clip, "sink": {"class_type": "Sink", "inputs": {"value": ["clip", 0]}}}


def test_no_file_gets_in_as_a_clip(client: ComfyClient, server: ComfyServer, tmp_path: Path) -> None:
    folder = server.base / "models" / "open_clip"
    for name, content, says in hostile_checkpoints(tmp_path):
        (folder / name).write_bytes(content)
        error = client.run(load(name)).error
        (folder / name).unlink()
        assert error is not None, name
        assert name in error["exception_message"]
        assert says in error["exception_message"], (name, error["exception_message"])
    assert list(tmp_path.iterdir()) == []  # no bomb went off


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("LoadExplainableCLIP", "source"),
        ("LoadClassPrompts", "file"),
        ("LearnClassPrompts", "save_as"),
        ("LearnClassPrompts", "folder"),
        ("TrainECLIPProjection", "save_as"),
        ("TrainECLIPProjection", "folder"),
    ],
)
def test_no_file_name_leads_out_of_its_folder(
    node: str, name: str, client: ComfyClient, server: ComfyServer, object_info: ObjectInfo
) -> None:
    good = dict(host_fuzz.good_prompts(object_info))[node]
    (server.base / "up.safetensors").write_bytes(b"not to be read, nor written over")
    for path in ("../../up.safetensors", "a/../../../up", "..", "/etc/passwd", "C:\\up", "..\\..\\up.safetensors"):
        answer = host_fuzz.answer(
            client, host_fuzz.Fault(node, name, path, host_fuzz.around(node, {**good, name: path}), True)
        )
        assert answer == ""
    assert (server.base / "up.safetensors").read_bytes() == b"not to be read, nor written over"


def odd_latent(value: str) -> dict[str, Any]:
    return {"class_type": "Filled", "inputs": {"value": value, "channels": 4}}


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_latents_that_are_no_numbers(value: str, client: ComfyClient) -> None:
    """A sampler gives back what it was given; what is told apart from it stays as it was."""
    good = dict(host_fuzz.good_prompts(client.object_info()))
    guided = host_fuzz.around("ExplainabilityGuidance", good["ExplainabilityGuidance"])
    guided["guided"]["inputs"]["latent_image"] = ["odd", 0]
    assert client.run({**guided, "odd": odd_latent(value)}).error is None
    optimized = host_fuzz.around("OptimizeLatent", {**good["OptimizeLatent"], "latent": ["odd", 0]})
    error = client.run({**optimized, "odd": odd_latent(value)}).error
    assert error is not None
    assert error["exception_message"].startswith("latent: number 0 of the batch contains NaN or infinite values")


def training(kind: str, **changes: Any) -> Prompt:
    """One of the two nodes that train, and what it needs."""
    node, labels = ("TrainECLIPProjection", "captions") if kind == "eclip" else ("LearnClassPrompts", "labels")
    prompt = host_fuzz.around(node, {})
    defaults = prompt["projection" if kind == "eclip" else "prompts"]["inputs"]
    needed = {name: prompt[name] for name in ("clip", "scenes", "subject", "sink")}
    needed["subject"]["inputs"] = {**defaults, labels: "cat\nguitar", "save_as": kind, **changes}
    return needed


def test_a_full_disk_is_known_before_the_training(client: ComfyClient, server: ComfyServer) -> None:
    folder = server.base / "models" / "clip_explainability"
    for kind in TRAINED:
        assert client.run(training(kind, save_as=f"full {kind}")).error is None
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        with no_file_larger_than(3 * 2**20, server.pid):
            run = client.run(training(kind, save_as=f"full {kind}", seed=9, epochs=1000))
        assert run.error is not None
        assert run.error["exception_message"].startswith("save_as: ")
        assert "free some space" in run.error["exception_message"]
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert client.run(training("eclip", save_as="full eclip", seed=9)).error is None


def test_a_kill_amid_training_leaves_the_file_and_a_server_that_starts(server: ComfyServer, tmp_path: Path) -> None:
    own = ComfyServer(server.environment, tmp_path, packs=(TINY_NODES,))
    folder = tmp_path / "models" / "clip_explainability"
    for kind in TRAINED:
        with own, ComfyClient(own.address) as client:
            assert client.run(training(kind)).error is None
            before = {path.name: path.read_bytes() for path in folder.iterdir()}
            _kill_amid(own, client, training(kind, epochs=1000))
        assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."} == before
    with own, ComfyClient(own.address) as client:
        loaded = {"class_type": "LoadClassPrompts", "inputs": {"file": "prompts.safetensors"}}
        sink = {"class_type": "Sink", "inputs": {"value": ["loaded", 0]}}
        assert client.run({"loaded": loaded, "sink": sink}).error is None


def _kill_amid(server: ComfyServer, client: ComfyClient, prompt: Prompt) -> None:
    """Kill the server after a few epochs."""

    def kill(message: Message) -> None:
        if message["type"] == "progress" and message["data"]["max"] == 1000 and message["data"]["value"] >= 3:
            server.kill()

    with pytest.raises(ConnectionError):  # nobody is there any more
        client.run(prompt, kill)
    assert not server.alive()
