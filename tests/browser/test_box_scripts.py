"""The scripts themselves: types checked against the frontend's own, and the modules that need no browser."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINNED = ROOT / "node_modules" / "@comfyorg" / "comfyui-frontend-types" / "index.d.ts"
ENTRIES = {"box_editor.js", "fixed_seeds.js", "lens.js", "pack_colour.js"}
INSTALL = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--loglevel=error"]


def run(*command: str) -> None:
    """Run a Node.js tool; its output is the test's message."""
    program = shutil.which(command[0])
    if program is None:
        reason = f"{command[0]} is not installed: the scripts of web/ are checked with Node.js 20 or newer"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run(
        [program, *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=300, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_modules_that_need_no_browser() -> None:
    run("node", "--test", "tests/browser/")


def test_types_agree_with_the_frontends() -> None:
    if not PINNED.is_file():
        run(*INSTALL)
    run("npx", "--no-install", "tsc", "-p", "jsconfig.json")


def test_every_script_is_an_extension_that_loads_alone() -> None:
    """ComfyUI imports every .js file below web/ by itself; only the entries may do something then."""
    for file in (ROOT / "web").rglob("*.js"):
        acts = [
            line for line in file.read_text("utf-8").splitlines() if line.startswith(("app.", "listen(", "document."))
        ]
        assert acts == [] or file.name in ENTRIES, file
