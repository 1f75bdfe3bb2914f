"""Nothing that breaks: ``python benchmarks/reliability.py [--quick] [--only CHECK ...] [--minutes N]``.

Runs a real ComfyUI (PyPI's, or the one in COMFYUI_PATH with its Python in COMFYUI_PYTHON) with the pack in it and does
to it what users, programs and accidents do. Each check's figures are written as soon as it is done; a later run with
``--only`` adds to them, and a quick form never replaces a full one.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark_pack import ROOT
from environment import Environment
from machine import describe_machine, machine_line
from reliability_accidents import check_kills, check_storage
from reliability_oddities import check_checkpoints, check_extremes, check_faults
from reliability_queue import check_interrupts, check_soak, check_two_clients
from reliability_trial import Trial

Result = dict[str, Any]

CHECKS: dict[str, Callable[[Trial], dict[str, Any]]] = {
    "soak": check_soak,
    "interrupts": check_interrupts,
    "kills": check_kills,
    "two clients": check_two_clients,
    "storage": check_storage,
    "checkpoints": check_checkpoints,
    "extremes": check_extremes,
    "faults": check_faults,
}


def markdown(result: Result) -> str:
    """The table."""
    lines = [
        "# Reliability",
        "",
        f"{machine_line(result['machine'])}. Host: {result['host']}.",
        "",
        "| Check | What was done | What was seen | Holds | Form |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in CHECKS:
        found = result["checks"].get(name)
        if found is not None:
            verdict = "yes" if found["holds"] else "**no**"
            lines.append(
                f"| {name} | {found['what']} | {found['seen']} | {verdict} | {found['form']}, {found['date']} |"
            )
    faults = [f"- {name}: {each}" for name, found in result["checks"].items() for each in found["faults"]]
    return "\n".join([*lines, *(["", "What went wrong:", "", *faults] if faults else [])]) + "\n"


def merge(result: Result, name: str, found: Result) -> None:
    """Take a check's figures in, unless they are quick ones and full ones are there."""
    known = result["checks"].get(name)
    if known is None or known["form"] == "quick" or found["form"] == "full":
        result["checks"][name] = found


def load(path: Path, host: str) -> Result:
    """Figures of earlier runs on this host."""
    if path.is_file():
        known: Result = json.loads(path.read_text("utf-8"))
        if known["host"] == host:
            return known
    return {"host": host, "machine": describe_machine(), "checks": {}}


def find_host() -> tuple[Environment, str]:
    """The host's environment, and its name."""
    checkout = os.environ.get("COMFYUI_PATH")
    python = Path(os.environ.get("COMFYUI_PYTHON", sys.executable))
    if not checkout:
        from importlib.metadata import version

        return Environment(python, None), f"PyPI comfyui {version('comfyui')}"
    path = Path(checkout).resolve()
    namespace: dict[str, str] = {}
    version_file = path / "comfyui_version.py"
    if version_file.is_file():
        line = next(line for line in version_file.read_text("utf-8").splitlines() if line.startswith("__version__"))
        namespace["version"] = line.partition("=")[2].strip().strip("\"'")
    return Environment(python, path), f"ComfyUI {namespace.get('version', 'of a checkout')}"


def main() -> int:
    """Run the checks; non-zero if one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short forms: some ten minutes on one core")
    parser.add_argument("--only", nargs="*", choices=list(CHECKS), default=list(CHECKS))
    parser.add_argument("--minutes", type=float, default=float("inf"), help="bound on each of soak and interrupts")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    environment, host = find_host()
    options.out.mkdir(parents=True, exist_ok=True)
    result = load(options.out / "reliability.json", host)
    held = True
    for name in options.only:
        print(f"==> {name}", flush=True)
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="reliability ") as folder:
            found = CHECKS[name](Trial(environment, Path(folder), options.quick, 60 * options.minutes))
        found |= {
            "form": "quick" if options.quick else "full",
            "date": datetime.date.today().isoformat(),
            "seconds": round(time.monotonic() - start),
        }
        print(
            f"    {found['seen']} ({'holds' if found['holds'] else 'DOES NOT HOLD'}, {found['seconds']} s)", flush=True
        )
        held = held and found["holds"]
        merge(result, name, found)
        (options.out / "reliability.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        (options.out / "reliability.md").write_text(markdown(result), "utf-8")
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
