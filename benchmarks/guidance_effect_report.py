"""The effect of guidance as JSON, Markdown and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from guidance_studio import SIDE, Task
from intervals import mean_interval
from machine import machine_line

TITLES = {
    "unguided": "unguided",
    "similarity": "similarity only",
    "ours": "ours, words",
    "ours_boxes": "ours, words and boxes",
    "unguided_by_similarity": "best of four unguided, by similarity",
    "unguided_by_words": "best of four unguided, by words",
    "unguided_by_boxes": "best of four unguided, by boxes",
    "ours_boxes_by_boxes": "best of four of ours with boxes, by boxes",
}
PICTURED = ("unguided", "similarity", "ours", "ours_boxes", "ours_boxes_by_boxes")
SETTING_TITLES = {"text": "with the diffusion model's own text", "no_text": "CLIP is the only one that reads"}
COLUMNS = {
    "missing_word_rate": "words missing",
    "all_present": "all present",
    "centre_in_box_rate": "centre in box",
    "half_in_box_rate": "half in box",
    "box_miou": "box mIoU",
    "confidence": "confidence",
    "strangers": "strangers",
}
EXAMPLES = 6


def summary(values: list[float]) -> dict[str, Any]:
    """Mean and 95 % interval; values that don't exist (no object, no confidence) are left out."""
    there = np.array([value for value in values if not np.isnan(value)])
    if not len(there):
        return {"mean": float("nan"), "ci95": [float("nan")] * 2}
    found = mean_interval(there)
    return {"mean": found["mean"], "ci95": [found["low"], found["high"]]}


def write_report(result: dict[str, Any], rows: dict[str, dict[str, Any]], tasks: list[Task],
                 pictures: dict[Any, np.ndarray], folder: Path) -> None:  # fmt: skip
    """Write ``guidance_effect.{json,md,png}``; `result` gets the figures."""
    result["settings"] = {
        setting: {
            name: {key: summary(values) if isinstance(values, list) else values for key, values in measured.items()}
            for name, measured in variants.items()
        }
        for setting, variants in rows.items()
    }
    with_text = result["settings"]["text"]
    # What is said first: words by guidance without boxes, boxes by guidance with them.
    for key, ours in (("missing_word_rate", "ours"), ("centre_in_box_rate", "ours_boxes"), ("box_miou", "ours_boxes")):
        names = {"unguided": "unguided", "similarity": "similarity", "ours": ours}
        result[key] = {name: with_text[variant][key] for name, variant in names.items()}
        result[key] |= {name: row[key] for name, row in with_text.items() if "_by_" in name}
    step = result["seconds_a_step"]
    result["cost_ratio_vs_similarity"] = {
        name: round(step[name] / step["similarity"], 3) for name in ("words", "boxes3")
    }
    result["cost_ratio_vs_unguided"] = {
        name: round(step[name] / step["unguided"], 3) for name in ("similarity", "words", "boxes3")
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "guidance_effect.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    (folder / "guidance_effect.md").write_text(markdown(result), "utf-8")
    picture(result, tasks, pictures).savefig(folder / "guidance_effect.png", dpi=110)


def markdown(result: dict[str, Any]) -> str:
    """A table for each setting; half-widths of the 95 % intervals behind ±."""
    lines = [
        f"{result['prompts']} prompts of two objects, seeds from {result['first_seed']}. "
        f"{machine_line(result['machine'])}; {result['seconds']} s.",
        "",
        "Cost of a step at this toy size, where the diffusion model is as cheap as CLIP: "
        + ratios(result["cost_ratio_vs_similarity"], "similarity only")
        + "; "
        + ratios(result["cost_ratio_vs_unguided"], "unguided")
        + ".",
    ]
    for setting, variants in result["settings"].items():
        distances = any("distance_to_real" in row for row in variants.values())
        titles = [*COLUMNS.values(), *(["distance to real"] if distances else [])]
        lines += ["", f"**{SETTING_TITLES[setting].capitalize()}**", "", "| | " + " | ".join(titles) + " |"]
        lines.append("| --- |" + " ---: |" * len(titles))
        for name, row in variants.items():
            cells = [with_interval(row[key]) for key in COLUMNS]
            if distances:
                cells.append(f"{row['distance_to_real']:.2f}")
            lines.append(f"| {TITLES[name]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def ratios(values: dict[str, float], of: str) -> str:
    """`words 1.05 x similarity only, ...`."""
    return ", ".join(f"{name} {ratio:.2f} x {of}" for name, ratio in values.items())


def with_interval(value: dict[str, Any]) -> str:
    """`0.310 ±0.052`."""
    low, high = value["ci95"]
    return f"{value['mean']:.3f} ±{(high - low) / 2:.3f}"


def picture(result: dict[str, Any], tasks: list[Task], pictures: dict[Any, np.ndarray]) -> Any:
    """Bars with intervals above the first prompts' pictures, not chosen, with the boxes that were drawn."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    shown = ("missing_word_rate", "centre_in_box_rate", "box_miou")
    settings = list(result["settings"])
    drawn = [(setting, name) for setting in settings for name in result["settings"][setting] if name in PICTURED]
    figure = Figure(figsize=(12, 4 + 2.1 * len(drawn)), layout="constrained")
    top, below = figure.subfigures(2, 1, height_ratios=[3.4, 2.1 * len(drawn)])
    for axes, key in zip(top.subplots(1, len(shown)), shown, strict=True):
        for offset, setting in enumerate(settings):
            rows = result["settings"][setting]
            means = np.array([row[key]["mean"] for row in rows.values()])
            errors = np.abs(np.array([row[key]["ci95"] for row in rows.values()]).T - means)
            spots = np.array([list(TITLES).index(name) for name in rows]) + 0.38 * offset
            axes.bar(spots, means, 0.36, yerr=errors, capsize=2, label=SETTING_TITLES[setting])
        axes.set_xticks(np.arange(len(TITLES)) + 0.19, list(TITLES.values()), fontsize=7, rotation=35, ha="right")
        axes.set_title(COLUMNS[key])
        axes.set_ylim(0, 1)
        axes.spines[["top", "right"]].set_visible(False)
    top.legend(*top.axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=8, frameon=False)
    grid = below.subplots(len(drawn), EXAMPLES, squeeze=False)
    for row, (setting, name) in enumerate(drawn):
        for column, axes in enumerate(grid[row]):
            axes.set_xticks([])
            axes.set_yticks([])
            if column >= len(tasks):
                axes.axis("off")
                continue
            task = tasks[column]
            axes.imshow(pictures[setting, name][column], interpolation="bilinear")
            if name.startswith("ours_boxes"):
                for (x0, y0, x1, y1), colour in zip(task.boxes, ("#d1495b", "#00798c"), strict=True):
                    side = SIDE
                    axes.add_patch(
                        Rectangle((x0 * side, y0 * side), (x1 - x0) * side, (y1 - y0) * side, fill=False, ec=colour)
                    )
            if row == 0:
                axes.set_title(" and ".join(task.names), fontsize=9)
            if column == 0:
                axes.set_ylabel(f"{TITLES[name]}\n({'its text' if setting == 'text' else 'no text'})", fontsize=8)
    return figure
