"""Elementary functions as rules compute them, fully expanded: error in ulps over the domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir import Axis, Term, const, evaluate, input_, pointwise
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import ElementType
from oxegg.rules import FAMILIES
from oxegg.rules.pattern import Apply, Constant, Pattern, Rule, Variable
from oxegg.rules.wellformed import operand_types

Array = npt.NDArray[Any]
# Where a function is used: from, to (for positive numbers of that size and their negatives).
DOMAINS = {
    "exp": (1e-30, 87.0), "exp2": (1e-30, 125.0), "expm1": (1e-30, 87.0), "log": (1e-37, 1e37),
    "log2": (1e-37, 1e37), "log1p": (1e-30, 1e37),
    "sin": (1e-30, 1e4), "cos": (1e-30, 1e4), "tanh": (1e-30, 30.0), "erf": (1e-30, 10.0),
    "sigmoid": (1e-30, 80.0), "gelu": (1e-10, 5.0), "sqrt": (1e-37, 1e37), "rsqrt": (1e-37, 1e37),
    "reciprocal": (1e-37, 1e37),
}  # fmt: skip
POSITIVE = {"log", "log2", "sqrt", "rsqrt"}


@dataclass(frozen=True)
class Accuracy:
    """The largest error in ulps, where it occurs, over how many inputs; all of a format's?"""

    ulps: float
    at: float
    samples: int
    exhaustive: bool


def states_accuracy(rule: Rule) -> bool:
    """Whether a row is a function of one variable with a stated error."""
    left = rule.left
    return (
        rule.error_ulps > 0
        and rule.family == "elementary"
        and isinstance(left, Apply)
        and left.operator in DOMAINS
    )


def accuracy(rule: Rule, type_: ElementType, samples: int) -> Accuracy:
    """How far the right side, functions inside it expanded, is from the function it stands for.

    Results below the smallest normal number may be flushed towards zero, and are left out.
    """
    assert isinstance(rule.left, Apply)
    function = rule.left.operator
    with np.errstate(all="ignore"):  # signalling NaNs among all numbers of a format
        x = inputs(function, type_, samples)
    term = expanded(rule.right, type_, type_, input_("x", type_, (Axis("p", x.size),)))
    with np.errstate(all="ignore"):
        (got,) = evaluate([term], {"x": x})
        wanted = _reference(function, type_, x)
        size = np.abs(wanted)
        kept = (size >= 2.0 ** (1 - type_.max_exponent)) & (size < 2.0**type_.max_exponent)
        # x (1 + erf) / 2 cancels for negative x: gelu is accurate relative to x.
        size = np.abs(x.astype(np.longdouble)) if function == "gelu" else size
        error = np.where(kept, _ulps(got, wanted, size, type_), 0)
    error = np.where(np.isnan(error), np.inf, error)
    worst = int(error.argmax())
    return Accuracy(float(error[worst]), float(x[worst]), x.size, type_.bits == 16)


@cache
def _expansions(type_: ElementType) -> dict[str, Rule]:
    """What functions inside a right side become in turn."""
    rows: dict[str, Rule] = {}
    for rule in FAMILIES["elementary"].rules:
        if rule.kind == "real" and isinstance(rule.left, Apply) and type_ in rule.types:
            rows[rule.left.operator] = rule
    return rows


def expanded(pattern: Pattern, type_: ElementType, wanted: ElementType, x: Term) -> Term:
    """A pattern of one variable as a term, functions inside it expanded."""
    return _Expansion(x).build(pattern, type_, wanted)


class _Expansion:
    """Shared parts are built once: polynomials share a lot."""

    def __init__(self, x: Term) -> None:
        self.x = x
        self.built: dict[tuple[int, ElementType, ElementType], Term] = {}

    def build(self, pattern: Pattern, type_: ElementType, wanted: ElementType) -> Term:
        key = (id(pattern), type_, wanted)
        if key not in self.built:
            self.built[key] = self._build(pattern, type_, wanted)
        return self.built[key]

    def _build(self, pattern: Pattern, type_: ElementType, wanted: ElementType) -> Term:
        if isinstance(pattern, Variable):
            return self.x
        if isinstance(pattern, Constant):
            return const(pattern.value, pattern.type or wanted)
        assert isinstance(pattern, Apply)
        types = operand_types(pattern, type_)
        children = [self.build(c, type_, t) for c, t in zip(pattern.children, types, strict=True)]
        operand = pattern.operand_type or type_
        rule = _expansions(operand).get(pattern.operator)
        if rule is not None:
            return _Expansion(children[0]).build(rule.right, operand, operand)
        converts = OPERATIONS[pattern.operator].types == "convert"
        to = (pattern.type or type_) if converts else None
        return pointwise(pattern.operator, *children, to=to)


def inputs(function: str, type_: ElementType, samples: int) -> Array:
    """All numbers of a 16-bit format, or numbers of all sizes, inside the domain."""
    low, high = DOMAINS[function]
    if type_.bits == 16:
        values = np.arange(1 << 16, dtype=np.uint16).view(type_.numpy)
        low = max(low, 2.0 ** (1 - type_.max_exponent))
    else:
        rng = np.random.default_rng(1)
        count = samples if function in POSITIVE else samples // 2
        scale = np.exp(rng.uniform(np.log(low), np.log(high), count // 2 + 1))
        near = rng.uniform(0, min(high, 12.0), count // 2 + 1)
        parts: Sequence[Array] = [scale, near]
        values = np.concatenate(parts)
        values = values if function in POSITIVE else np.concatenate([values, -values])
        values = values.astype(type_.numpy)
    wide = values.astype(np.float64)
    inside = (np.abs(wide) >= low) & (np.abs(wide) <= high)
    return values[inside & (wide > 0)] if function in POSITIVE else values[inside]


def _ulps(got: Array, wanted: Array, size: Array, type_: ElementType) -> Array:
    """Distance in units in the last place of ``size``."""
    size = np.maximum(size, np.longdouble(2.0) ** (1 - type_.max_exponent))
    unit = np.exp2(np.floor(np.log2(size)) - (type_.precision - 1))
    return np.abs(got.astype(np.longdouble) - wanted) / unit


def _reference(function: str, type_: ElementType, x: Array) -> Array:
    """Two formats up, not rounded back."""
    wide = np.longdouble if type_.precision > 24 and function not in ("erf", "gelu") else np.float64
    return np.asarray(OPERATIONS[function].evaluate(x.astype(wide))).astype(np.longdouble)
