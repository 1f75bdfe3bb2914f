"""What the checks of ``reliability.py`` share: a server to try things on, and workflows to try."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import host_fuzz
from benchmark_pack import ROOT
from environment import Environment
from example_files import WITHOUT_DOWNLOAD
from host_client import ComfyClient, Prompt, Run
from host_server import ComfyServer
from workflow_api import read_workflow, to_api

TINY_NODES = ROOT / "tests" / "host" / "tiny_nodes"
TRAINED = {"eclip": "TrainECLIPProjection", "prompts": "LearnClassPrompts"}


@dataclass(frozen=True)
class Trial:
    """What a check is given: a host, an empty folder, which form, and seconds for those that can be cut short."""

    environment: Environment
    folder: Path
    quick: bool
    seconds: float

    def size(self, quick: int, full: int) -> int:
        return quick if self.quick else full

    def server(self) -> ComfyServer:
        os.environ["TINY_DIFFUSION"] = str(TINY_NODES.parent)
        return ComfyServer(self.environment, self.folder / "host", packs=(TINY_NODES,))

    @contextmanager
    def running(self) -> Iterator[tuple[ComfyServer, ComfyClient]]:
        with self.server() as server, ComfyClient(server.address) as client:
            yield server, client


def found_that(what: str, seen: str, faults: list[str], **figures: Any) -> dict[str, Any]:
    return {"what": what, "seen": seen, "holds": not faults, "faults": faults[:20], **figures}


def examples(client: ComfyClient) -> dict[str, Prompt]:
    """Example workflows that need no file, by name."""
    info = client.object_info()
    return {file.stem: to_api(read_workflow(file), info) for file in WITHOUT_DOWNLOAD}


def training(kind: str, **changes: Any) -> Prompt:
    """One of the nodes that train, and what it needs."""
    prompt = host_fuzz.around(TRAINED[kind], {})
    defaults = prompt["projection" if kind == "eclip" else "prompts"]["inputs"]
    needed = {name: prompt[name] for name in ("clip", "scenes", "subject", "sink")}
    needed["subject"]["inputs"] = {**defaults, "save_as": kind, **changes}
    return needed


def load_prompts() -> Prompt:
    loader = {"class_type": "LoadClassPrompts", "inputs": {"file": "prompts.safetensors"}}
    return {"loader": loader, "sink": {"class_type": "Sink", "inputs": {"value": ["loader", 0]}}}


def unclear(run: Run, says: str) -> Iterator[str]:
    """What is wrong with the answer to a prompt that must fail; nothing if it says this, in the pack's own words."""
    message = run.error["exception_message"] if run.error else "no error"
    if says not in message or not str((run.error or {}).get("exception_type")).endswith("InputError"):
        yield f"unclear: {message[:200]}"
