"""Malformed rows are refused with file, line, a caret and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxegg.errors import RuleError
from oxegg.rules.load import load_rules

HEAD = """\
from oxegg.ir.types import *
from oxegg.rules.pattern import *

FAMILY = Family("mine")
rule = FAMILY.rule
x, y, z = variables("x y z")
"""
ROWS = {
    "unbound": ('rule("r", (x & y) | y, x | z, kind="exact", types=INTEGERS, doc="no")',
                "`z` on the right side is not bound on the left", "the left side binds x, y"),
    "bare": ('rule("r", x, x + constant(0), kind="exact", types=INTEGERS, doc="no")',
             "the left side is a bare variable", "every term"),
    "both": ('rule("r", x + constant(0), x, kind="exact", types=INTEGERS, doc="no", both=True)',
             "the left side is a bare variable", "every term"),
    "types": ('rule("r", apply("sqrt", x), x, kind="exact", types=(I32,), doc="no")',
              "sqrt is not defined on i32", ""),
    "constant": ('rule("r", x + constant(300), x, kind="exact", types=(U8,), doc="no")',
                 "the constant 300 is no u8", "leave that type out"),
    "results": ('rule("r", apply("lt", x, y), x, kind="exact", types=(U8,), doc="no")',
                "at u8", ""),
    "semantics": ('rule("r", Apply("frobnicate", (x,)), x, kind="exact", types=(U8,), doc="no")',
                  "no semantics for the operation frobnicate", "oxegg/ir/operations.py"),
    "ungrounded": ('rule("r", reduce("add", "k", x), x, kind="exact", types=(I8,), doc="no",\n'
                   '     when=(independent(y, "k"),))', "about `y`", "the left side binds k, x"),
    "duplicate": ('rule("r", z + y, y + z, kind="exact", types=(I32,), doc="no")',
                  "says the same as algebra.add-comm", "rules/algebra.py:"),
    "repeated": ('rule("r", x - x, y - y + x, kind="exact", types=(I32,), doc="no")',
                 "not bound", ""),
    "no doc": ('rule("r", x - x, constant(0), kind="real", types=(F32,), doc="")', "no doc", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", ROWS)
def test_refused(case: str, tmp_path: Path) -> None:
    row, message, hint = ROWS[case]
    file = tmp_path / "my_rules.py"
    file.write_text(HEAD + row + "\n")
    with pytest.raises(RuleError) as caught:
        load_rules(file)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.where == f"{file}:7"


def test_the_caret_stands_under_the_culprit(tmp_path: Path) -> None:
    file = tmp_path / "my_rules.py"
    file.write_text(HEAD + ROWS["unbound"][0])
    with pytest.raises(RuleError) as caught:
        load_rules(file)
    _, shown, caret = caught.value.message.splitlines()
    assert shown[caret.index("^")] == "z"


def test_a_well_formed_file_loads(tmp_path: Path) -> None:
    file = tmp_path / "my_rules.py"
    file.write_text(HEAD + 'rule("r", (x | y) & x, x, kind="exact", types=INTEGERS, doc="absorb")')
    (loaded,) = load_rules(file)
    assert loaded.name == "mine.r"
    assert loaded.where == f"{file}:7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FAMILY = 1", "defines no rules"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("x = (", "SyntaxError"),
    ],
)
def test_files_that_are_no_rule_files(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "my_rules.py"
    file.write_text(text)
    with pytest.raises(RuleError, match=message):
        load_rules(file)
