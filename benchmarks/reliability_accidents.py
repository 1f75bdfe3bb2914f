"""Accidents: a server that is killed, disks that are full, folders that are read-only."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from host_client import ComfyClient, Message
from host_server import ComfyServer
from host_trials import no_file_larger_than
from reliability_trial import TRAINED, Trial, found_that, load_prompts, training, unclear

AMID = 600  # epochs: time to fill a disk in


def check_kills(trial: Trial) -> dict[str, Any]:
    """The server killed at random moments of both trainings, which save again and again."""
    chance, server, faults, starts = random.Random(0), trial.server(), [], []
    folder = trial.folder / "host" / "models" / "clip_explainability"
    count = trial.size(2, 40)
    for number in range(count + 1):
        began = time.monotonic()
        with server, ComfyClient(server.address) as client:
            starts.append(time.monotonic() - began)
            if number and client.run(load_prompts()).error is not None:
                faults.append(f"after kill {number} the class prompts could not be loaded")
            if number == count:
                break
            for seed in range(60):
                last = client.queue(training(list(TRAINED)[(number + seed) % 2], seed=seed))
            _kill_at(server, client, last, chance.uniform(0, 6) + 2 * (number == 0))
        faults += [f"kill {number + 1}: {problem}" for problem in _broken_files(folder)]
    return found_that(
        f"SIGKILL at {count} random moments amid Train ECLIP Projection and Learn Class Prompts, which saved over the "
        "same two files without end",
        f"{len(faults)} broken files; the server started again each time (in {max(starts):.0f} s at most)",
        faults,
    )


def _kill_at(server: ComfyServer, client: ComfyClient, prompt_id: str, seconds: float) -> None:
    """Kill once both files were saved, and so many seconds have gone."""
    deadline: list[float] = []
    done: list[str] = []

    def kill(message: Message) -> None:
        if message["type"] == "executed":
            done.append(message["data"]["node"])
            if len(done) >= 2 and not deadline:
                deadline.append(time.monotonic() + seconds)
        if deadline and time.monotonic() > deadline[0]:
            server.kill()

    try:
        client.wait(prompt_id, kill)
    except OSError:
        return
    server.kill()


def _broken_files(folder: Path) -> Iterator[str]:
    from clip_explainability.core.classification.class_prompts import load_class_prompts
    from clip_explainability.core.eclip.projection import load_projection
    from clip_explainability.core.errors import InputError

    for name, read in (("eclip", load_projection), ("prompts", load_class_prompts)):
        path = folder / f"{name}.safetensors"
        try:
            read(path)  # type: ignore[operator]
        except InputError as error:
            yield str(error)


def check_storage(trial: Trial) -> dict[str, Any]:
    """Full disks and read-only folders (real ones where this user may mount, else a limit on file sizes)."""
    base = trial.folder / "host"
    models, temporary = base / "models" / "clip_explainability", base / "temp"
    faults, server = [], trial.server()
    mounted = _mount(models, "size=6m") and _mount(temporary, "size=48k")
    try:
        with server, ComfyClient(server.address) as client:
            if not mounted:
                with no_file_larger_than(3 * 2**20, server.pid):
                    faults += _refusals(client, "can't be written")
            else:
                faults += _with_real_disks(client, models)
    finally:
        for folder in (models, temporary):
            subprocess.run(["umount", str(folder)], capture_output=True)
    kind = "file systems of 6 MiB and 48 KiB" if mounted else "a limit on file sizes (no right to mount here)"
    return found_that(
        f"disk full before and amid training, for previews, and read-only: {kind}",
        f"{len(faults)} unclear answers or broken files",
        faults,
    )


def _mount(folder: Path, options: str) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def _with_real_disks(client: ComfyClient, models: Path) -> Iterator[str]:
    for kind in TRAINED:
        if client.run(training(kind)).error is not None:
            yield f"{kind} could not be saved on an empty disk"
    before = _contents(models)
    filler = models / "filler"

    def fill(message: Message) -> None:
        if message["type"] == "progress" and message["data"]["max"] == AMID and not filler.exists():
            _fill(filler)

    for kind in TRAINED:  # full amid training
        yield from unclear(client.run(training(kind, epochs=AMID, seed=3), fill), "free some space")
        filler.unlink(missing_ok=True)
    _fill(filler)
    yield from _refusals(client, "free some space")
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(models)], check=True)
    yield from _refusals(client, "make the folder writable")
    if client.run(load_prompts()).error is not None:
        yield "a file in a read-only folder could not be read"
    subprocess.run(["mount", "-o", "remount,rw", str(models)], check=True)
    if _contents(models) != before:
        yield "files in the model folder changed or were left half written"


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "filler"}


def _fill(path: Path) -> None:
    try:
        with open(path, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        return


def _refusals(client: ComfyClient, says: str) -> Iterator[str]:
    for kind in TRAINED:
        yield from unclear(client.run(training(kind, seed=7)), says)
