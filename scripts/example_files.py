"""The example workflows: which there are, and which run on what the pack brings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from environment import ROOT
from workflow_api import read_workflow

FOLDER = ROOT / "example_workflows"
EXAMPLES = sorted(FOLDER.glob("*.json"))


def example(words: str) -> Path:
    """The example whose name holds these words, as "Heat map of a picture"."""
    (found,) = [file for file in EXAMPLES if words in file.stem]
    return found


def needs_download(workflow: dict[str, Any]) -> bool:
    """Whether a node names model files that the editor would offer to download."""
    return any(node.get("properties", {}).get("models") for node in workflow["nodes"])


WITHOUT_DOWNLOAD = [file for file in EXAMPLES if not needs_download(read_workflow(file))]
