"""Run every check and every test: ``python3 scripts/test.py [--only-tests] [--clean] [pytest arguments]``.

Standard library only: creates the environment it needs in ``.env/`` (``--clean`` removes it), finds or names a
browser, then runs ruff, mypy and pytest. With ``COMFYUI_PATH`` set, the tests run against that ComfyUI.
"""

from __future__ import annotations

import subprocess
import sys

import chromium
import environment
from console import Steps, child_environment, run, say

ROOT = environment.ROOT


def main(arguments: list[str]) -> int:
    """Prepare, check, test; non-zero if anything failed."""
    if arguments[:1] in (["-h"], ["--help"]):
        say(__doc__ or "")
        return 0
    if arguments == ["--clean"]:
        environment.clean()
        return 0
    steps = Steps()
    python = str(environment.prepare(steps, tests=True).python)
    with steps.step("Browser"):
        browser = chromium.find_or_install()
    failed = []
    if "--only-tests" in arguments:
        arguments = [argument for argument in arguments if argument != "--only-tests"]
    else:
        checks = {
            "ruff check": [python, "-m", "ruff", "check", "."],
            "ruff format": [python, "-m", "ruff", "format", "--check", "."],
            "mypy": [python, str(ROOT / "scripts" / "typecheck.py")],
        }
        failed = [name for name, command in checks.items() if not _check(steps, name, command)]
    changes = {chromium.VARIABLE: str(browser)} if browser else {}
    say("==> pytest")
    # Not by way of console.run: pytest shows its own progress, dot by dot.
    pytest = [python, "-m", "pytest", *arguments]
    code = subprocess.run(pytest, cwd=ROOT, env=child_environment(**changes), stdin=subprocess.DEVNULL).returncode
    if failed:
        say(f"\nFailed besides the tests: {', '.join(failed)} (see above)")
    return code or int(bool(failed))


def _check(steps: Steps, name: str, command: list[str]) -> bool:
    with steps.step(name):
        return run(command, cwd=ROOT, env=child_environment()) == 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
