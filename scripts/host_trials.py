"""What a running server has to bear: long queues, Cancel at any moment, several users, a full disk.

Each trial returns figures; what they must be is for the tests and ``benchmarks/reliability.py`` to say.
"""

from __future__ import annotations

import copy
import io
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from host_client import ComfyClient, Prompt, Run

AHEAD = 10  # prompts that wait in the queue while one runs
SEEDED = ("DemoScene",)  # nodes that a number is put into, so that nothing is taken from the server's cache


def numbered(prompt: Prompt, number: int) -> Prompt:
    """A workflow with other scenes."""
    changed = copy.deepcopy(prompt)
    for node in changed.values():
        if node["class_type"] in SEEDED:
            node["inputs"]["seed"] = number
    return changed


def outputs_of(run: Run) -> set[str]:
    """Ids of the nodes that showed something."""
    return {node for node, shown in run.outputs.items() if any(shown.values())}


def pixels_of(client: ComfyClient, run: Run) -> list[bytes]:
    """Every picture of a run as its pixels: the files hold the workflow as well."""
    from PIL import Image

    found = []
    for image in run.images():
        with Image.open(io.BytesIO(client.view(image))) as picture:
            found.append(repr(picture.size).encode() + picture.convert("RGB").tobytes())
    return found


@dataclass
class Soak:
    """What became of many prompts.

    Attributes:
        resident: memory of the server in MiB, after each prompt.
        lost: prompts without all of their outputs, or with a file that is not there.
        failed: messages of those that ended in an error.
        seconds: of all prompts together.
    """

    resident: list[float] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def prompts(self) -> int:
        return len(self.resident)

    def growth(self, warm_up: int, window: int) -> float:
        """Relative growth of the memory from the prompts after the warm-up to the last ones, medians of a window."""
        early = statistics.median(self.resident[warm_up : warm_up + window])
        return statistics.median(self.resident[-window:]) / early - 1


def soak(
    client: ComfyClient,
    resident: Callable[[], float],
    workflows: Sequence[Prompt],
    prompts: int,
    until: float = float("inf"),
    report: Callable[[Soak], None] = lambda so_far: None,
) -> Soak:
    """Queue the workflows by turns, some ahead, each with other scenes, and follow them in order.

    Args:
        resident: memory of the server in MiB, now.
        until: time (``time.monotonic``) after which no more prompts are queued.
        report: called after each prompt.
    """
    found, start = Soak(), time.monotonic()
    complete: dict[int, set[str]] = {}
    waiting: list[tuple[int, str]] = []
    number = 0
    while True:
        while number < prompts and len(waiting) < AHEAD and time.monotonic() < until:
            workflow = workflows[number % len(workflows)]
            waiting.append((number, client.queue(numbered(workflow, number))))
            number += 1
        if not waiting:
            return found
        which, prompt_id = waiting.pop(0)
        run = client.wait(prompt_id)
        if run.error is not None:
            found.failed.append(str(run.error["exception_message"]))
        shown = outputs_of(run)
        expected = complete.setdefault(which % len(workflows), shown)
        if not shown or shown != expected or not all(client.view(image) for image in run.images()):
            found.lost.append(which)
        found.resident.append(resident())
        found.seconds = time.monotonic() - start
        report(found)


@dataclass
class Interrupts:
    """What became of runs that were cancelled at random moments."""

    interrupted: int = 0
    finished: int = 0  # Cancel came after the end
    failed: list[str] = field(default_factory=list)
    wrong_after: int = 0  # a picture made afterwards was not the right one
    slowest: float = 0.0  # seconds from Cancel to the end of the run

    @property
    def count(self) -> int:
        return self.interrupted + self.finished + len(self.failed)


def interrupt_at_random(
    client: ComfyClient,
    busy: Sequence[Prompt],
    probe: Prompt,
    count: int,
    seed: int = 0,
    until: float = float("inf"),
    report: Callable[[Interrupts], None] = lambda so_far: None,
) -> Interrupts:
    """Cancel ``count`` runs, each at a random moment of the time it takes, and make the probe's picture after each."""
    found, chance = Interrupts(), random.Random(seed)
    right = pixels_of(client, client.run(probe))
    takes = []
    for prompt in busy:
        start = time.monotonic()
        client.run(numbered(prompt, 1_000_000))
        takes.append(time.monotonic() - start)
    for number in range(count):
        if time.monotonic() > until:
            break
        which = number % len(busy)
        prompt_id = client.queue(numbered(busy[which], number))
        time.sleep(chance.uniform(0, 1.1 * takes[which]))
        pressed = time.monotonic()
        client.interrupt()
        run = client.wait(prompt_id)
        if run.error is not None:
            found.failed.append(str(run.error["exception_message"]))
        elif run.interrupted:
            found.interrupted += 1
            found.slowest = max(found.slowest, time.monotonic() - pressed)
        else:
            found.finished += 1
        found.wrong_after += pixels_of(client, client.run(probe)) != right
        report(found)
    return found


@dataclass
class TwoClients:
    """What two users of one server got.

    Attributes:
        wrong: runs whose pictures were not those that the same workflow gives alone.
        foreign: messages about the other's runs.
    """

    runs: int = 0
    wrong: int = 0
    foreign: int = 0


def two_at_once(address: str, first: Prompt, second: Prompt, turns: int) -> TwoClients:
    """Two clients that queue at once, turn by turn."""
    found = TwoClients()
    with ComfyClient(address) as one, ComfyClient(address) as other:
        clients, workflows = (one, other), (first, second)
        alone = [
            [
                pixels_of(client, client.run(numbered(workflow, turn)))
                for client, workflow in zip(clients, workflows, strict=True)
            ]
            for turn in range(turns)
        ]
        queued = [
            [client.queue(numbered(workflow, turn)) for client, workflow in zip(clients, workflows, strict=True)]
            for turn in range(turns)
        ]
        for which, client in enumerate(clients):
            others = {ids[1 - which] for ids in queued}
            foreign: list[bool] = []
            for turn in range(turns):
                run = client.wait(
                    queued[turn][which],
                    lambda message, others=others, foreign=foreign: foreign.append(  # type: ignore[misc]
                        message["type"] in ("executing", "executed", "execution_error")
                        and message["data"].get("prompt_id") in others
                    ),
                )
                found.runs += 1
                found.wrong += pixels_of(client, run) != alone[turn][which]
            found.foreign += sum(foreign)
    return found


@contextmanager
def no_file_larger_than(size: int, pid: int) -> Iterator[None]:
    """A disk that is full after so many bytes of each file, as far as a running process can tell (Linux)."""
    import resource

    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
