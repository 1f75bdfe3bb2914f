"""What the registry gets: complete metadata, and an archive with all that the pack needs and nothing else."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import archive
import pytest
from comfy_install import requirement_lines
from packaging.requirements import Requirement
from PIL import Image

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
REQUIREMENTS = requirement_lines(ROOT / "requirements.txt")
OLDEST_TORCH = "2.7.1"  # ComfyUI's README: "torch 2.7 is minimally supported"
LARGEST_ARCHIVE = 40_000_000  # bytes


class TestMetadata:
    def test_the_name_suits_the_registry(self) -> None:
        name = PROJECT["project"]["name"]
        assert re.fullmatch(r"[a-z](?:[-_.]?[a-z0-9])*", name)
        assert len(name) < 100
        assert "comfyui" not in name

    def test_the_version_is_the_same_everywhere(self) -> None:
        version = PROJECT["project"]["version"]
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        changes = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
        assert next(entry for entry in changes if entry != "Unreleased") == version
        cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
        assert cited is not None
        assert cited[1] == version

    @pytest.mark.parametrize("key", ["description", "license", "readme", "requires-python", "classifiers", "urls"])
    def test_the_project_is_described(self, key: str) -> None:
        assert PROJECT["project"][key]

    def test_the_host_sections_are_complete(self) -> None:
        comfy = PROJECT["tool"]["comfy"]
        assert {"PublisherId", "DisplayName", "Icon", "Banner", "requires-comfyui"} <= set(comfy)
        assert "web" not in comfy  # WEB_DIRECTORY says it; said twice, the scripts are served twice

    @pytest.mark.parametrize(("key", "ratio"), [("Icon", 1.0), ("Banner", 21 / 9)])
    def test_pictures_are_in_the_repository_and_in_shape(self, key: str, ratio: float) -> None:
        address = PROJECT["tool"]["comfy"][key]
        start = PROJECT["project"]["urls"]["Repository"].replace("github.com", "raw.githubusercontent.com") + "/main/"
        assert address.startswith(start)
        with Image.open(ROOT / address.removeprefix(start)) as picture:
            assert picture.width / picture.height == pytest.approx(ratio, rel=0.01)
            assert key != "Icon" or picture.width <= 400

    def test_both_papers_are_cited(self) -> None:
        text = (ROOT / "CITATION.cff").read_text("utf-8")
        assert "No Token Left Behind" in text
        assert "Exploring Visual Interpretability" in text


class TestRequirements:
    def test_the_registry_and_pip_are_told_the_same(self) -> None:
        assert sorted(PROJECT["project"]["dependencies"]) == sorted(REQUIREMENTS)

    def test_nothing_of_torch_is_asked_for(self) -> None:
        assert [line for line in REQUIREMENTS if Requirement(line).name.lower().startswith(("torch", "nvidia"))] == []

    @pytest.mark.parametrize("line", REQUIREMENTS)
    def test_versions_have_a_lower_bound_and_no_upper_one(self, line: str) -> None:
        assert [specifier.operator for specifier in Requirement(line).specifier] == [">="]

    def test_no_requirement_asks_for_another_torch_than_the_users(self) -> None:
        """Followed through all that they require: whatever torch ComfyUI has, an installer finds it good enough."""
        asked = []
        seen: set[str] = set()
        waiting = [Requirement(line).name for line in REQUIREMENTS]
        while waiting:
            name = waiting.pop().lower().replace("_", "-")
            if name in seen:
                continue
            seen.add(name)
            for line in importlib.metadata.requires(name) or []:
                needed = Requirement(line)
                if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
                    continue
                if needed.name == "torch":
                    asked.append((name, needed))
                elif needed.name != "torchvision":  # ComfyUI brings that as well, and it belongs to one torch
                    waiting.append(needed.name)
        assert asked  # open_clip and timm do
        assert [name for name, torch in asked if not torch.specifier.contains(OLDEST_TORCH)] == []
        assert [name for name, torch in asked if not torch.specifier.contains("99.0")] == []


@pytest.fixture(scope="module")
def files() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git repository: nothing says which files are tracked")
    return archive.archive_files()


class TestArchive:
    def test_its_size(self, files: list[str], tmp_path: Path) -> None:
        size = archive.write_archive(tmp_path / "pack.zip", files)
        print(f"\nregistry archive: {size / 1e6:.2f} MB packed\n{archive.summary(files)}")
        assert size < LARGEST_ARCHIVE

    def test_it_leaves_the_workshop_out(self, files: list[str]) -> None:
        folders = {path.partition("/")[0] for path in files if "/" in path}
        assert folders == {"core", "example_workflows", "locales", "nodes", "subgraphs", "web"}
        assert not [path for path in files if path.endswith((".svg.gz", ".pyc", ".zip")) or "/test_" in path]

    def test_it_holds_all_of_the_packs_folders(self, files: list[str]) -> None:
        """Nothing tracked in them falls to a pattern meant for another place."""
        tracked = archive.tracked_files("core", "nodes", "web", "locales", "subgraphs", "example_workflows")
        assert sorted(set(tracked) - set(files)) == ["web/types.d.ts"]
        assert {"README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", "requirements.txt"} <= set(files)

    def test_the_pack_works_from_it(self, files: list[str], tmp_path: Path) -> None:
        """Unpacked elsewhere, in a process that knows no other copy: every module loads, and a map is made."""
        target = tmp_path / "some folder"
        for path in files:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes((ROOT / path).read_bytes())
        command = [sys.executable, "-P" if sys.version_info >= (3, 11) else "-s", "-c", PROGRAM, str(target)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.split() == ["explained"]


PROGRAM = """
import importlib, importlib.util, pkgutil, sys
from pathlib import Path

target = Path(sys.argv[1])
spec = importlib.util.spec_from_file_location("the pack", target / "__init__.py",
                                              submodule_search_locations=[str(target)])
pack = importlib.util.module_from_spec(spec)
sys.modules["the pack"] = pack
spec.loader.exec_module(pack)
for package in ("core", "nodes"):
    for module in pkgutil.walk_packages([str(target / package)], f"the pack.{package}."):
        importlib.import_module(module.name)
assert all(Path(module.__file__).is_relative_to(target) for name, module in sys.modules.items()
           if name.startswith("the pack"))
nodes = pack.NODE_CLASS_MAPPINGS
for node in nodes.values():
    node.INPUT_TYPES()

def defaults(node, **given):
    specs = [item for group in node.INPUT_TYPES().values() for item in group.items()]
    values = {name: spec[1].get("default", spec[0][0]) for name, spec in specs if "default" in spec[1]}
    return {**values, **given}

scene = nodes["DemoScene"]
image, masks, prompts, _ = scene().draw(**defaults(scene, width=96, height=96))
loader = nodes["LoadExplainableCLIP"]
clip, _ = loader().load(**defaults(loader))
explainer = nodes["CLIPRelevancyMap"]
heat = explainer().explain(**defaults(explainer, clip=clip, image=image, text=prompts, method="eclip"))["result"][1]
assert heat.shape == masks.shape and heat.max() > 0.9
reader = getattr(pack.nodes, "LoadDemoDiffusion", None)
if reader is not None:
    assert sys.modules["the pack.core.demo.diffusion"].read_diffusion_weights()
print("explained")
"""
