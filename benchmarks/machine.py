"""What a benchmark ran on, for its report."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path
from typing import Any

import torch


def describe_machine() -> dict[str, Any]:
    """Processor, cores in use, versions and date."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
    }


def machine_line(machine: dict[str, Any]) -> str:
    """The same in one sentence for a table's caption."""
    where = machine["processor"] if machine["accelerator"] == "none" else machine["accelerator"]
    return (
        f"{where}, {machine['threads']} of {machine['cores']} cores, torch {machine['torch']}, "
        f"Python {machine['python']}, {machine['date']}"
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
