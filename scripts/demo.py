"""See the pack work on a machine with nothing but Python: ``python3 scripts/demo.py``.

Creates an environment in ``.env/``, starts a real ComfyUI on this machine, runs the example workflows on scenes
of the demo world and writes the pictures to ``demo_output/``. With ``COMFYUI_PATH=/path/to/ComfyUI`` that ComfyUI
and its Python are used instead. Standard library only.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import environment
from console import Heartbeat, Steps, child_environment, run, say
from example_files import EXAMPLES, FOLDER, WITHOUT_DOWNLOAD
from host_client import ComfyClient, Message, Run
from host_server import ComfyServer, free_port
from workflow_api import read_workflow, to_api

ROOT = environment.ROOT
SERVER_FOLDER = environment.ENV / "server"
DEFAULT_OUTPUT = ROOT / "demo_output"
SCENES = 40


def main() -> int:
    """Run the demo; 0 if every workflow gave its pictures."""
    options = parse_arguments()
    if options.clean:
        environment.clean()
        if options.output.exists():
            say(f"Removing {options.output} ...")
            shutil.rmtree(options.output)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped as well
    steps = Steps()
    env = environment.prepare(steps)
    server = ComfyServer(env, SERVER_FOLDER, gpu=options.gpu, port=options.port, offline=not options.serve)
    with steps.step("ComfyUI", f"http://{server.address}, its files in {SERVER_FOLDER}"):
        server.start()
    try:
        written = run_examples(server, options.output, steps)
        with steps.step("Pointing game", f"{SCENES} scenes of art that the demo CLIP never saw"):
            game = ROOT / "scripts" / "pointing_game.py"
            if run([str(env.python), str(game), server.address, str(SCENES)], env=child_environment()) != 0:
                raise SystemExit("The pointing game failed: see above.")
        say(f"\n{len(written)} pictures in {options.output}")
        say(f"\nTimes:\n{steps.summary()}")
        if options.serve:
            serve(server)
    except KeyboardInterrupt:
        say("\nStopping the server.")
    finally:
        server.stop()
    return 0


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true", help="then leave ComfyUI running, and print its address")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="folder for the pictures")
    parser.add_argument("--port", type=int, default=free_port(), help="port of the server (default: any free one)")
    parser.add_argument("--gpu", action="store_true", help="let ComfyUI use the GPU (default: CPU only)")
    parser.add_argument("--clean", action="store_true", help="remove .env/ and the pictures, and do nothing else")
    options = parser.parse_args()
    options.output = options.output.expanduser().resolve()
    return options


def run_examples(server: ComfyServer, output: Path, steps: Steps) -> list[Path]:
    """Run every example workflow that needs no download; the pictures written."""
    output.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with ComfyClient(server.address) as client:
        info = client.object_info()
        for file in EXAMPLES:
            if file not in WITHOUT_DOWNLOAD:
                say(f"==> {file.name}: left out, it needs a model that is downloaded first")
                continue
            with steps.step(file.name):
                prompt = to_api(read_workflow(file), info)
                result = client.run(prompt, Follower(prompt))
                if result.error:
                    raise SystemExit(describe(result.error))
                written += save_pictures(client, result, prompt, output, file.stem)
    return written


class Follower:
    """Shows what a running workflow is at, without a line for every step."""

    def __init__(self, prompt: dict[str, dict[str, Any]]) -> None:
        self._titles = {number: node["_meta"]["title"] for number, node in prompt.items()}
        self._now = "waiting for the server"
        self._heartbeat = Heartbeat(lambda: self._now)

    def __call__(self, message: Message) -> None:
        """Take note of one of the server's messages."""
        data = message["data"]
        if message["type"] == "executing" and data.get("node") is not None:
            self._now = self._titles.get(data["node"], data["node"])
            say(f"    {self._now}")
            self._heartbeat.reset()
        elif message["type"] == "progress":
            self._now = f"{self._now.partition(':')[0]}: {data['value']} of {data['max']}"
        self._heartbeat.tick()


def save_pictures(
    client: ComfyClient, result: Run, prompt: dict[str, dict[str, Any]], output: Path, stem: str
) -> list[Path]:
    """Write the pictures that a workflow saves or shows (or, where it does neither, the nodes' own previews)."""
    written: list[Path] = []
    shown = [number for number in result.outputs if prompt[number]["class_type"] in ("SaveImage", "PreviewImage")]
    for number in sorted(shown or result.outputs, key=int):
        title = re.sub(r"[^a-z0-9]+", "-", prompt[number]["_meta"]["title"].lower()).strip("-")
        for index, image in enumerate(result.outputs[number].get("images", []), start=1):
            path = output / f"{stem}--{title}-{index}{Path(image['filename']).suffix}"
            path.write_bytes(client.view(image))
            say(f"    wrote {path.name}")
            written.append(path)
    return written


def describe(error: dict[str, Any]) -> str:
    """A node's error, for people."""
    return f"\nThe node {error['node_type']} failed: {error['exception_type']}: {error['exception_message']}"


def serve(server: ComfyServer) -> None:
    """Keep the server until it is stopped."""
    say(f"\nComfyUI with the pack runs at  http://{server.address}")
    say(f"Drop a file of {FOLDER} onto the page. Ctrl+C stops the server.")
    server.wait()


if __name__ == "__main__":
    raise SystemExit(main())
