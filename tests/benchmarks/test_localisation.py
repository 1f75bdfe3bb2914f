"""benchmarks/localisation.py from its command line to its files, on a few scenes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def localisation(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import localisation

    yield localisation
    for name in ("localisation", "localisation_report", "machine"):
        sys.modules.pop(name, None)


def test_the_table_of_a_few_demo_scenes(localisation, tmp_path: Path) -> None:
    result = localisation.main(
        ["--queries", "4", "--methods", "relevancy", "itsm", "raw_attention", "--out", str(tmp_path)]
    )
    assert set(result["methods"]) == {
        "relevancy",
        "relevancy, last block",
        "relevancy, shifted grids",
        "relevancy, edges followed",
        "relevancy, shifted grids, edges followed",
        "itsm",
        "raw_attention",
    }
    for row in result["methods"].values():
        assert row["queries"] >= 4
        assert row["ms"] > 0
        for metric in localisation.METRICS:
            low, high = row[f"{metric}_interval"]
            assert low <= row[metric] <= high
    assert json.loads((tmp_path / "localisation.json").read_text()) == json.loads(json.dumps(result))
    table = (tmp_path / "localisation.md").read_text()
    assert "| relevancy, last block |" in table
    with Image.open(tmp_path / "localisation.png") as picture:
        assert min(picture.size) > 500


def test_a_folder_of_the_users_own(localisation, tmp_path: Path) -> None:
    root = tmp_path / "VOC2012"
    names = [f"{index:06}" for index in range(4)]
    for folder in ("ImageSets/Segmentation", "JPEGImages", "SegmentationClass"):
        (root / folder).mkdir(parents=True)
    (root / "ImageSets/Segmentation/val.txt").write_text("\n".join(names))
    for name in names:
        Image.new("RGB", (60, 40), (90, 200, 30)).save(root / "JPEGImages" / f"{name}.jpg")
        labels = np.zeros((40, 60), np.uint8)
        labels[5:20, 10:30], labels[20, 10:30] = 12, 255
        picture = Image.fromarray(labels, "P")
        picture.putpalette(list(range(256)) * 3)
        picture.save(root / "SegmentationClass" / f"{name}.png")
    result = localisation.main(
        ["--dataset", "voc", "--root", str(tmp_path), "--methods", "itsm", "--out", str(tmp_path / "out")]
    )
    assert result["queries"] == 3  # one of the four is for the threshold
    with pytest.raises(SystemExit, match="--root"):
        localisation.main(["--dataset", "coco"])
