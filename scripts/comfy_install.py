"""A ComfyUI that is already on this machine (``COMFYUI_PATH``): find its Python, add what the pack misses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from console import child_environment, run, succeeds

# Runs inside that Python: requirement lines that no installed package satisfies, and all that is installed.
_PROBE = """
import importlib.metadata as metadata, json, sys
try:
    from packaging.requirements import Requirement
except ImportError:
    from pip._vendor.packaging.requirements import Requirement

def satisfied(line):
    requirement = Requirement(line)
    if requirement.marker and not requirement.marker.evaluate():
        return True
    try:
        return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False

installed = sorted({f"{d.metadata['Name']}=={d.version}" for d in metadata.distributions() if d.metadata["Name"]})
print(json.dumps({"missing": [line for line in sys.argv[1:] if not satisfied(line)], "installed": installed}))
"""


def find_python(comfyui: Path) -> Path:
    """The interpreter that runs this ComfyUI: COMFYUI_PYTHON, its virtual environment, or the one running now."""
    if not (comfyui / "main.py").is_file():
        raise FileNotFoundError(
            f"COMFYUI_PATH={comfyui} holds no main.py: set it to the folder that ComfyUI is started from."
        )
    chosen = os.environ.get("COMFYUI_PYTHON")
    if chosen:
        if not Path(chosen).is_file():
            raise FileNotFoundError(f"COMFYUI_PYTHON={chosen} does not exist: set it to ComfyUI's python.")
        return Path(chosen)
    program = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    candidates = [comfyui / ".venv" / program, comfyui / "venv" / program]
    candidates.append(comfyui.parent / "python_embeded" / "python.exe")  # the portable ComfyUI for Windows
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    return Path(sys.executable)


def missing_requirements(python: Path, files: Sequence[Path]) -> list[str]:
    """Requirement lines of these files that the interpreter's packages don't satisfy."""
    return list(_probe(python, [line for file in files for line in requirement_lines(file)])["missing"])


def requirement_lines(file: Path) -> list[str]:
    """The requirements in a file, without comments."""
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def install(python: Path, requirements: list[str], scratch: Path) -> int:
    """Install, holding every package that is there (torch above all) at its version; the installer's exit status."""
    scratch.mkdir(exist_ok=True)
    constraints = scratch / "comfyui-constraints.txt"
    kept = [line for line in _probe(python, [])["installed"] if not line.lower().startswith("pip==")]
    constraints.write_text("\n".join(kept), encoding="utf-8")
    environment = child_environment(PIP_DISABLE_PIP_VERSION_CHECK="1")
    return run([*_installer(python), "-c", str(constraints), *requirements], env=environment)


def _installer(python: Path) -> list[str]:
    """The command that installs into this Python: environments that uv made have no pip of their own."""
    if succeeds([python, "-m", "pip", "--version"]):
        return [str(python), "-m", "pip", "install", "--progress-bar", "off"]
    if succeeds(["uv", "--version"]):
        return ["uv", "pip", "install", "--python", str(python)]
    return [sys.executable, "-m", "pip", "--python", str(python), "install", "--progress-bar", "off"]


def _probe(python: Path, requirements: list[str]) -> dict[str, list[str]]:
    output = subprocess.run([python, "-c", _PROBE, *requirements], capture_output=True, text=True, check=True).stdout
    answer: dict[str, list[str]] = json.loads(output)
    return answer
