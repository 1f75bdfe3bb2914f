"""What the server hands to its web page beside nodes: help pages, translations, blueprints, examples, scripts."""

from __future__ import annotations

import json
import urllib.error
from typing import Any

import pytest
from clip_explainability.nodes import NODE_CLASS_MAPPINGS
from environment import ROOT
from host_client import ComfyClient

import locales

WEB = "/extensions/clip-explainability"  # the pack's folder in the tests' server


def get_json(client: ComfyClient, path: str) -> Any:
    """The answer; the test is skipped on hosts that don't know the route."""
    try:
        return client.get_json(path)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            pytest.skip(f"this ComfyUI has no {path}")
        raise


@pytest.mark.parametrize("node_id", NODE_CLASS_MAPPINGS)
def test_a_help_page_is_served(node_id: str, client: ComfyClient) -> None:
    page = client.get(f"{WEB}/docs/{node_id}.md").decode()
    assert page == (ROOT / "web" / "docs" / f"{node_id}.md").read_text("utf-8")


def test_the_page_is_told_of_the_packs_scripts(client: ComfyClient) -> None:
    scripts = [path for path in client.get_json("/extensions") if path.startswith(WEB)]
    assert {f"{WEB}/box_editor.js", f"{WEB}/pack_colour.js"} <= set(scripts)
    assert len(scripts) == len(set(scripts))  # listed twice, they would be loaded twice


@pytest.mark.parametrize("language", ["en", "ja", "zh"])
def test_translations_are_served(language: str, client: ComfyClient) -> None:
    served = get_json(client, "/i18n")[language]
    content = locales.read(language)
    for node_id, texts in content["nodeDefs"].items():
        assert served["nodeDefs"][node_id] == texts
    assert served["nodeCategories"] == content["main"]["nodeCategories"]
    assert content["settings"].items() <= served["settings"].items()


def test_blueprints_are_listed_with_their_content(client: ComfyClient) -> None:
    listed = {
        key: entry
        for key, entry in get_json(client, "/global_subgraphs").items()
        if entry["info"]["node_pack"] == "custom_nodes.clip-explainability"
    }
    files = {file.stem: file for file in (ROOT / "subgraphs").glob("*.json")}
    assert sorted(entry["name"] for entry in listed.values()) == sorted(files)
    for key, entry in listed.items():
        data = client.get_json(f"/global_subgraphs/{key}")["data"]
        assert json.loads(data) == json.loads(files[entry["name"]].read_text("utf-8"))


def test_examples_are_listed_with_their_thumbnails(client: ComfyClient) -> None:
    names = get_json(client, "/workflow_templates")["clip-explainability"]
    assert sorted(names) == sorted(file.stem for file in (ROOT / "example_workflows").glob("*.json"))
    for name in names:
        assert client.get(f"/api/workflow_templates/clip-explainability/{name}.jpg")[:2] == b"\xff\xd8"
