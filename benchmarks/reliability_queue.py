"""The queue: hundreds of prompts, Cancel at any moment, two users at once."""

from __future__ import annotations

import time
from typing import Any

import psutil
from host_trials import Interrupts, Soak, interrupt_at_random, soak, two_at_once
from reliability_trial import Trial, examples, found_that, training

MOST_GROWTH = 0.03


def check_soak(trial: Trial) -> dict[str, Any]:
    """Prompts of all examples by turns: nothing lost, memory flat."""
    prompts = trial.size(16, 500)
    with trial.running() as (server, client):
        workflows = examples(client)
        process = psutil.Process(server.pid)

        def say(so_far: Soak) -> None:
            if so_far.prompts % len(workflows) == 0:
                rate = so_far.seconds / so_far.prompts
                left = rate * (prompts - so_far.prompts) / 60
                print(
                    f"    {so_far.prompts} of {prompts}: {so_far.resident[-1]:.0f} MiB, {rate:.1f} s a prompt, about "
                    f"{left:.0f} min left",
                    flush=True,
                )

        deadline = time.monotonic() + trial.seconds
        found = soak(
            client, lambda: process.memory_info().rss / 2**20, list(workflows.values()), prompts, deadline, say
        )
    window = min(5 * len(workflows), found.prompts // 4)
    warm_up = min(100, found.prompts // 2)
    growth = found.growth(warm_up, window)
    faults = [*found.failed, *(f"prompt {number} lost outputs" for number in found.lost)]
    if growth > MOST_GROWTH and not trial.quick:  # in so few prompts the allocator has not settled
        faults.append(f"memory grew by {growth:.1%}")
    return found_that(
        f"{found.prompts} prompts by turns: {', '.join(workflows)}",
        f"{len(found.lost)} lost outputs, {len(found.failed)} failed; memory {growth:+.1%} from the {warm_up}th prompt "
        f"on (to {found.resident[-1]:.0f} MiB); {found.seconds / found.prompts:.1f} s a prompt",
        faults,
        resident=[round(value) for value in found.resident],
    )


def check_interrupts(trial: Trial) -> dict[str, Any]:
    """Cancel at random moments: the next picture is right."""
    with trial.running() as (_, client):
        flows = examples(client)
        busy = [
            flows[name]
            for name in (
                "01 Heat map of a picture - start here, no download",
                "03 Classify and sort pictures - no download",
                "04 Learn classes from one picture each - no download",
            )
        ]
        busy.append(training("eclip", save_as="", epochs=40))

        def say(so_far: Interrupts) -> None:
            if so_far.count % 10 == 0:
                print(f"    {so_far.count}: {so_far.interrupted} cancelled, {so_far.finished} had ended", flush=True)

        count = trial.size(12, 200)
        deadline = time.monotonic() + trial.seconds
        found = interrupt_at_random(
            client, busy, flows["02 Draw boxes for objects - no download"], count, until=deadline, report=say
        )
    faults = [*found.failed, *[f"{found.wrong_after} wrong pictures afterwards"][: found.wrong_after]]
    return found_that(
        f"Cancel at {found.count} random moments of four workflows",
        f"{found.interrupted} cancelled, {found.finished} had ended already, {len(found.failed)} failed; "
        f"{found.wrong_after} wrong pictures afterwards; slowest Cancel {found.slowest:.1f} s",
        faults,
    )


def check_two_clients(trial: Trial) -> dict[str, Any]:
    """Two users at once."""
    with trial.running() as (server, client):
        flows = examples(client)
        found = two_at_once(
            server.address,
            flows["01 Heat map of a picture - start here, no download"],
            flows["03 Classify and sort pictures - no download"],
            trial.size(3, 50),
        )
    faults = [f"{found.wrong} runs with wrong pictures"][: found.wrong] + [f"{found.foreign} messages"][: found.foreign]
    return found_that(
        f"two clients, {found.runs} runs queued at once",
        f"{found.wrong} wrong pictures, {found.foreign} messages of the other's runs",
        faults,
    )
