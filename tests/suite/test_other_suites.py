"""Kernels of neural networks and of graphics: every row compiles for every machine and is right."""

import pytest

from oxegg.frontend.suite import SuiteRow, load_suite
from oxegg.search.api import compile_kernel

ROWS = [row for suite in ("ai", "graphics") for row in load_suite(suite)]


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["ox-edge", "ox-card", "ox-dc"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_is_correct(row: SuiteRow, machine: str) -> None:
    report = compile_kernel(row.lower(), machine=machine, effort="quick", peers=()).report
    assert report["correct"]
    assert report["cycles"] >= report["roofline_cycles"]
