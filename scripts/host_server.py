"""Start a real ComfyUI on loopback with the pack in its custom_nodes, and stop it again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from console import Heartbeat, child_environment
from environment import ROOT, Environment

START_TIMEOUT = 300.0
# What a copy of the pack needs none of (only Windows without the right to make links copies it).
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "demo_output", "tests", "training", "node_modules")


class ServerFailed(RuntimeError):
    """The server ended, or did not answer in time; the message holds the end of its log."""


class ComfyServer:
    """A ComfyUI in a folder of its own (``base``): its models, inputs, outputs and settings are all below it.

    Use as a context manager. ``log`` has everything the server printed. ``packs`` are folders of further node packs.
    """

    def __init__(
        self,
        environment: Environment,
        base: Path,
        *,
        gpu: bool = False,
        port: int | None = None,
        offline: bool = True,
        packs: tuple[Path, ...] = (),
    ) -> None:
        self.environment = environment
        self.base = base
        self.log = base / "server.log"
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._gpu = gpu
        self._offline = offline
        self._packs = {"clip-explainability": ROOT, **{pack.name: pack for pack in packs}}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ComfyServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        for folder in ("custom_nodes", "input", "models/open_clip"):
            (self.base / folder).mkdir(parents=True, exist_ok=True)
        for name, pack in self._packs.items():
            link_folder(pack, self.base / "custom_nodes" / name)
        changes = {"HF_HUB_OFFLINE": "1"} if self._offline else {}
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.environment.comfyui or self.base,
                env=child_environment(**changes),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def command(self) -> list[str]:
        """The command line: the PyPI host and a checkout differ in how they are told where to keep things."""
        python, comfyui = self.environment.python, self.environment.comfyui
        if comfyui is None:
            program = [str(python), "-m", "comfy.cmd.main", "--cwd", str(self.base)]
        else:
            program = [str(python), str(comfyui / "main.py"), *self._folders_of_checkout(comfyui)]
        device = [] if self._gpu else ["--cpu"]
        return [*program, *device, "--port", str(self.port), "--disable-auto-launch"]

    def _folders_of_checkout(self, comfyui: Path) -> list[str]:
        if "--base-directory" in (comfyui / "comfy" / "cli_args.py").read_text("utf-8"):
            # The database of newest versions is not moved with the base directory.
            return ["--base-directory", str(self.base), *self._database(comfyui)]
        # Before January 2025: single folders, and custom nodes by way of extra_model_paths.
        paths = self.base / "extra_paths.yaml"
        paths.write_text(f"pack:\n  base_path: {self.base.as_posix()!r}\n  custom_nodes: custom_nodes\n", "utf-8")
        folders = [part for name in ("input", "output", "temp") for part in (f"--{name}-directory", str(self.base))]
        return [*folders, "--extra-model-paths-config", str(paths)]

    def _database(self, comfyui: Path) -> list[str]:
        if "--database-url" not in (comfyui / "comfy" / "cli_args.py").read_text("utf-8"):
            return []
        return ["--database-url", f"sqlite:///{(self.base / 'comfyui.db').as_posix()}"]

    def _wait_until_ready(self) -> None:
        heartbeat = Heartbeat(lambda: "the server is starting")
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if not self.alive():
                raise ServerFailed(f"ComfyUI ended while starting. The end of {self.log}:\n{self.log_end()}")
            if self._answers():
                return
            time.sleep(0.2)
            heartbeat.tick()
        raise ServerFailed(f"ComfyUI did not answer within {START_TIMEOUT:.0f} s. {self.log}:\n{self.log_end()}")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/system_stats", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def alive(self) -> bool:
        """Whether the server runs."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> None:
        """Block until the server ends."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """End the server, by force if it does not go."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End the server as a crash or a power cut would: at once, amid whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log_end(self, lines: int = 40) -> str:
        """The last lines that the server printed."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def link_folder(source: Path, target: Path) -> None:
    """Make ``target`` show ``source``: a symbolic link, on Windows a junction, and a copy where neither works."""
    if target.is_symlink() or target.exists():
        if target.resolve() == source.resolve():
            return
        _remove_link(target)
    try:
        target.symlink_to(source, target_is_directory=True)
    except OSError:
        if os.name != "nt" or not _make_junction(source, target):
            shutil.copytree(source, target, ignore=NOT_COPIED)


def _make_junction(source: Path, target: Path) -> bool:
    made = subprocess.run(["cmd", "/c", "mklink", "/J", str(target), str(source)], capture_output=True)
    return made.returncode == 0


def _remove_link(target: Path) -> None:
    if target.is_symlink():
        target.unlink()
        return
    try:
        os.rmdir(target)  # a junction: removes the link and leaves what it points at
    except OSError:
        shutil.rmtree(target)
