"""Outside e-graphs with known optima; skipped where the collection is not at hand."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from oxegg.errors import ExtractionError
from oxegg.extraction import extract, load

GYM = Path(__file__).parents[2].parent / "shared" / "data" / "gym"
SMALL = 1500  # nodes: below, the exact method takes a fraction of a second
EVERY = 4  # of the small ones, in the normal run


def _rows() -> list[dict[str, str]]:
    reference = GYM / "reference.csv"
    if not reference.exists():
        return []
    with reference.open(newline="") as file:
        return list(csv.DictReader(file))


def _cases() -> list[object]:
    small = 0
    cases: list[object] = []
    for row in _rows():
        quick = int(row["nodes"] or SMALL) < SMALL
        small += quick
        marks = () if quick and small % EVERY == 1 else (pytest.mark.slow,)
        cases.append(pytest.param(row, id=row["instance"], marks=marks))
    return cases


@pytest.mark.skipif(not GYM.exists(), reason="the extraction gym is not next to the project")
@pytest.mark.parametrize("row", _cases())
def test_against_the_reference(row: dict[str, str]) -> None:
    path = GYM / row["instance"]
    if row["status"] == "no_canonical_root":
        with pytest.raises(ExtractionError, match="no root"):
            load(path)
        return
    if row["family"] == "maxsat":
        with pytest.raises(ExtractionError, match="negative costs are refused"):
            load(path)
        return
    problem = load(path)
    tree, dag = extract(problem, "tree"), extract(problem, "dag")
    exact = extract(problem, "exact", seconds=20)
    assert exact.cost <= dag.cost <= tree.cost
    known, margin = float(row["exact"]), 1e-6 * abs(float(row["exact"]))
    assert exact.lower_bound <= known + margin
    if row["proven"] == "1":
        assert exact.cost >= known - margin
        assert exact.status == "feasible" or exact.cost <= known + margin
