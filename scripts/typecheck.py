"""Run mypy over the pack as ``clip_explainability``, whatever its folder is called."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from console import child_environment, run
from host_server import link_folder
from pack import NAME, ROOT

CHECKED = ("__init__.py", "core", "nodes", "scripts")


def main() -> int:
    """Type check; mypy's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / NAME
        link_folder(ROOT, link)
        # The scripts import each other by bare name, the pack's modules by the pack's.
        environment = child_environment(MYPYPATH=f"{folder}{os.pathsep}{link / 'scripts'}")
        options = ["--config-file", str(link / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
        files = [f"{NAME}/{name}" for name in CHECKED]
        return run([sys.executable, "-m", "mypy", *options, *files], env=environment, cwd=Path(folder), indent="")


if __name__ == "__main__":
    raise SystemExit(main())
