"""Progress on the terminal: every step is named and timed, and nothing is silent for more than a few seconds."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HEARTBEAT_SECONDS = 5.0


def say(text: str = "") -> None:
    """Print at once, also when the output goes into a file or a CI log."""
    print(text, flush=True)


class Steps:
    """Named steps with their times, for a summary at the end."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[None]:
        """Announce a step, and say how long it took (or that it failed)."""
        say(f"==> {name}: {detail}" if detail else f"==> {name}")
        start = time.monotonic()
        try:
            yield
        except BaseException:
            say(f"    failed after {time.monotonic() - start:.1f} s")
            raise
        self.seconds[name] = time.monotonic() - start
        say(f"    done in {self.seconds[name]:.1f} s")

    def summary(self) -> str:
        """One line a step, and the total."""
        width = max((len(name) for name in self.seconds), default=0)
        lines = [f"  {name:<{width}}  {seconds:7.1f} s" for name, seconds in self.seconds.items()]
        return "\n".join([*lines, f"  {'total':<{width}}  {sum(self.seconds.values()):7.1f} s"])


class Heartbeat:
    """Says that the work goes on whenever nothing else has been said for a while."""

    def __init__(self, what: Callable[[], str] = lambda: "still working", seconds: float = HEARTBEAT_SECONDS) -> None:
        self._what = what
        self._seconds = seconds
        self._start = self._last = time.monotonic()

    def reset(self) -> None:
        """Something was just printed."""
        self._last = time.monotonic()

    def tick(self) -> None:
        """Print a sign of life if one is due."""
        now = time.monotonic()
        if now - self._last >= self._seconds:
            say(f"    ... {self._what()} ({now - self._start:.0f} s)")
            self._last = now


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    indent: str = "    ",
    hide: tuple[str, ...] = (),
) -> int:
    """Run a command, showing what it prints as it comes, and signs of life in between; its exit status.

    Lines that begin with one of ``hide`` are left out of a log (a terminal shows everything).
    """
    arguments = [str(part) for part in command]
    if sys.stdout.isatty():  # the command's own progress bars are better than ours
        return subprocess.run(arguments, env=env, cwd=cwd, stdin=subprocess.DEVNULL).returncode
    with subprocess.Popen(
        arguments, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_pump, args=(process, lines), daemon=True).start()
        heartbeat = Heartbeat()
        while True:
            try:
                line = lines.get(timeout=1.0)
            except queue.Empty:
                heartbeat.tick()
                continue
            if line is None:
                break
            if not line.startswith(hide):
                say(indent + line)
                heartbeat.reset()
    return process.returncode


def _pump(process: subprocess.Popen[bytes], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line.decode("utf-8", "replace").rstrip())
    lines.put(None)


def succeeds(command: Sequence[str | Path]) -> bool:
    """Whether a command is there and ends well; what it prints is not shown."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, stdin=subprocess.DEVNULL)
    except OSError:
        return False
    return done.returncode == 0


def child_environment(**changes: str) -> dict[str, str]:
    """This process's environment for a child, with changes.

    Byte code must be kept: without it every start of the server compiles torch anew, which takes half a minute.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment.update(PYTHONUNBUFFERED="1", PYTHONUTF8="1", **changes)
    return environment
