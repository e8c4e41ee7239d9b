"""How each pointwise operation passes values and rounding errors on.

Additions and products keep the two-part form of an :class:`Enclosure`, so that their bound holds
in every order, contracted or not. Everything else settles its operands first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir import Term
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BOOL
from oxegg.verify.enclosure import (
    Accuracy,
    Enclosure,
    Rule,
    both_defined,
    discrete,
    everywhere,
    seal,
    smallest_normal,
)
from oxegg.verify.formats import bitcast, convert, float_from_integer, to_integer
from oxegg.verify.functions import TABLE, Function
from oxegg.verify.ring import add, multiply, scale, underflows

Array = npt.NDArray[Any]

_ESTIMATE_ERROR = 2.0**-7  # RVV 1.0 sections 13.9 and 13.10


def propagate(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    """The enclosure of a pointwise term; operands have one dimension per axis of the term."""
    if term.operator == "select":
        chosen = _select(term, operands)
        return seal(term.type, chosen) if term.type.is_float else chosen
    if not term.children[0].type.is_float:
        return _from_discrete(term, operands, accuracy)
    raw = _FLOAT_RULES[term.operator](term, operands, accuracy)
    return seal(term.type, raw) if term.type.is_float else raw


# ------------------------------------------------------------------ sums and products


def _power_of_two(term: Term) -> float | None:
    value = term.constant
    if value is None or not value or not math.isfinite(value):
        return None
    return float(value) if abs(math.frexp(value)[0]) == 0.5 and abs(value) >= 2.0**-10 else None


def _multiply(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    del accuracy
    left, right = operands
    for child, other in zip(term.children, (right, left), strict=True):
        factor = _power_of_two(child)
        if factor is not None:
            scaled = scale(other, factor)
            carried = scaled.carried + underflows(term, scaled.magnitude)
            return replace(scaled, carried=carried)
    return multiply(term, left, right)


def _divide(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    """x / y as x * (1 / y): covers division itself, hoisted and approximate reciprocals."""
    left, right = operands
    unit = accuracy.unit(term)
    inverse = _apply(term, right, TABLE["reciprocal"], 2 * unit + accuracy.eps, unit)
    return multiply(term, left, inverse)


def _fused(sign_product: int, sign_addend: int) -> Rule:
    def rule(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
        del accuracy
        a, b, c = operands
        product = multiply(term, a, b)
        return add(scale(product, sign_product), c, sign_addend)

    return rule


# ------------------------------------------------------------------ functions of one operand


def _settled_leaf(value: Array, error: Array, like: Enclosure, unit: float) -> Enclosure:
    return Enclosure(value, np.abs(value).astype(np.float64), error, like.defined, unit)


def _apply(term: Term, x: Enclosure, function: Function, relative: float, unit: float) -> Enclosure:
    """f(x) with an implementation error of ``relative`` times the scale of the function."""
    b = x.error + (x.magnitude * unit if function.reduced else 0.0)
    y = np.asarray(function.evaluate(x.value))
    spread = function.spread(x.value, y, b) + relative * function.scale(x.value, y)
    spread = spread + (relative / unit + 1) * underflows(term, np.abs(y).astype(np.float64))
    if function.flushes:
        tiny = smallest_normal(term.type)
        spread = spread + np.where(np.abs(y) < tiny, tiny, 0.0)
    error = spread.astype(np.float64)
    error = np.where(np.isnan(error), np.inf, error)
    return seal(term.type, _settled_leaf(y, error, x, unit))


def _function(name: str) -> Rule:
    function = TABLE[name]

    def rule(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
        unit = accuracy.unit(term)
        relative = 2 * unit * accuracy.ulps + accuracy.eps
        return _apply(term, operands[0], function, relative, unit)

    return rule


def _estimate(name: str) -> Rule:
    """The 7-bit estimates: as the function, with their own relative error."""
    function = TABLE[name]

    def rule(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
        return _apply(term, operands[0], function, _ESTIMATE_ERROR, accuracy.unit(term))

    return rule


def _rounding(function: Callable[[Array], Array]) -> Rule:
    """floor, ceil ...: monotone, so the ends of the reachable interval bound the result."""

    def rule(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
        (x,) = operands
        value, above, below = (function(v) for v in (x.value, x.value + x.error, x.value - x.error))
        error = np.maximum(above - value, value - below).astype(np.float64)
        return _settled_leaf(value, error, x, accuracy.unit(term))

    return rule


def _negate(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    del term, accuracy
    return scale(operands[0], -1.0)


def _absolute(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    (x,) = operands
    return _settled_leaf(np.abs(x.value), x.error, x, accuracy.unit(term))


# ------------------------------------------------------------------ choices


def _extremum(sign: int) -> Rule:
    """max (sign 1) or min (-1): the winner's error, or how far the loser may rise above it."""

    def rule(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
        del term, accuracy
        a, b = operands
        gap = sign * (a.value - b.value)
        first = gap >= 0
        value = np.where(first, a.value, b.value)
        winner = np.where(first, a.error, b.error)
        loser = np.where(first, b.error, a.error)
        error = np.maximum(winner, loser - np.abs(gap)).astype(np.float64)
        defined = a.defined & b.defined
        return Enclosure(value, np.abs(value).astype(np.float64), error, defined, a.unit)

    return rule


def _copysign(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    x, sign = operands
    reach = sign.error
    undecided = (np.abs(sign.value) <= reach) & (reach > 0)
    value = np.copysign(x.value, sign.value)
    error = x.error + np.where(undecided, 2 * np.abs(x.value), 0.0)
    raw = _settled_leaf(value, error.astype(np.float64), x, accuracy.unit(term))
    return replace(raw, defined=x.defined & sign.defined)


def _compare(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    """Undecided (not defined) where the operands are closer than their errors.

    What is defined is finite: against an infinite constant every such value is decided.
    """
    del accuracy
    a, b = operands
    limits = [_infinite(child) for child in term.children]
    if any(limits):
        numbers = [
            replace(x, value=np.full_like(x.value, limit), defined=everywhere(x.value.ndim))
            if limit
            else x
            for limit, x in zip(limits, operands, strict=True)
        ]
        values = [x.value for x in numbers]
        return discrete(OPERATIONS[term.operator].evaluate(*values), both_defined(numbers))
    reach = a.error + b.error
    decided = (reach == 0) | (np.abs(a.value - b.value) > reach)
    return discrete(
        OPERATIONS[term.operator].evaluate(a.value, b.value), a.defined & b.defined & decided
    )


def _infinite(term: Term) -> float:
    """The value of an infinite constant, else 0."""
    value = term.constant
    return float(value) if value is not None and math.isinf(value) else 0.0


def _select(term: Term, operands: Sequence[Enclosure]) -> Enclosure:
    """The chosen branch; both of them where the condition is undecided."""
    condition, yes, no = operands
    chosen, known = condition.value, condition.defined
    value = np.where(chosen, yes.value, no.value)
    taken = np.where(chosen, yes.defined, no.defined)
    if not term.type.is_float:
        same = yes.defined & no.defined & (yes.value == no.value)
        return discrete(value, np.where(known, taken, same))
    apart = np.abs(yes.value - no.value).astype(np.float64)
    either = np.maximum(yes.carried, no.carried) + apart
    largest = np.maximum(yes.magnitude, no.magnitude)
    return Enclosure(
        value,
        np.where(known, np.where(chosen, yes.magnitude, no.magnitude), largest),
        np.where(known, np.where(chosen, yes.carried, no.carried), either),
        np.where(known, taken, yes.defined & no.defined),
        yes.unit,
        max(yes.roundings, no.roundings),
        max(yes.addends, no.addends),
    )


# ------------------------------------------------------------------ integers and truth values


def _from_discrete(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    """Integers and truth values: the operation itself, undefined where an operand is."""
    values = [x.value for x in operands]
    defined = both_defined(operands)
    row = OPERATIONS[term.operator]
    if row.types == "convert":
        value = row.evaluate(values[0], term.type.numpy)
        return float_from_integer(term, values[0], value, defined, accuracy)
    if term.type is BOOL and term.operator in _DECIDED_BY:
        decisive = _DECIDED_BY[term.operator]
        for x in operands:
            defined = defined | (x.defined & (x.value == decisive))
    return discrete(row.evaluate(*values), defined)


# One operand with this value settles the result whatever the other one is.
_DECIDED_BY = {"and": False, "or": True}


def _add(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    del term, accuracy
    return add(operands[0], operands[1])


def _subtract(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    del term, accuracy
    return add(operands[0], operands[1], -1)


_FLOAT_RULES: dict[str, Rule] = {
    "neg": _negate,
    "abs": _absolute,
    "add": _add,
    "sub": _subtract,
    "mul": _multiply,
    "div": _divide,
    "fma": _fused(1, 1),
    "fms": _fused(1, -1),
    "fnma": _fused(-1, 1),
    "min": _extremum(-1),
    "max": _extremum(1),
    "minnum": _extremum(-1),
    "maxnum": _extremum(1),
    "copysign": _copysign,
    "floor": _rounding(np.floor),
    "ceil": _rounding(np.ceil),
    "trunc": _rounding(np.trunc),
    "rint": _rounding(np.rint),
    "reciprocal_estimate": _estimate("reciprocal"),
    "rsqrt_estimate": _estimate("rsqrt"),
    **{name: _function(name) for name in TABLE},
    **{name: _compare for name in ("eq", "ne", "lt", "le")},
    "convert": convert,
    "to_int": to_integer,
    "bitcast": bitcast,
}
