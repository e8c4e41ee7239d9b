"""Coverage: what matched, what was needed, and that every rule matches on something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oxegg.cli import main
from oxegg.rule_lab.coverage import Coverage, try_alone
from oxegg.rules import all_rules


def test_the_command_counts_matches_and_needs(tmp_path: Path) -> None:
    out = tmp_path / "cover.json"
    assert main(["rules", "cover", "saxpy_64", "--machine", "ox-edge", "--json", str(out)]) == 0
    rows = {row["rule"]: row for row in json.loads(out.read_text())}
    assert len(rows) == len(all_rules())
    assert rows["algebra.fma"]["matches"] > 0
    assert rows["algebra.fma"]["needed_by"] == ["saxpy_64"]
    assert rows["algebra.fma"]["productive"] == 1
    assert rows["integers.abs-int"]["matches"] == rows["integers.abs-int"]["productive"] == 0
    assert rows["algebra.fma"]["missing"] is None
    assert rows["integers.abs-int"]["missing"] == "abs"


def test_a_sample_of_rules_matches_on_their_own_left_sides() -> None:
    found = Coverage()
    try_alone(found, all_rules()[::60])
    assert [name for name, use in found.uses.items() if not use.alone] == []


@pytest.mark.slow
def test_every_rule_matches_on_its_own_left_side() -> None:
    found = Coverage()
    try_alone(found, all_rules())
    assert [name for name, use in found.uses.items() if not use.alone] == []
