"""The viewer's colours are the nodes' own."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import torch
from clip_explainability.core.drawing.colormap import COLORMAPS, colorize

SCRIPT = Path(__file__).resolve().parents[2] / "web" / "lens" / "colormaps.js"


def test_every_colormap_of_the_nodes_is_there_and_alike() -> None:
    tables = dict(re.findall(r'^  (\w+): "([^"]+)",$', SCRIPT.read_text("utf-8"), re.MULTILINE))
    assert tuple(tables) == COLORMAPS
    for name, table in tables.items():
        wanted = (colorize(torch.linspace(0, 1, 256)[None], name)[0] * 255).round().byte()
        assert torch.frombuffer(bytearray(base64.b64decode(table)), dtype=torch.uint8).view(256, 3).equal(wanted), name
