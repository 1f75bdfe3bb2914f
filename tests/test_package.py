"""The repository as a package: what ``pip install .`` puts on a machine, and that it runs away from its checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from archive import tracked_files
from environment import ROOT

NAME = "clip_explainability"

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git tracks, so that a build leaves nothing in the checkout."""
    if tracked_files("--", "pyproject.toml") == []:
        pytest.skip("not a git checkout")
    pytest.importorskip("setuptools")
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "wheel"))
    for name in tracked_files():
        if not name.startswith(("tests/", "benchmarks/", "training/")) and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).symlink_to(ROOT / name)
    program = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, str(target)], cwd=source, check=True, capture_output=True)
    (built,) = target.glob("*.whl")
    return built


def test_every_folder_of_the_library_is_named() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        named = tomllib.load(file)["tool"]["setuptools"]["packages"]
    folders = {Path(path).parent for path in tracked_files("--", "core", "nodes") if path.endswith(".py")}
    assert named == [NAME, *sorted(".".join((NAME, *folder.parts)) for folder in folders)]


def test_all_that_the_registry_gets_is_in_the_wheel(wheel: Path) -> None:
    """But what belongs to a folder in ``custom_nodes`` alone."""
    import archive

    files = {Path(path).as_posix() for path in archive.archive_files()}
    folders = tuple(f"{name}/" for name in ("core", "nodes", "web", "locales", "example_workflows", "subgraphs"))
    wanted = {f"{NAME}/{path}" for path in files if path.startswith(folders)} | {f"{NAME}/__init__.py"}
    found = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith(f"{NAME}/")}
    assert found == wanted


def test_it_runs_away_from_its_checkout(wheel: Path, tmp_path: Path) -> None:
    """Installed beside nothing else: no ComfyUI, another working folder, the embedded CLIP and its scenes."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path / "site")!r})
from {NAME}.core.demo.clip import load_demo
import {NAME}
assert {NAME}.__file__.startswith({str(tmp_path)!r}), {NAME}.__file__
assert "comfy" not in sys.modules
print(load_demo().name)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout
