"""Importing this makes the pack of this checkout importable as ``clip_explainability``."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import pack  # noqa: E402

pack.load()
