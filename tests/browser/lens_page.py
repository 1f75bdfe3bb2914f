"""Runs for the viewer, made without a CLIP, and what a test says to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from box_page import BoxPage
from clip_explainability import core
from clip_explainability.core.guidance.record import GuidanceRecord, StepRecord
from clip_explainability.nodes.host import execution

if TYPE_CHECKING:
    from clip_explainability.core.lens import Lens
    from playwright.sync_api import Locator

PROMPTS = ("a photo of a cat", "a red dog on the grass")
WORDS = (("a", "photo", "of", "a", "cat"), ("a", "red", "dog", "on", "the", "grass"))
PLACES = ((None, None, None, None, 0), (None, 1, 2, None, None, None))  # grass has no map of its own
SIZE = (128, 192)
GRID = (7, 7)


def picture(batch: int = 1, size: tuple[int, int] = SIZE) -> torch.Tensor:
    """Smooth colours, another in each image: ``[B, 3, H, W]``."""
    height, width = size
    rows, columns = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)[None]
    shade = torch.linspace(0.2, 0.9, batch)[:, None, None]
    parts = [
        rows.expand(batch, height, width) * 0.6,
        columns.expand(batch, height, width) * 0.6,
        shade + 0 * rows * columns,
    ]
    return torch.stack(parts, dim=1)


def spots(count: int, batch: int = 1, grid: tuple[int, int] = GRID) -> torch.Tensor:
    """Maps with one hot patch each, another for each map and image: ``[M, B, rows, columns]``."""
    maps = torch.zeros(count, batch, grid[0] * grid[1])
    for m in range(count):
        for b in range(batch):
            maps[m, b, (8 + 9 * m + 3 * b) % maps.shape[-1]] = 1.0
    return maps.unflatten(-1, grid)


def prompts_run(batch: int = 1, prompts: tuple[str, ...] = PROMPTS, words: Any = WORDS, places: Any = PLACES) -> Lens:
    own = sum(place is not None for row in places for place in row)
    count = len(prompts)
    found = core.explain.Explanation(
        prompts=prompts,
        maps=torch.zeros(0),
        scores=torch.linspace(0.2, 0.3, count * batch).view(count, batch),
        logits=torch.zeros(0),
        words=words,
        cut_off=((),) * count,
        word_scores=tuple(torch.linspace(0, 1, len(row)).expand(batch, -1) for row in words),
        warnings=(),
        coarse_maps=spots(count + own, batch),
        word_maps=places,
    )
    return core.lens.prompts_lens(picture(batch), found, {"threshold": 0.2, "colormap": "turbo", "opacity": 0.55})


def methods_run() -> Lens:
    maps = spots(4).unflatten(0, (2, 2))
    found = core.evaluation.method_comparison.Comparison(
        ("relevancy", "surgery"), {}, torch.zeros(0), (0.1, 0.02), torch.tensor([[0.2], [0.3]]), maps
    )
    return core.lens.methods_lens(
        picture(), list(PROMPTS), found, {"threshold": 0.2, "colormap": "viridis", "opacity": 0.5}
    )


def classes_run(batch: int = 2) -> Lens:
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])[:batch]
    scores = core.classification.ensembles.Scores(
        probabilities, probabilities.argsort(dim=1, descending=True), torch.zeros(3, 4), torch.ones(batch)
    )
    found = core.classification.classify.Classification(("cat", "dog", "guitar"), scores, ())
    return core.lens.classes_lens(picture(batch), found, 3, spots(2, batch))


def steps_run(count: int = 5) -> Lens:
    constraint = core.boxes.constraint.from_box("dog", (0.1, 0.2, 0.6, 0.9), 64, 64)
    record = GuidanceRecord("a red dog", ("a", "red", "dog"), (constraint,))
    for step in range(count):
        part = step / count
        terms = {"similarity": [0.8 - part / 2], "words": [0.4 - part / 4]}
        record.steps.append(
            StepRecord(step, 1 - part, terms, [[0.1, part, 1.0]], [[False, True, False]], [[part]], [0.1])
        )
        record.previews.append((step, (picture(count)[step] * 255).byte().movedim(0, -1).contiguous()))
    return core.lens.steps_lens(record)


class LensPage(BoxPage):
    """The page, and the viewer of its node 1."""

    kind = "CLIPRelevancyMap"

    def start_lens(self, run: Lens | None, kind: str = "CLIPRelevancyMap", **node: Any) -> None:
        """One node of this kind, which has just run."""
        self.node_id, self.kind = 1, kind
        self.load({"id": 1, "type": kind, "pos": [330, 40], "size": [420, 760], "flags": {}, "mode": 0, **node})
        self.page.wait_for_function("() => !!document.querySelector('.cxl-root')?.offsetParent")
        if run is not None:
            self.ran(run)

    def publish(self, run: Lens) -> dict[str, Any]:
        """The ``ui`` output of such a run, its files written where the harness serves them."""
        with _host_folder(self.harness.temporary):
            return execution.show_lens(lambda: run)

    def ran(self, run: Lens, node_id: str = "1") -> dict[str, Any]:
        output = self.publish(run)
        self.harness.executed(node_id, output)
        self.page.wait_for_function("() => !!document.querySelector('.cxl-stage')?.offsetParent", timeout=15_000)
        self.settle(4)
        return output

    @property
    def viewer(self) -> Locator:
        return self.page.locator(".cxl-root:visible").first

    def chip(self, label: str) -> Locator:
        return self.viewer.locator(".cxl-chip", has=self.page.locator(f".cxl-name:text-is({label!r})")).first

    def part(self, name: str) -> Locator:
        """A control by the name it has for the focus."""
        return self.viewer.locator(f'[data-focus="{name}"]')

    def said(self) -> str:
        return self.viewer.locator(".cxl-status").inner_text()

    def at_picture(self, point: tuple[float, float], pane: int = 0) -> tuple[float, float]:
        place = self.viewer.locator(".cxl-frame").nth(pane).bounding_box()
        assert place is not None
        return place["x"] + point[0] * place["width"], place["y"] + point[1] * place["height"]

    def pixels(self, pane: int = 0) -> dict[str, Any]:
        """The heat as drawn: its size, where it is hottest (fractions of the picture), a sum to tell pictures apart."""
        return self.page.evaluate(
            """(pane) => {
              const canvas = document.querySelectorAll('.cxl-root .cxl-heat')[pane];
              const { width, height } = canvas;
              const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
              let sum = 0, red = 0, opaque = 0;
              const at = [0, 0];
              for (let i = 0; i < data.length; i += 4) {
                sum = (sum * 31 + data[i] + 7 * data[i + 1] + 13 * data[i + 2] + 17 * data[i + 3]) % 1000000007;
                opaque += data[i + 3] > 0;
                if (data[i] > 100 && data[i + 3] > 100 && data[i + 3] < 200) {
                  red += 1; at[0] += (i / 4) % width; at[1] += Math.floor(i / 4 / width);
                }
              }
              const hottest = [at[0] / red / width, at[1] / red / height];
              return { width, height, sum, opaque: opaque / (width * height), at: hottest };
            }""",
            pane,
        )

    def transform(self, pane: int = 0) -> str:
        return self.viewer.locator(".cxl-scene").nth(pane).evaluate("scene => scene.style.transform")


@contextmanager
def _host_folder(folder: Path) -> Iterator[None]:
    """Inside, ``show_lens`` believes in a host with this temporary folder."""
    before = execution.running, execution.temporary_folder
    execution.running, execution.temporary_folder = (lambda: True), (lambda: folder)
    try:
        yield
    finally:
        execution.running, execution.temporary_folder = before
