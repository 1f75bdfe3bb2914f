"""A classification as plain data, and images grouped by class."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from .classify import Classification

UNSURE = "(unsure)"


def scores_report(found: Classification, top_k: int = 5) -> dict[str, Any]:
    """Probabilities of every image, for JSON.

    Returns:
        ``{"classes", "images": [{"label", "probability", "margin", "agreement", "top": [{"label", "probability"}],
        "probabilities"}], "warnings"}``; ``probabilities`` in the order of ``classes``, ``margin`` the best minus the
        second best, ``agreement`` the share of templates whose own best class is this one.
    """
    scores = found.scores
    images = []
    for b, ranked in enumerate(scores.ranking.tolist()):
        probabilities = [round(p, 6) for p in scores.probabilities[b].tolist()]
        images.append(
            {
                "label": found.names[ranked[0]],
                "probability": probabilities[ranked[0]],
                "margin": round(float(scores.margin[b]), 6),
                "agreement": round(float(scores.agreement[b]), 4),
                "top": [{"label": found.names[c], "probability": probabilities[c]} for c in ranked[:top_k]],
                "probabilities": probabilities,
            }
        )
    return {"classes": list(found.names), "images": images, "warnings": list(found.warnings)}


def select_images(found: Classification, threshold: float = 0.0) -> dict[str, Any]:
    """Indices of the images of each class whose probability reaches the threshold.

    Returns:
        ``{"count": B, "threshold", "classes": {name: [indices]}, "unsure": [indices]}``; classes in their own order,
        without those that no image was given.
    """
    groups: dict[str, list[int]] = {}
    unsure = []
    best = found.scores.probabilities.gather(1, found.scores.ranking[:, :1]).flatten()
    for index, (winner, probability) in enumerate(zip(found.scores.top.tolist(), best.tolist(), strict=True)):
        if probability < threshold:
            unsure.append(index)
        else:
            groups.setdefault(found.names[winner], []).append(index)
    ordered = {name: groups[name] for name in found.names if name in groups}
    return {"count": len(best), "threshold": threshold, "classes": ordered, "unsure": unsure}


def read_selection(selected: Any, count: int) -> dict[str, list[int]]:
    """Check what :func:`select_images` made, for a batch of ``count`` images: name to indices, unsure ones last.

    Raises:
        InputError: something else, or made for another number of images.
    """
    try:
        groups = {str(name): [int(i) for i in indices] for name, indices in selected["classes"].items()}
        unsure, expected = [int(i) for i in selected["unsure"]], int(selected["count"])
    except (TypeError, KeyError, ValueError, AttributeError):
        raise InputError(
            "selected is not what the Prompt Ensemble Classifier gives; connect its 'selected' output"
        ) from None
    if expected != count:
        raise InputError(
            f"selected is about {expected} images and {count} came in; connect the images that were classified"
        )
    if unsure:
        groups[UNSURE] = unsure
    if not all(0 <= i < count for indices in groups.values() for i in indices):
        raise InputError(f"selected names an image outside 0..{count - 1}; run the classifier again")
    return groups
