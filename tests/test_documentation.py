"""What the documents name exists: links, files, commands and their options, workflows, nodes, figures."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pack
import pytest

ROOT = pack.ROOT
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "training")),
    *sorted((ROOT / "web" / "docs").glob("*.md")),
]
FENCE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*python3? (?P<script>[\w/]+\.py)(?P<arguments>.*)$")
MADE_BY_USE = {".env", "demo_output", "models", "custom_nodes", "ComfyUI"}
"""First parts of paths that a run or the host makes."""

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def commands(document: Path) -> list[tuple[str, list[str]]]:
    """Scripts of this repository that a document tells to run, with their arguments."""
    text = document.read_text("utf-8")
    indented = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    lines = [line for block in FENCE.findall(text) for line in block.splitlines()] + CODE.findall(text) + indented
    found = (COMMAND.match(line.split(" #")[0].strip()) for line in lines)
    return [(match["script"], shlex.split(match["arguments"])) for match in found if match]


def script_path(name: str, document: Path) -> Path:
    """The script, from the repository's root or from the document's own folder."""
    return next((base / name for base in (ROOT, document.parent) if (base / name).exists()), ROOT / name)


def test_the_commands_of_the_readme_are_seen():
    scripts = {name for name, _ in commands(ROOT / "README.md")}
    assert {"scripts/demo.py", "scripts/test.py"} <= scripts


@each_document
def test_links_lead_somewhere(document):
    for target in LINK.findall(document.read_text("utf-8")):
        if target.startswith("https://"):
            assert re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", target), target
        else:
            assert (document.parent / unquote(target.split("#")[0])).exists(), f"{document.name} links to {target}"


@each_document
def test_commands_name_scripts_and_options_that_exist(document):
    for name, arguments in commands(document):
        script = script_path(name, document)
        assert script.exists(), f"{document.name}: {name}"
        if script.name == "test.py":  # the rest goes to pytest
            paths = [argument for argument in arguments if "/" in argument]
            assert all((ROOT / path.split("::")[0]).exists() for path in paths), arguments
            continue
        source = script.read_text("utf-8")
        for option in (word.strip("[]").split("=")[0] for word in arguments if word.strip("[]").startswith("--")):
            assert f'"{option}"' in source, f"{document.name}: {name} has no {option}"


@each_document
def test_paths_in_backticks_exist(document):
    for code in CODE.findall(document.read_text("utf-8")):
        if not re.fullmatch(r"[\w./{},-]+/[\w./{},-]*", code) or code.split("/")[0] in MADE_BY_USE:
            continue
        base, _, names = code.partition("{")
        paths = [base + ending for ending in names.rstrip("}").split(",")] if names else [code]
        for path in paths:
            places = (ROOT, document.parent, ROOT / "core", ROOT / "nodes", ROOT / "tests")
            assert any((place / path).exists() for place in places), f"{document.name} names {path}"


def test_workflows_that_the_readme_names_exist():
    text = (ROOT / "README.md").read_text("utf-8")
    named = {name.split(" - ")[0] for name in re.findall(r'(\d\d [A-Z][^*`→"]+)[*"]', text)}
    examples = {file.stem.split(" - ")[0] for file in (ROOT / "example_workflows").glob("*.json")}
    assert examples & named, "no example is named"
    assert named <= examples, named - examples


def test_nodes_that_the_readme_names_exist():
    text = (ROOT / "README.md").read_text("utf-8")
    table = text.split("| I want to")[1].split("\n\n")[0]
    named = set(re.findall(r"\*\*([^*]+)\*\*", table))
    shown = {node.DISPLAY_NAME for node in pack.load().nodes.NODE_CLASSES}
    assert named == shown
