"""The audit: sound rules leave e-graphs whose nodes agree, a wrong rule is caught and named."""

from __future__ import annotations

import pytest

from oxegg.egraph.audit import audit, audit_rule, blame
from oxegg.egraph.saturate import Limits
from oxegg.frontend.suite import load_suite
from oxegg.fuzz.programs import sample
from oxegg.ir import TYPES, Axis, Kernel, Output, const, input_, pointwise, reduce
from oxegg.rules import FAMILIES, all_rules
from oxegg.rules.pattern import Family, apply, constant, variables
from oxegg.search.saturation import allowed_rules, prepare

ROW, COLUMN = Axis("i", 4), Axis("k", 6)
RIGHT = ("algebra.neg-neg", "algebra.add-neg")
F32, I8 = TYPES["f32"], TYPES["i8"]
SMALL = {row.function: row for row in reversed(load_suite())}


def mean() -> Kernel:
    x = input_("x", F32, (ROW, COLUMN))
    total = reduce("add", COLUMN, pointwise("mul", x, const(3.0, F32)))
    value = pointwise("div", pointwise("sub", x, total), const(6.0, F32))
    return Kernel("mean", (x,), (Output("y", value, (ROW, COLUMN)),))


def quarter() -> Kernel:
    x = input_("x", I8, (COLUMN,))
    value = pointwise("sub", pointwise("quotient", pointwise("neg", x), const(4, I8)), x)
    return Kernel("quarter", (x,), (Output("y", value, (COLUMN,)),))


@pytest.mark.parametrize("mode", ["exact", "real", "approx"])
def test_sound_rules_pass(mode: str) -> None:
    prepared = prepare(mean(), allowed_rules(mode), Limits(algebra_iterations=3))
    assert not audit(prepared.graph.encoding, prepared.saturated.tables)


@pytest.mark.parametrize("number", range(8))
def test_random_kernels_pass(number: int) -> None:
    kernel = sample(number).kernel()
    prepared = prepare(kernel, allowed_rules("exact"), Limits(algebra_iterations=2, rows=4000))
    found = audit(prepared.graph.encoding, prepared.saturated.tables)
    assert not found, found[0]


@pytest.mark.slow
@pytest.mark.parametrize("function", sorted(SMALL))
def test_suite_passes(function: str) -> None:
    prepared = prepare(SMALL[function].lower(), allowed_rules("real"), Limits())
    found = audit(prepared.graph.encoding, prepared.saturated.tables)
    assert not found, found[0]


def test_a_wrong_rule_is_caught_and_named() -> None:
    """x / 4 rounds to zero, x >> 2 doesn't."""
    (x,) = variables("x")
    wrong = Family("wrong")
    wrong.rule("shift", apply("quotient", x, constant(4)), x >> constant(2), kind="exact",
               types=(I8,), doc="only for x >= 0")  # fmt: skip
    right = [r for r in FAMILIES["algebra"].rules if r.name in RIGHT]
    assert set(blame(quarter(), [*right, *wrong.rules])) == {"wrong.shift"}


def test_a_wrong_side_condition_is_caught() -> None:
    """A factor leaves a sum only when it doesn't depend on the axis."""
    (factor,) = (r for r in all_rules() if r.name == "reductions.sum-factor-real")
    careless = Family("careless")
    careless.rule(
        "factor", factor.left, factor.right, kind="real", types=(F32,), doc="no condition"
    )
    y = input_("y", F32, (ROW, COLUMN))
    x = input_("x", F32, (ROW, COLUMN))
    value = reduce("add", COLUMN, pointwise("mul", x, y))
    kernel = Kernel("dot", (x, y), (Output("o", value, (ROW,)),))
    assert audit_rule(kernel, careless.rules[0])
    assert not audit_rule(kernel, factor)
