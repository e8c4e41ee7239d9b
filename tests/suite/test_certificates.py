"""Certificates of every kernel of the suites re-check from their files."""

from pathlib import Path

import pytest

from oxegg.certificate.folder import check_folder
from oxegg.frontend.suite import SUITES, SuiteRow, load_suite
from oxegg.search.api import compile_kernel

ROWS = [row for suite in SUITES for row in load_suite(suite)]


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_certificate_holds(row: SuiteRow, tmp_path: Path) -> None:
    compiled = compile_kernel(row.lower(), machine="ox-card", effort="quick", peers=())
    compiled.write(tmp_path)
    found = {finding.name: finding.detail for finding in check_folder(tmp_path)}
    assert "lead from kernel to program" in found["rules"]
    assert "as recorded" in found["machine code"]
