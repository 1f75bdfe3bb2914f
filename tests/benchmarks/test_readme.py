"""The tables in benchmarks/README.md are those of the results."""

from __future__ import annotations

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.parametrize("name", ["localisation", "speed"])
def test_the_tables_are_those_of_the_results(name: str) -> None:
    readme = (BENCHMARKS / "README.md").read_text("utf-8").splitlines()
    results = (BENCHMARKS / "results" / f"{name}.md").read_text("utf-8").splitlines()
    shown = [line for line in results if line.strip()]
    assert [line for line in shown if line not in readme] == []
