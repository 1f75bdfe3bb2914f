"""The classification benchmark's results as tables and a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

LABELS = {
    "single_template_mean": "single template, mean",
    "ensemble_mean": "mean of embeddings",
    "ensemble_logits": "mean of logits",
    "majority_vote": "majority vote",
    "zpe": "ZPE weights",
    "explainability_weighted": "explainability-weighted (ours)",
}


CROWDS = {0: "object alone", 1: "1 other object", 3: "3 other objects"}
LISTS = {"learned": "the {} with a picture", "others": "the other {}", "all": "all {}"}


def percent(entry: dict[str, float]) -> str:
    """ "61.2 (59.8 to 62.6)"."""
    return f"{100 * entry['mean']:.1f} ({100 * entry['low']:.1f} to {100 * entry['high']:.1f})"


def write_markdown(results: dict[str, Any], path: Path) -> str:
    """Write the tables; returns the text."""
    about, accuracy = results["about"], results["accuracy"]
    size = about["size"]
    levels = list(results["by_clutter"])
    lines = [
        "# Classification",
        "",
        f"{about['clip']} on {about['images']}: {size['tasks']} tasks of {size['ways']} classes "
        f"(of {about['classes']}), templates: {about['templates']}.",
        "Accuracy in percent, with 95 % intervals over tasks.",
        "",
        "| method | all | " + " | ".join(f"clutter {level}" for level in levels) + " |",
        "|---|---" + "|---" * len(levels) + "|",
    ]
    for name, label in LABELS.items():
        cells = [percent(results["by_clutter"][level]["accuracy"][name]) for level in levels]
        lines.append(f"| {label} | {percent(results['intervals'][name])} | " + " | ".join(cells) + " |")
    lines += [
        "",
        f"Single templates range from {100 * accuracy['single_template_min']:.1f} to "
        f"{100 * accuracy['single_template_max']:.1f} "
        f"(spread {100 * (accuracy['single_template_max'] - accuracy['single_template_min']):.1f} points).",
        "",
        "| difference, task by task (points) | all | " + " | ".join(f"clutter {level}" for level in levels) + " |",
        "|---|---" + "|---" * len(levels) + "|",
    ]
    for name, entry in results["gains"].items():
        first, second = name.split(" - ")
        cells = [percent(results["by_clutter"][level]["gains"][name]) for level in levels]
        lines.append(f"| {LABELS[first]} minus {LABELS[second]} | {percent(entry)} | " + " | ".join(cells) + " |")
    lines += [
        *_one_shot_lines(results),
        "",
        f"Throughput of the whole classifier: {results['throughput_ratio']:.3f} of a bare `encode_image` loop.",
        "",
        "| template | accuracy |",
        "|---|---|",
    ]
    ranked = sorted(results["single_templates"].items(), key=lambda row: -row[1])
    lines += [f"| {template} | {100 * value:.1f} |" for template, value in ranked]
    lines += ["", f"Measured in {about['seconds']} s with torch {about['torch']}, {about['threads']} threads.", ""]
    text = "\n".join(lines)
    path.write_text(text, "utf-8")
    return text


def _one_shot_lines(results: dict[str, Any]) -> list[str]:
    """Learned prompts on classes with and without a labelled picture."""
    found, size = results["one_shot"], results["about"]["size"]
    counts = {"learned": size["ways"], "others": results["about"]["classes"] - size["ways"]}
    counts["all"] = results["about"]["classes"]
    lists = list(found["mean_of_embeddings"])
    lines = [
        "",
        f"One-shot CoOp: learned from one picture of each class of a task, with lambda = 0 and {results['lambda']:g} "
        "(classification_choice.json: chosen on another vendor's art). Images are told apart among:",
        "",
        "| prompts | " + " | ".join(LISTS[name].format(counts[name]) for name in lists) + " |",
        "|---" * (1 + len(lists)) + "|",
    ]

    def row(label: str, entries: dict[str, dict[str, float]]) -> str:
        return f"| {label} | " + " | ".join(percent(entries[name]) for name in lists) + " |"

    lines.append(row("mean of embeddings, no picture", found["mean_of_embeddings"]))
    for entry in [*found["learned"], *found["over_crowds"], found["over_rates_and_crowds"]]:
        rate = f"rate {entry['rate']:g}" if "rate" in entry else "both rates"
        label = f"{rate}, {CROWDS.get(entry.get('others'), 'all of these')}"
        lines.append(row(f"{label}: lambda = 0", entry["lambda_0"]))
        lines.append(row(f"{label}: lambda = {results['lambda']:g}", entry["lambda"]))
        lines.append(row(f"{label}: difference", entry["gain"]))
    lines += [
        "",
        "Difference from the mean of embeddings, on the classes with a picture (points):",
        "",
        f"| prompts | lambda = 0 | lambda = {results['lambda']:g} |",
        "|---|---|---|",
    ]
    for entry in found["learned"]:
        gains = (percent(entry[f"{arm} - mean_of_embeddings"]["learned"]) for arm in ("lambda_0", "lambda"))
        lines.append(f"| rate {entry['rate']:g}, {CROWDS[entry['others']]} | " + " | ".join(gains) + " |")
    return lines


def write_plot(results: dict[str, Any], path: Path) -> None:
    """Left: every single template and what ensembles make of them. Right: what lambda gains, on which classes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), width_ratios=(3, 2))
    ranked = sorted(results["single_templates"].items(), key=lambda row: row[1])
    left.plot([100 * value for _, value in ranked], range(len(ranked)), "o", color="0.45", label="single templates")
    if len(ranked) <= 30:
        left.set_yticks(range(len(ranked)), [template[:42] for template, _ in ranked], fontsize=7)
    else:
        left.set_yticks([])
    for name, color in (("ensemble_mean", "C0"), ("zpe", "C2"), ("explainability_weighted", "C1")):
        entry = results["intervals"][name]
        left.axvline(100 * entry["mean"], color=color, label=LABELS[name])
    left.set(xlabel="accuracy, %", title="One phrasing is luck")
    left.legend(fontsize=8)
    _plot_gains(right, results)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _plot_gains(axes: Any, results: dict[str, Any]) -> None:
    """A row for each list of classes and crowd, in it each rate with its interval."""
    found = results["one_shot"]
    crowds = sorted({entry["others"] for entry in found["learned"]})
    names = [(name, others) for name in found["mean_of_embeddings"] for others in crowds]
    place = {row: len(names) - 1 - index for index, row in enumerate(names)}
    for number, rate in enumerate(entry["rate"] for entry in found["over_crowds"]):
        rows = [
            (place[name, entry["others"]], entry["gain"][name])
            for entry in found["learned"]
            if entry["rate"] == rate
            for name in entry["gain"]
        ]
        low, mean, high = (np.array([100 * gain[key] for _, gain in rows]) for key in ("low", "mean", "high"))
        axes.errorbar(
            mean,
            [y + 0.15 - 0.3 * number for y, _ in rows],
            xerr=[mean - low, high - mean],
            fmt="o",
            color=("0.45", "C3")[number],
            label=f"learning rate {rate:g}",
        )
    labels = [f"{LISTS[name].format('classes')}, {CROWDS[others]}" for name, others in names]
    axes.axvline(0, color="0.7")
    axes.set_yticks(list(place.values()), labels, fontsize=8)
    axes.set(xlabel="points of accuracy", title=f"One-shot: what lambda {results['lambda']:g} adds")
    axes.legend(fontsize=8)
