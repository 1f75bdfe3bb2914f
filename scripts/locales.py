"""Texts for ComfyUI's interface in every language: ``python scripts/locales.py`` after any change of a node's texts.

English (``locales/en``) is written from the nodes and from ``web/pack_colour.js``. For the other languages the command
says what is missing, stale, or was translated from an English text that has changed since; after mending that by hand,
``python scripts/locales.py --translated`` records the English that the translations now stand for.
Runs in the pack's environment.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pack

LOCALES = pack.ROOT / "locales"
SOURCE_LANGUAGE = "en"
TRANSLATED_FROM = pack.ROOT / "scripts" / "translated_from.json"  # key -> digest of the English that was translated
COLOUR_SCRIPT = pack.ROOT / "web" / "pack_colour.js"

Texts = dict[str, Any]


def english() -> dict[str, Texts]:
    """The content of each file of ``locales/en``, from the code."""
    nodes = pack.load().nodes.NODE_CLASSES
    parts = dict.fromkeys(part for node in nodes for part in node.CATEGORY.split("/"))
    pack_name = next(iter(parts))
    return {
        "main": {
            "nodeCategories": {part: part for part in parts},
            "settingsCategories": {pack_name: pack_name},
        },
        "nodeDefs": {node.NODE_ID: _node_texts(node) for node in nodes},
        "settings": _settings_texts(),
    }


def _node_texts(node: Any) -> Texts:
    inputs = {name: spec[1] for group in node.INPUT_TYPES().values() for name, spec in group.items()}
    outputs = zip(getattr(node, "RETURN_NAMES", node.RETURN_TYPES), node.OUTPUT_TOOLTIPS, strict=True)
    texts: Texts = {
        "display_name": node.DISPLAY_NAME,
        "description": node.DESCRIPTION,
        "inputs": {name: {"name": name, "tooltip": options["tooltip"]} for name, options in inputs.items()},
        "outputs": {str(place): {"name": name, "tooltip": tip} for place, (name, tip) in enumerate(outputs)},
    }
    return {key: value for key, value in texts.items() if value}


def _settings_texts() -> Texts:
    script = COLOUR_SCRIPT.read_text("utf-8")
    found = re.search(r'SETTING = "([^"]+)".*settings:.*?name: "([^"]+)".*?tooltip: "([^"]+)"', script, re.DOTALL)
    assert found is not None
    setting, name, tooltip = found.groups()
    return {setting.replace(".", "_"): {"name": name, "tooltip": tooltip}}


def read(language: str) -> dict[str, Texts]:
    """The content of a language's files, by their names without ending."""
    return {file.stem: json.loads(file.read_text("utf-8")) for file in sorted((LOCALES / language).glob("*.json"))}


def write(language: str, content: dict[str, Texts]) -> None:
    """Write a language's files."""
    for name, texts in content.items():
        file = LOCALES / language / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(texts, ensure_ascii=False, indent=2) + "\n", "utf-8")


def leaves(texts: Texts, above: str = "") -> Iterator[tuple[str, str]]:
    """Every text with its key, ``nodeDefs/CLIPRelevancyMap/inputs/clip/tooltip``."""
    for key, value in texts.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{key}/")
        else:
            yield f"{above}{key}", value


def languages() -> list[str]:
    """All but English."""
    return sorted(folder.name for folder in LOCALES.iterdir() if folder.name != SOURCE_LANGUAGE)


def digest(text: str) -> str:
    """Short fingerprint of an English text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def translated_from() -> dict[str, str]:
    """Digest of the English text that the translations of each key stand for."""
    content: dict[str, str] = json.loads(TRANSLATED_FROM.read_text("utf-8"))
    return content


def problems(language: str, source: dict[str, str]) -> list[str]:
    """What is wrong with a language, given the English texts by key; a line each."""
    there = dict(leaves(read(language)))
    recorded = translated_from()
    found = [f"{language}: missing: {key}: {source[key]}" for key in source if key not in there]
    found += [f"{language}: stale: {key}" for key in there if key not in source]
    found += [
        f"{language}: the English has changed: {key}: {text}"
        for key, text in source.items()
        if key in there and recorded.get(key) != digest(text)
    ]
    return found


def main() -> int:
    """Write English and say what the other languages need; 0 if that is nothing."""
    content = english()
    write(SOURCE_LANGUAGE, content)
    source = dict(leaves(content))
    if sys.argv[1:] == ["--translated"]:
        TRANSLATED_FROM.write_text(json.dumps({key: digest(text) for key, text in source.items()}, indent=1) + "\n")
    found = [problem for language in languages() for problem in problems(language, source)]
    print("\n".join(found) or f"{len(source)} texts in {SOURCE_LANGUAGE}, {', '.join(languages())}")
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
