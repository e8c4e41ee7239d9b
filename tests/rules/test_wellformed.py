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
    "identity": ('rule("r", x - y, x - y, kind="exact", types=(I32,), doc="no")',
                 "both sides are the same", ""),
    "error": ('rule("r", x / y, x, kind="approx", types=(F32,), doc="no")',
              "unstated error", "error_ulps="),
    "axis": ('rule("r", reduce("add", "x", x), x, kind="exact", types=(I8,), doc="no")',
             "`x` is an axis and a variable", ""),
    "large": ('rule("r", x * constant(1e300), x, kind="real", types=(F32,), doc="no")',
              "the constant 1e+300 is no f32", "leave that type out"),
    "nan": ('rule("r", x + constant(float("nan")), x, kind="exact", types=(I8,), doc="no")',
            "the constant nan is no i8", ""),
    "deep": ('[t := x] + [t := t + y for _ in range(3000)] + [rule("r", t, x, kind="real",'
             ' types=(F32,), doc="no")]', "nests more than", "several rules"),
    "no doc": ('rule("r", x - x, constant(0), kind="real", types=(F32,), doc="")', "no doc", ""),
}  # fmt: skip


# What can't even be a row: the caret stands in the file's own line.
LINES = {
    'rule("r", x + 1, x, kind="exact", types=(I8,), doc="no")': ("1 is no pattern", "constant(1)"),
    'rule("r", x == y, x, kind="exact", types=(I8,), doc="no")': ("False is no pattern", '"eq"'),
    'rule("r", x - x, 0, kind="exact", types=(I8,), doc="no")': ("0 is no pattern", "constant(0)"),
    'rule("r", apply("popcount", x), x, kind="exact", types=(I8,), doc="no")': (
        "no semantics for the operation popcount", "oxegg/ir/operations.py"),
    'rule("r", apply("add", x), x, kind="exact", types=(I8,), doc="no")': (
        "add takes 2 operands, not 1", ""),
    'rule("r", x - x, x, kind="exactly", types=(I8,), doc="no")': ("kind='exactly'", "approx"),
    'rule("r", x - x, x, kind="exact", types="i8", doc="no")': ("types=i8", "types=INTEGERS"),
    'rule("r", x - x, x, kind="exact", types=I8, doc="no")': ("types=i8", "types=INTEGERS"),
    'rule("r", x - x, x, kind="exact", types=(I8,), doc="no", when="x")': ("when=x", "independent"),
    'rule("a b@", x - x, x, kind="exact", types=(I8,), doc="no")': ("is no name", "mine.add-zero"),
    'a, b = variables("a) b")': ("'a)' is no name", ""),
    'x + constant("one")': ("'one' is no number", ""),
    'raise SystemExit(3)': ("SystemExit: 3", "oxegg rules new"),
    'x + ': ("SyntaxError: invalid syntax", "oxegg rules new"),
}  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_lines_that_make_no_row(line: str, tmp_path: Path) -> None:
    message, hint = LINES[line]
    file = tmp_path / "my_rules.py"
    file.write_text(HEAD + line + "\n")
    with pytest.raises(RuleError) as caught:
        load_rules(file)
    _, shown, caret = caught.value.message.splitlines()
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.where == f"{file}:7"
    assert shown.strip() == line.strip()
    assert caret.strip() == "^"


def test_a_family_under_two_names_is_one(tmp_path: Path) -> None:
    file = tmp_path / "my_rules.py"
    row = 'rule("r", (x | y) & x, x, kind="exact", types=INTEGERS, doc="absorb")\n'
    file.write_text(HEAD + row + "SAME = FAMILY\nfrom oxegg.rules.algebra import FAMILY as OTHER\n")
    assert [row.name for row in load_rules(file)] == ["mine.r"]


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
