"""The localisation table as JSON, Markdown and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from clip_explainability.core.datasets.annotated import AnnotatedImage
from clip_explainability.core.drawing.colormap import overlay
from clip_explainability.core.drawing.grid import labelled_grid
from clip_explainability.core.maps import normalize_map
from machine import machine_line

COLUMNS = {
    "miou": "mIoU",
    "msc": "mSC",
    "pointing": "pointing",
    "auc": "AUC",
    "in_box": "in box",
    "deletion": "deletion (low)",
    "insertion": "insertion (high)",
}
Example = tuple[AnnotatedImage, dict[str, torch.Tensor]]


def write_report(result: dict[str, Any], folder: Path, example: Example | None) -> None:
    """Write ``localisation.{json,md,png}``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "localisation.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    (folder / "localisation.md").write_text(markdown(result), "utf-8")
    picture(result, example).savefig(folder / "localisation.png", dpi=110)


def markdown(result: dict[str, Any]) -> str:
    """The table, best pointing first; half-widths of the 95 % intervals behind ±, the best of a column in bold."""
    rows = dict(sorted(result["methods"].items(), key=lambda item: -item[1]["pointing"]))
    best = {key: (min if key == "deletion" else max)(row[key] for row in rows.values()) for key in COLUMNS}
    lines = [
        f"{result['queries']} object queries ({result['faithfulness_queries']} of them for deletion and insertion), "
        f"{result['dataset']}, CLIP: {result['clip']} ({result['fingerprint']}). "
        f"{machine_line(result['machine'])}; {result['seconds']} s.",
        *_left_out(result),
        "",
        "| method | " + " | ".join(COLUMNS.values()) + " | ms a prompt | threshold |",
        "| --- |" + " ---: |" * (len(COLUMNS) + 2),
    ]
    for name, row in rows.items():
        cells = []
        for key in COLUMNS:
            low, high = row[f"{key}_interval"]
            text = f"{row[key]:.3f}"
            cells.append(f"{f'**{text}**' if row[key] == best[key] else text} ±{(high - low) / 2:.3f}")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {row['ms']:.1f} | {row['threshold']:.2f} |")
    return "\n".join(lines) + "\n"


def _left_out(result: dict[str, Any]) -> list[str]:
    """A line that says how much of a folder could not be used, if anything."""
    count = result.get("left_out", {}).get("count", 0)
    return [f"{count} pictures or annotations could not be used and are left out (see localisation.json)."] * (
        count > 0
    )


def picture(result: dict[str, Any], example: Example | None) -> Any:
    """Bars of the four main metrics; below them, where there is one, an example scene seen by every method."""
    from matplotlib.figure import Figure

    rows = dict(sorted(result["methods"].items(), key=lambda item: item[1]["pointing"]))
    shown = ("pointing", "miou", "msc", "deletion")
    figure = Figure(figsize=(15, 6.2 if example is None else 15), layout="constrained")
    parts = [figure] if example is None else list(figure.subfigures(2, 1, height_ratios=[5, 9]))
    axes = parts[0].subplots(1, len(shown), sharey=True)
    for axis, key in zip(axes, shown, strict=True):
        values = [row[key] for row in rows.values()]
        errors = [
            [max(0.0, row[key] - row[f"{key}_interval"][0]) for row in rows.values()],
            [max(0.0, row[f"{key}_interval"][1] - row[key]) for row in rows.values()],
        ]
        axis.barh(list(rows), values, xerr=errors, color="#3b7dd8", ecolor="#222222", capsize=2)
        axis.set_title(COLUMNS[key])
        axis.axvline(0, color="#222222", linewidth=0.6)
        axis.grid(axis="x", alpha=0.3)
    if example is not None:
        axis = parts[1].subplots()
        axis.imshow(example_grid(*example).numpy())
        axis.axis("off")
    return figure


def example_grid(scene: AnnotatedImage, maps: dict[str, torch.Tensor]) -> torch.Tensor:
    """The scene, then every method's overlays, one prompt after the other: ``[H, W, 3]``."""
    image = scene.image.movedim(0, -1)
    pictures, labels = [image], ["scene"]
    for name, found in maps.items():
        heat = normalize_map(found)
        for entry, one in zip(scene.objects, heat, strict=True):
            pictures.append(overlay(image, one, "turbo", 0.55))
            labels.append(f"{name}: {entry.label}")
    return labelled_grid(pictures, labels, columns=9)
