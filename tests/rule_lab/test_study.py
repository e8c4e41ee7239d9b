"""Blame, derivability, mining: rules at work."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import oxegg
from oxegg.cli import main
from oxegg.frontend import lower
from oxegg.ir.types import FLOATS, I8, I32, INTEGERS
from oxegg.report import summarize
from oxegg.rule_lab.study import blame, implied, mine
from oxegg.rules import all_rules
from oxegg.rules.pattern import Family, Rule, constant, variables

KERNEL = """\
import numpy as np
from jaxtyping import Float32
V = Float32[np.ndarray, "n=32"]

def total(a: V, b: V, c: V, d: V, e: V, f: V):
    return a + b + c + d + e + f
"""
ASSOCIATIVITY = """\
from oxegg.ir.types import FLOATS
from oxegg.rules.pattern import Family, variables
FAMILY = Family("ac")
x, y, z = variables("x y z")
FAMILY.rule("add-assoc", (x + y) + z, x + (y + z), kind="real", types=FLOATS, both=True,
            doc="(x + y) + z = x + (y + z)")
"""
x, y, z = variables("x y z")


def row(left: object, right: object, **more: object) -> Rule:
    family = Family("mine")
    given = {"kind": "exact", "types": (I8,), "doc": "a rule", **more}
    family.rule("r", left, right, **given)  # type: ignore[arg-type]
    return family.rules[0]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "sums.py").write_text(KERNEL)
    (tmp_path / "ac.py").write_text(ASSOCIATIVITY)
    return tmp_path


def test_associativity_with_commutativity_is_blamed(source: Path) -> None:
    more = [row((x + y) + z, x + (y + z), kind="real", types=FLOATS, both=True)]
    found = blame(lower(source / "sums.py", None, {}), "real", more)
    assert found.whole.rows[-1] > 5 * found.whole.rows[0]
    worst = max(found.without, key=found.share)
    assert worst == "mine.r"
    assert found.share(worst) > 0.5


def test_the_command_names_the_culprit(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["rules", "blame", f"{source / 'sums.py'}:total", "--rules", str(source / "ac.py")]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "hint: ac.add-assoc makes most of it" in shown


def test_a_compile_keeps_a_correct_program_and_names_the_culprit(source: Path) -> None:
    compiled = oxegg.compile(
        f"{source / 'sums.py'}:total", machine="ox-edge", effort="quick", peers=(),
        rules=[source / "ac.py"], unproved=True,
    )  # fmt: skip
    egraph = compiled.report["egraph"]
    assert compiled.report["correct"]
    assert egraph["stopped_by"] != "saturated"
    assert egraph["busiest_rule"]["name"] == "ac.add-assoc"
    assert egraph["busiest_rule"]["share"] > 0.5
    printed = Console(width=120, record=True, file=StringIO())
    printed.print(summarize(compiled.report))
    assert "ac.add-assoc made" in printed.export_text()


def test_what_follows_from_other_rules() -> None:
    exact = [r for r in all_rules() if I32 in r.types and r.kind == "exact"]
    derived = row(y * constant(1) + x, x + y, types=(I32,))
    assert implied(derived, I32, exact) == ["algebra.add-comm", "algebra.mul-one"]
    assert implied(row(x - y, y - x, types=(I32,)), I32, exact) is None
    own = next(r for r in exact if r.name == "algebra.factor-int")
    assert implied(own, I32, exact) is None  # by the others


def test_mined_rules_are_proved_and_new() -> None:
    found = list(mine(I8, ("and", "or"), most=3))
    assert len(found) == 3
    known = {(r.left, r.right) for r in all_rules() if set(r.types) & set(INTEGERS)}
    assert not known & {(r.left, r.right) for r in found}
