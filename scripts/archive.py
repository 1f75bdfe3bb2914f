"""The archive that ComfyUI's registry gets: ``python3 scripts/archive.py [FILE.zip]`` lists it, or writes it.

Tracked files without those of ``.comfyignore``, as ``comfy node publish`` packs them. Standard library and git only.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

from console import say
from environment import ROOT

IGNORE = ROOT / ".comfyignore"


def archive_files() -> list[str]:
    """Paths in the archive, from the root, with slashes."""
    ignored = set(tracked_files("--cached", "--ignored", "--exclude-from", str(IGNORE)))
    return [path for path in tracked_files() if path not in ignored and (ROOT / path).is_file()]


def tracked_files(*arguments: str) -> list[str]:
    """What git tracks: everything, or as arguments of ``git ls-files`` say."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", *arguments]
    output = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    return [path for path in output.split("\0") if path]


def write_archive(target: Path, files: list[str]) -> int:
    """Write the archive; its size in bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(ROOT / path, path)
    return target.stat().st_size


def summary(files: list[str]) -> str:
    """Unpacked sizes by folder, largest first."""
    sizes: Counter[str] = Counter()
    for path in files:
        sizes[path.partition("/")[0] if "/" in path else "files in the root"] += (ROOT / path).stat().st_size
    lines = [f"  {size / 1e6:8.2f} MB  {name}" for name, size in sizes.most_common()]
    return "\n".join([*lines, f"  {sum(sizes.values()) / 1e6:8.2f} MB  {len(files)} files"])


def main() -> int:
    """List the archive's folders, and write it where a file is named."""
    files = archive_files()
    say(summary(files))
    if len(sys.argv) > 1:
        say(f"  {write_archive(Path(sys.argv[1]), files) / 1e6:8.2f} MB  {sys.argv[1]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
