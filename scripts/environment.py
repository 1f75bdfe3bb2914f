"""Create the pack's own Python environment, or use a ComfyUI's: ``python3 scripts/environment.py [--tests]``.

Standard library only. Everything is put into ``.env/`` in the repository root, and ``--clean`` takes it away.
With ``COMFYUI_PATH=/path/to/ComfyUI`` that ComfyUI and its Python are used, and nothing is created.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import comfy_install
from console import Heartbeat, Steps, child_environment, run, say, succeeds

ROOT = Path(__file__).resolve().parent.parent
ENV = ROOT / ".env"
VENV = ENV / "venv"
RUNTIME_REQUIREMENTS = ROOT / "requirements.txt"
TEST_REQUIREMENTS = ROOT / "requirements-test.txt"
# The only ComfyUI on PyPI: a development release of June 2024, whose text encoders need an older transformers.
HOST_REQUIREMENTS = ("comfyui==0.0.1", "transformers<4.46", "torch", "torchvision")
CONSTRAINTS = ROOT / "scripts" / "environment-constraints.txt"
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 14)


class EnvironmentProblem(SystemExit):
    """Something about this machine that its user has to change; the message says what."""

    def __init__(self, message: str) -> None:
        super().__init__(f"\n{message}")


@dataclass(frozen=True)
class Environment:
    """A Python with ComfyUI: its own checkout, or the one from PyPI where ``comfyui`` is None."""

    python: Path
    comfyui: Path | None = None


def prepare(steps: Steps, *, tests: bool = False) -> Environment:
    """The environment to run in, created or completed where something is missing."""
    path = os.environ.get("COMFYUI_PATH")
    if path:
        with steps.step("Environment", f"the ComfyUI in {path}"):
            return _of_comfyui(Path(path).expanduser().resolve(), tests)
    _check_version()
    with steps.step("Environment", str(ENV)), _only_one():
        _create(tests)
    return Environment(venv_python(VENV))


def clean() -> None:
    """Remove what ``prepare`` created."""
    if not ENV.exists():
        say(f"Nothing to remove: {ENV} does not exist.")
        return
    say(f"Removing {ENV} ...")
    shutil.rmtree(ENV)


def venv_python(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _check_version() -> None:
    version = sys.version_info[:2]
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        wanted = " to ".join(".".join(map(str, bound)) for bound in (OLDEST_PYTHON, NEWEST_PYTHON))
        raise EnvironmentProblem(
            f"This is Python {platform.python_version()} ({sys.executable}); PyTorch and the ComfyUI on PyPI need "
            f"Python {wanted}.\nStart the script with such a Python, for instance: python3.12 scripts/demo.py\n"
            "or set COMFYUI_PATH to a ComfyUI, whose own Python is then used."
        )


@contextmanager
def _only_one() -> Iterator[None]:
    """Let one process at a time change the environment; the lock goes with the process, however it ends."""
    ENV.mkdir(exist_ok=True)
    with open(ENV / "lock", "a+b") as lock:
        heartbeat = Heartbeat(lambda: "waiting for another run to finish its installation")
        while not _try_lock(lock.fileno()):
            time.sleep(0.5)
            heartbeat.tick()
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _create(tests: bool) -> None:
    parts: list[tuple[str, list[str], Sequence[Path]]] = [
        ("pack and ComfyUI", list(HOST_REQUIREMENTS), [RUNTIME_REQUIREMENTS]),
    ]
    if tests:
        parts.append(("test tools", [], [TEST_REQUIREMENTS]))
    python = venv_python(VENV)
    if not _works(python):
        say(f"    Creating a Python {platform.python_version()} environment (the first time downloads about 3 GB;")
        say("    later starts take seconds). Nothing outside this folder is changed; --clean removes it.")
        shutil.rmtree(VENV, ignore_errors=True)
        for stamp in ENV.glob("installed-*"):
            stamp.unlink()
        _create_venv()
    for name, packages, files in parts:
        stamp = ENV / f"installed-{name.replace(' ', '-')}"
        wanted = _stamp(packages, files)
        if stamp.exists() and stamp.read_text() == wanted:
            say(f"    {name}: installed")
            continue
        say(f"    {name}: installing " + ", ".join(packages + [file.name for file in files]))
        stamp.unlink(missing_ok=True)
        _install(python, [*packages, *(part for file in files for part in ("-r", str(file)))])
        stamp.write_text(wanted)


def _works(python: Path) -> bool:
    """Whether the environment is there and was made by this Python (a moved folder or an upgrade breaks it)."""
    probe = "import sys; print(sys.version_info[:3], sys.prefix)"
    try:
        answer = subprocess.run([python, "-c", probe], capture_output=True, text=True, timeout=60)
    except OSError:
        return False
    return answer.stdout.strip() == f"{sys.version_info[:3]} {VENV}"


def _stamp(packages: list[str], files: Sequence[Path]) -> str:
    """What an installation depends on, as a hash."""
    contents = [file.read_text("utf-8") for file in (*files, CONSTRAINTS)]
    text = "\n".join([sys.version, platform.platform(), *packages, *contents])
    return hashlib.sha256(text.encode()).hexdigest()


def _create_venv() -> None:
    if run([sys.executable, "-m", "venv", VENV]) != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        version = ".".join(map(str, sys.version_info[:2]))
        raise EnvironmentProblem(
            "Python could not create a virtual environment. On Debian and Ubuntu: "
            f"sudo apt install python{version}-venv"
        )


def _install(python: Path, arguments: list[str]) -> None:
    """Install with uv (ten times faster), or with pip where uv is not to be had or fails."""
    known_to_work = ["-c", str(CONSTRAINTS)]
    uv = _find_uv(python)
    if uv is not None:
        command = [*uv, "pip", "install", "--python", str(python), "--link-mode", _link_mode(), *arguments]
        for pinned in (known_to_work, []):  # a platform may lack one of those versions: then let uv choose
            if run([*command, *pinned], env=_uv_environment(python), hide=(" + ", " - ", " ~ ")) == 0:
                return
        say("    uv could not install this; trying pip.")
    # A folder of local wheels set up for pip may hold a torch that no torchvision fits: look into an empty one.
    (ENV / "empty").mkdir(exist_ok=True)
    environment = child_environment(PIP_FIND_LINKS=(ENV / "empty").as_uri(), PIP_DISABLE_PIP_VERSION_CHECK="1")
    options = ["--prefer-binary", "--progress-bar", "off"]
    if sys.version_info >= (3, 13):  # metadata from 2024 excludes these, yet the packages run on them
        options.append("--ignore-requires-python")
    if run([python, "-m", "pip", "install", *options, *arguments, *known_to_work], env=environment) != 0:
        raise EnvironmentProblem("The packages could not be installed: see the messages above. Is PyPI reachable?")


def _find_uv(python: Path) -> list[str] | None:
    """The command that runs uv: the user's own, or one fetched into the environment; None without PyPI."""
    for command in (["uv"], [str(python), "-m", "uv"]):
        if succeeds([*command, "--version"]):
            return command
    say("    Fetching the installer uv into the environment")
    fetched = run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"]) == 0
    return [str(python), "-m", "uv"] if fetched else None


def _uv_environment(python: Path) -> dict[str, str]:
    """What uv needs to reach the same package index, behind the same certificates, as pip does."""
    settings = {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true", "UV_HTTP_TIMEOUT": "300"}
    if not succeeds(["uv", "--version"]):
        settings["UV_CACHE_DIR"] = str(ENV / "cache")  # a user of uv has a cache; others get no folder elsewhere
    if not any(name in os.environ for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")):
        asked = [str(python), "-m", "pip", "config", "get", "global.index-url"]
        index = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
        index = os.environ.get("PIP_INDEX_URL", index)
        if index:
            settings["UV_DEFAULT_INDEX"] = index
    return child_environment(**settings)


def _link_mode() -> str:
    return "hardlink" if os.name != "nt" else "copy"


def _of_comfyui(comfyui: Path, tests: bool) -> Environment:
    try:
        python = comfy_install.find_python(comfyui)
    except FileNotFoundError as error:
        raise EnvironmentProblem(str(error)) from None
    say(f"    Python: {python}")
    files = [RUNTIME_REQUIREMENTS, *([TEST_REQUIREMENTS] if tests else [])]
    missing = comfy_install.missing_requirements(python, files)
    if missing:
        say(f"    Installing into that environment, because the pack needs it: {', '.join(missing)}")
        say("    Nothing that is there already is changed.")
        if comfy_install.install(python, missing, ENV) != 0:
            raise EnvironmentProblem("The packages could not be installed: see the messages above.")
    else:
        say("    All that the pack needs is there; nothing is installed.")
    return Environment(python, comfyui)


def main() -> int:
    """Create (or remove) the environment, and run a command in it if one is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", action="store_true", help="also install the test tools")
    parser.add_argument("--clean", action="store_true", help=f"remove {ENV}")
    parser.add_argument("--run", nargs=argparse.REMAINDER, default=[], help="arguments for the environment's Python")
    arguments = parser.parse_args()
    if arguments.clean:
        clean()
        return 0
    environment = prepare(Steps(), tests=arguments.tests)
    if arguments.run:
        command = [str(environment.python), *arguments.run]
        return subprocess.run(command, env=child_environment()).returncode
    say(str(environment.python))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
