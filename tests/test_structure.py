"""The walls of the house: who may import whom, how much an import costs, and what every node must tell its user."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clip_explainability import nodes

ROOT = Path(__file__).resolve().parent.parent
PACK = "clip_explainability"
HOST_MODULES = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "execution", "folder_paths", "nodes", "server"}
HOST_ADAPTER = ROOT / "nodes" / "host"


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported_modules(path: Path) -> Iterator[str]:
    """Absolute names of all that a file imports, at the top or inside functions."""
    package = (PACK, *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", python_files("core"), ids=lambda path: str(path.relative_to(ROOT)))
def test_core_knows_neither_the_host_nor_the_nodes(path: Path) -> None:
    modules = list(imported_modules(path))
    assert [name for name in modules if name.partition(".")[0] in HOST_MODULES] == []
    assert [name for name in modules if name.startswith(f"{PACK}.nodes")] == []


@pytest.mark.parametrize("path", python_files("nodes"), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_adapter_touches_the_host(path: Path) -> None:
    touched = [name for name in imported_modules(path) if name.partition(".")[0] in HOST_MODULES]
    assert path.parent == HOST_ADAPTER or touched == []


@pytest.mark.parametrize("folder", ["core", "nodes"])
def test_the_pack_imports_itself_relatively(folder: str) -> None:
    """Its folder may have any name, so its own name must not stand in an import."""
    for path in python_files(folder):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert [name for name in names if name.partition(".")[0] in {PACK, "core"}] == [], path


def test_importing_the_pack_is_cheap() -> None:
    """Under a second in a fresh interpreter, without torch or any model library."""
    program = (
        "import json, sys, time; sys.path.insert(0, sys.argv[1]); import pack; start = time.perf_counter();"
        "pack.load(); print(json.dumps([time.perf_counter() - start, sorted(sys.modules)]))"
    )
    command = [sys.executable, "-c", program, str(ROOT / "scripts")]
    fastest, loaded = min(
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)
    )
    heavy = {"torch", "torchvision", "open_clip", "transformers", "matplotlib", "timm"}
    assert sorted(heavy.intersection(loaded)) == []
    assert fastest < 1.0


def inputs_of(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for group in ("required", "optional"):
        for name, spec in node.INPUT_TYPES().get(group, {}).items():
            yield name, spec[1] if len(spec) > 1 else {}


@pytest.mark.parametrize("node", nodes.NODE_CLASSES, ids=lambda node: node.NODE_ID)
class TestEveryNode:
    def test_says_what_it_does(self, node: Any) -> None:
        assert node.DISPLAY_NAME
        assert node.CATEGORY.split("/")[0] == "CLIP Explainability"
        assert len(node.DESCRIPTION) > 20

    def test_is_found_by_other_words(self, node: Any) -> None:
        aliases = node.SEARCH_ALIASES
        assert len(aliases) >= 3
        assert aliases == [alias.lower() for alias in dict.fromkeys(aliases)]
        assert node.DISPLAY_NAME.lower() not in aliases

    def test_stays_among_the_extensions_nodes(self, node: Any) -> None:
        """Frontends take a node with this attribute out of the list of extensions' nodes, and the list that they then
        show it in holds ComfyUI's own nodes only."""
        assert not hasattr(node, "ESSENTIALS_CATEGORY")

    def test_a_fresh_widget_holds_a_value_that_it_allows(self, node: Any) -> None:
        for group in node.INPUT_TYPES().values():
            for name, spec in group.items():
                kind, options = spec[0], spec[1]
                if isinstance(kind, list):
                    assert options.get("default", kind[0] if kind else None) in [*kind, None], name
                elif kind in ("INT", "FLOAT"):
                    assert options["min"] <= options["default"] <= options["max"], name
                    assert 0 < options.get("step", 1) <= options["max"] - options["min"], name
                elif kind == "BOOLEAN":
                    assert isinstance(options["default"], bool), name
                elif kind == "STRING" and not options.get("forceInput"):
                    assert isinstance(options["default"], str), name

    def test_explains_every_input(self, node: Any) -> None:
        assert [name for name, options in inputs_of(node) if not options.get("tooltip")] == []

    def test_names_and_explains_every_output(self, node: Any) -> None:
        assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES) == len(node.OUTPUT_TOOLTIPS)
        assert all(node.OUTPUT_TOOLTIPS)

    def test_has_a_help_page(self, node: Any) -> None:
        assert (ROOT / "web" / "docs" / f"{node.NODE_ID}.md").is_file()
