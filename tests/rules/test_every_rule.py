"""Every rule at every type it is instantiated at: well-formed, and right on corner values."""

from __future__ import annotations

import pytest

from oxegg.ir.types import I8, ElementType
from oxegg.rule_lab.ladder import check
from oxegg.rules import all_rules
from oxegg.rules.pattern import Family, Rule, apply, constant, variables
from oxegg.rules.wellformed import check_rules

INSTANCES = [
    pytest.param(rule, type_, id=f"{rule.name}@{type_}")
    for rule in all_rules()
    for type_ in rule.types
]


@pytest.mark.parametrize(("rule", "type_"), INSTANCES)
def test_holds_on_corner_and_random_values(rule: Rule, type_: ElementType) -> None:
    tested = check(rule, type_, points=700)
    assert tested.failure is None, tested.failure


def test_rows_are_well_formed() -> None:
    check_rules(all_rules())


def test_rows_know_their_lines() -> None:
    for rule in all_rules():
        file, _, line = (rule.where or "").partition(":")
        assert file.startswith("rules/")
        assert int(line) > 0


def test_a_wrong_rule_is_refuted() -> None:
    """x / 4 isn't x >> 2 when division rounds to zero."""
    (x,) = variables("x")
    wrong = Family("wrong")
    wrong.rule("shift", apply("quotient", x, constant(4)), x >> constant(2), kind="exact",
               types=(I8,), doc="only for x >= 0")  # fmt: skip
    failure = check(wrong.rules[0], I8, points=100).failure
    assert failure is not None
    assert failure.left != failure.right
