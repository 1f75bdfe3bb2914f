"""``clip-explain classify``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..classification.cache import FeatureCache
from ..classification.classes import ClassList, from_names, parse_classes
from ..classification.classify import Prompting, classify
from ..classification.results import scores_report
from ..classification.templates import preset_templates
from ..text_files import read_text
from .session import begin


def run_classify(given: argparse.Namespace) -> int:
    """The most probable classes of every picture."""
    prompting = Prompting(_classes(given.classes), preset_templates(given.templates))
    session = begin(given)
    cache = FeatureCache()  # the texts are encoded once, not once a batch
    for batch in session.batches():
        found = classify(
            session.clip, batch.images, prompting, given.ensemble, given.temperature, given.fit, cache=cache
        )
        for name, image in zip(batch.names, scores_report(found, given.top_k)["images"], strict=True):
            entry = {"image": name, **{key: image[key] for key in ("label", "probability", "margin", "top")}}
            top = ", ".join(f"{each['label']} {each['probability']:.1%}" for each in image["top"])
            session.add(entry, f"{name}: {top}")
    return session.finish(classes=list(prompting.classes.names), warnings=list(prompting.classes.warnings))


def _classes(given: str) -> ClassList:
    """A file of classes, or names with commas between."""
    path = Path(given)
    return parse_classes(read_text(path)) if path.is_file() else from_names(given.split(","))
