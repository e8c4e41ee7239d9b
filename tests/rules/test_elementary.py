"""Elementary functions as rules compute them, fully expanded: error in ulps over the domain."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from oxegg.ir import Axis, Term, const, evaluate, input_, pointwise
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BOOL, ElementType
from oxegg.rules import FAMILIES
from oxegg.rules.pattern import Apply, Constant, Pattern, Rule, Variable

Array = npt.NDArray[Any]
SAMPLES = 20_000
STATED = [r for r in FAMILIES["elementary"].rules if r.error_ulps and isinstance(r.left, Apply)]
# Where a function is used: from, to (for positive numbers of that size and their negatives).
DOMAINS = {
    "exp": (1e-30, 87.0), "exp2": (1e-30, 125.0), "log": (1e-37, 1e37), "log2": (1e-37, 1e37),
    "sin": (1e-30, 1e4), "cos": (1e-30, 1e4), "tanh": (1e-30, 30.0), "erf": (1e-30, 10.0),
    "sigmoid": (1e-30, 80.0), "gelu": (1e-10, 5.0), "sqrt": (1e-37, 1e37), "rsqrt": (1e-37, 1e37),
    "reciprocal": (1e-37, 1e37),
}  # fmt: skip
POSITIVE = {"log", "log2", "sqrt", "rsqrt"}


def expansions(type_: ElementType) -> dict[tuple[str, ElementType], Rule]:
    """What functions inside a right side become in turn."""
    rows: dict[tuple[str, ElementType], Rule] = {}
    for rule in FAMILIES["elementary"].rules:
        if rule.kind == "real" and isinstance(rule.left, Apply):
            rows |= {(rule.left.operator, t): rule for t in rule.types}
    return rows


def build(pattern: Pattern, type_: ElementType, wanted: ElementType, x: Term) -> Term:
    """A pattern of one variable as a term, functions inside it expanded."""
    if isinstance(pattern, Variable):
        return x
    if isinstance(pattern, Constant):
        return const(pattern.value, pattern.type or wanted)
    assert isinstance(pattern, Apply)
    operand = pattern.operand_type or type_
    row = OPERATIONS[pattern.operator]
    types = [operand] * len(pattern.children)
    if row.types == "select":
        types[0] = BOOL
    children = [build(c, type_, t, x) for c, t in zip(pattern.children, types, strict=True)]
    rule = expansions(operand).get((pattern.operator, operand))
    if rule is not None:
        return build(rule.right, operand, operand, children[0])
    to = (pattern.type or type_) if row.types == "convert" else None
    return pointwise(pattern.operator, *children, to=to)


def samples(function: str, type_: ElementType) -> Array:
    """All numbers of a 16-bit format, or numbers of all sizes, inside the domain."""
    low, high = DOMAINS[function]
    if type_.bits == 16:
        values = np.arange(1 << 16, dtype=np.uint16).view(type_.numpy)
        limit = 2.0 ** (1 - type_.max_exponent)
        low = max(low, limit)
    else:
        rng = np.random.default_rng(1)
        # The reference's float64 multiply-adds are exact rationals: slow.
        count = SAMPLES if type_.bits == 32 else SAMPLES // 20
        scale = np.exp(rng.uniform(np.log(low), np.log(high), count // 2))
        near = rng.uniform(0, min(high, 12.0), count // 2)
        values = np.concatenate([scale, near])
        values = np.concatenate([values, -values]).astype(type_.numpy)
    wide = values.astype(np.float64)
    inside = (np.abs(wide) >= low) & (np.abs(wide) <= high)
    return values[inside & (wide > 0)] if function in POSITIVE else values[inside]


def ulps(got: Array, wanted: Array, size: Array, type_: ElementType) -> Array:
    """Distance in units in the last place of ``size``."""
    size = np.maximum(size, np.longdouble(2.0) ** (1 - type_.max_exponent))
    unit = np.exp2(np.floor(np.log2(size)) - (type_.precision - 1))
    return np.abs(got.astype(np.longdouble) - wanted) / unit


def reference(function: str, type_: ElementType, x: Array) -> Array:
    """Two formats up, not rounded back."""
    wide = np.longdouble if type_.precision > 24 and function not in ("erf", "gelu") else np.float64
    return np.asarray(OPERATIONS[function].evaluate(x.astype(wide))).astype(np.longdouble)


@pytest.mark.parametrize(
    ("rule", "type_"),
    [pytest.param(r, t, id=f"{r.name}@{t}") for r in STATED for t in r.types],
)
def test_error_is_as_stated(rule: Rule, type_: ElementType) -> None:
    assert isinstance(rule.left, Apply)
    function = rule.left.operator
    with np.errstate(all="ignore"):  # signalling NaNs among all numbers of a format
        x = samples(function, type_)
    term = build(rule.right, type_, type_, input_("x", type_, (Axis("p", x.size),)))
    with np.errstate(all="ignore"):
        (got,) = evaluate([term], {"x": x})
        wanted = reference(function, type_, x)
        # Results below the smallest normal number may be flushed towards zero.
        kept = (np.abs(wanted) >= 2.0 ** (1 - type_.max_exponent)) & (
            np.abs(wanted) < 2.0**type_.max_exponent
        )
        # x (1 + erf) / 2 cancels for negative x: gelu is accurate relative to x.
        size = np.abs(x.astype(np.longdouble)) if function == "gelu" else np.abs(wanted)
        error = np.where(kept, ulps(got, wanted, size, type_), 0)
    worst = int(np.nanargmax(error))
    assert not np.isnan(got[kept]).any()
    assert error[worst] <= rule.error_ulps, (
        f"{error[worst]:.2f} ulps at x = {x[worst]!r}: {got[worst]!r}, exactly {wanted[worst]!r}"
    )
