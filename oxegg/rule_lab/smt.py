# Rows of lambdas over formulas, whose types z3 does not state.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
"""The pointwise operations for a solver: integers as bit vectors, floats to the bit.

The second meaning beside :mod:`oxegg.ir.operations`; a test compares the two on corner and random
values, operation by operation, so each guards the other. Floats have one NaN here, as everywhere in
oxegg's notion of equal bits. IEEE sums and products commute by definition (the exact result is
rounded), and x - y is x + (-y), so operands are put into one order when a formula is built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oxegg.ir.types import BF16, BOOL, F16, F32, F64, I32, ElementType, value_to_bits
from oxegg.rule_lab.solver import z3

Value = Any  # z3 has no types: a BitVecRef, FPRef or BoolRef
NEAREST, TO_ZERO, DOWN, UP = z3.RNE(), z3.RTZ(), z3.RTN(), z3.RTP()
_EXPONENTS = {F16: 5, BF16: 8, F32: 8, F64: 11}


class NoSemanticsError(Exception):
    """An operation that the solver has no meaning for."""


def sort(type_: ElementType) -> Any:
    if type_ is BOOL:
        return z3.BoolSort()
    if type_.is_float:
        return z3.FPSort(_EXPONENTS[type_], type_.precision)
    return z3.BitVecSort(type_.bits)


def constant(value: float | int | bool, type_: ElementType) -> Value:
    if type_ is BOOL:
        return z3.BoolVal(bool(value))
    bits = z3.BitVecVal(value_to_bits(value, type_), type_.bits)
    return z3.fpBVToFP(bits, sort(type_)) if type_.is_float else bits


def apply(name: str, of: ElementType, to: ElementType, operands: list[Value]) -> Value:
    """Operation ``name`` on operands of type ``of`` (of a select: its values), result ``to``.

    Raises NoSemanticsError where there is no formula.
    """
    if name == "select":
        return z3.If(*operands)
    if name in _CONVERSIONS:
        return _CONVERSIONS[name](of, to, operands[0])
    table = _BOOL if of is BOOL else _FLOAT if of.is_float else _INTEGER
    if name in table:
        return table[name](of, *operands)
    if of.is_float and len(operands) == 1:
        return _function(name, of, of, operands[0])
    raise NoSemanticsError(name)


def _function(name: str, of: ElementType, to: ElementType, x: Value) -> Value:
    """Some function of x: equal arguments give equal results, and nothing more is known."""
    return z3.Function(f"{name}.{of}.{to}", sort(of), sort(to))(x)


# ------------------------------------------------------------------ floats


def _ordered(x: Value, y: Value) -> tuple[Value, Value]:
    return (x, y) if x.get_id() <= y.get_id() else (y, x)


def _negated(x: Value) -> Value:
    """-x, with --x = x."""
    return x.arg(0) if z3.is_app_of(x, z3.Z3_OP_FPA_NEG) else z3.fpNeg(x)


def _factors(x: Value, y: Value) -> tuple[Value, Value, bool]:
    """Factors without their signs, in order, and whether the product's sign changes."""
    signs = [z3.is_app_of(v, z3.Z3_OP_FPA_NEG) for v in (x, y)]
    first, second = _ordered(*(v.arg(0) if s else v for v, s in zip((x, y), signs, strict=True)))
    return first, second, signs[0] != signs[1]


def _multiply(t: ElementType, x: Value, y: Value) -> Value:
    del t
    first, second, odd = _factors(x, y)
    product = z3.fpMul(NEAREST, first, second)
    return z3.fpNeg(product) if odd else product


def _fused(x: Value, y: Value, z: Value) -> Value:
    first, second, odd = _factors(x, y)
    return z3.fpFMA(NEAREST, z3.fpNeg(first) if odd else first, second, z)


def _less(x: Value, y: Value) -> Value:
    """x before y, -0 before +0."""
    return z3.Or(z3.fpLT(x, y), z3.And(z3.fpEQ(x, y), z3.fpIsNegative(x), z3.fpIsPositive(y)))


def _by_number(smaller: bool) -> Callable[..., Value]:
    def pick(t: ElementType, x: Value, y: Value) -> Value:
        del t
        x, y = _ordered(x, y)
        first = z3.If(_less(x, y), x, y) if smaller else z3.If(_less(x, y), y, x)
        return z3.If(z3.fpIsNaN(x), y, z3.If(z3.fpIsNaN(y), x, first))

    return pick


def _by_nan(smaller: bool) -> Callable[..., Value]:
    pick = _by_number(smaller)

    def propagate(t: ElementType, x: Value, y: Value) -> Value:
        return z3.If(z3.fpIsNaN(x), x, z3.If(z3.fpIsNaN(y), y, pick(t, x, y)))

    return propagate


def _copysign(t: ElementType, x: Value, y: Value) -> Value:
    """The sign of a NaN is known where its bits are; else it could be either."""
    unknown = _function("sign-of-nan", t, BOOL, y)
    if z3.is_app_of(y, z3.Z3_OP_FPA_TO_FP) and z3.is_bv(y.arg(0)):
        unknown = z3.Extract(t.bits - 1, t.bits - 1, y.arg(0)) == 1
    negative = z3.If(z3.fpIsNaN(y), unknown, z3.fpIsNegative(y))
    return z3.If(negative == z3.fpIsNegative(x), x, z3.fpNeg(x))


_FLOAT: dict[str, Callable[..., Value]] = {
    "neg": lambda t, x: _negated(x),
    "abs": lambda t, x: z3.fpAbs(x),
    "add": lambda t, x, y: z3.fpAdd(NEAREST, *_ordered(x, y)),
    "sub": lambda t, x, y: z3.fpAdd(NEAREST, *_ordered(x, _negated(y))),
    "mul": _multiply,
    "div": lambda t, x, y: z3.fpDiv(NEAREST, x, y),
    "reciprocal": lambda t, x: z3.fpDiv(NEAREST, constant(1.0, t), x),
    "fma": lambda t, x, y, z: _fused(x, y, z),
    "fms": lambda t, x, y, z: _fused(x, y, _negated(z)),
    "fnma": lambda t, x, y, z: _fused(_negated(x), y, z),
    "sqrt": lambda t, x: z3.fpSqrt(NEAREST, x),
    "min": _by_nan(True),
    "max": _by_nan(False),
    "minnum": _by_number(True),
    "maxnum": _by_number(False),
    "copysign": _copysign,
    "floor": lambda t, x: z3.fpRoundToIntegral(DOWN, x),
    "ceil": lambda t, x: z3.fpRoundToIntegral(UP, x),
    "trunc": lambda t, x: z3.fpRoundToIntegral(TO_ZERO, x),
    "rint": lambda t, x: z3.fpRoundToIntegral(NEAREST, x),
    "eq": lambda t, x, y: z3.fpEQ(x, y),
    "ne": lambda t, x, y: z3.Not(z3.fpEQ(x, y)),
    "lt": lambda t, x, y: z3.fpLT(x, y),
    "le": lambda t, x, y: z3.fpLEQ(x, y),
}


# ------------------------------------------------------------------ integers and truth values


def _signed(t: ElementType, signed: Callable[..., Value], unsigned: Callable[..., Value]) -> Any:
    return signed if t.is_signed else unsigned


def _shift_amount(t: ElementType, y: Value) -> Value:
    return y & (t.bits - 1)


def _lt(t: ElementType, x: Value, y: Value) -> Value:
    return x < y if t.is_signed else z3.ULT(x, y)


def _quotient(t: ElementType, x: Value, y: Value) -> Value:
    divided = x / y if t.is_signed else z3.UDiv(x, y)
    return z3.If(y == 0, z3.BitVecVal(-1, t.bits), divided)


def _remainder(t: ElementType, x: Value, y: Value) -> Value:
    return z3.SRem(x, y) if t.is_signed else z3.URem(x, y)


def _rounds_down(t: ElementType, x: Value, y: Value) -> Value:
    """Whether flooring and truncation differ."""
    rest = _remainder(t, x, y)
    return z3.And(rest != 0, (rest < 0) != (y < 0)) if t.is_signed else z3.BoolVal(False)


def _floor_divide(t: ElementType, x: Value, y: Value) -> Value:
    quotient = _quotient(t, x, y)
    floored = z3.If(_rounds_down(t, x, y), quotient - 1, quotient)
    return z3.If(y == 0, z3.BitVecVal(0, t.bits), floored)


def _modulo(t: ElementType, x: Value, y: Value) -> Value:
    rest = _remainder(t, x, y)
    floored = z3.If(_rounds_down(t, x, y), rest + y, rest)
    return z3.If(y == 0, z3.BitVecVal(0, t.bits), floored)


def extend(x: Value, of: ElementType, bits: int) -> Value:
    """The low ``bits`` bits, extended as a value of type ``of``."""
    if bits <= of.bits:
        return z3.Extract(bits - 1, 0, x) if bits < of.bits else x
    return (z3.SignExt if of.is_signed else z3.ZeroExt)(bits - of.bits, x)


def _high_product(t: ElementType, x: Value, y: Value) -> Value:
    wide = extend(x, t, 2 * t.bits) * extend(y, t, 2 * t.bits)
    return z3.Extract(2 * t.bits - 1, t.bits, wide)


_INTEGER: dict[str, Callable[..., Value]] = {
    "neg": lambda t, x: -x,
    "abs": lambda t, x: z3.If(x < 0, -x, x) if t.is_signed else x,
    "add": lambda t, x, y: x + y,
    "sub": lambda t, x, y: x - y,
    "mul": lambda t, x, y: x * y,
    "mulh": _high_product,
    "and": lambda t, x, y: x & y,
    "or": lambda t, x, y: x | y,
    "xor": lambda t, x, y: x ^ y,
    "not": lambda t, x: ~x,
    "min": lambda t, x, y: z3.If(_lt(t, y, x), y, x),
    "max": lambda t, x, y: z3.If(_lt(t, x, y), y, x),
    "shl": lambda t, x, y: x << _shift_amount(t, y),
    "shr": lambda t, x, y: _signed(t, lambda a, b: a >> b, z3.LShR)(x, _shift_amount(t, y)),
    "quotient": _quotient,
    "remainder": _remainder,
    "floor_divide": _floor_divide,
    "modulo": _modulo,
    "eq": lambda t, x, y: x == y,
    "ne": lambda t, x, y: x != y,
    "lt": _lt,
    "le": lambda t, x, y: z3.Not(_lt(t, y, x)),
}
_BOOL: dict[str, Callable[..., Value]] = {
    "and": lambda t, x, y: z3.And(x, y),
    "or": lambda t, x, y: z3.Or(x, y),
    "xor": lambda t, x, y: z3.Xor(x, y),
    "not": lambda t, x: z3.Not(x),
    "eq": lambda t, x, y: x == y,
    "ne": lambda t, x, y: z3.Xor(x, y),
}


# ------------------------------------------------------------------ formats


def _convert(of: ElementType, to: ElementType, x: Value) -> Value:
    if of is to:
        return x
    if to is BOOL:
        return z3.Not(z3.fpEQ(x, constant(0.0, of))) if of.is_float else x != 0
    if of is BOOL:
        return z3.If(x, constant(1, to), constant(0, to))
    if to is BF16 and of not in (F16, F32):
        return _convert(F32, BF16, _convert(of, F32, x))  # so does ml_dtypes
    if of.is_float and to.is_float:
        return z3.fpFPToFP(NEAREST, x, sort(to))
    if to.is_float:
        exact = z3.fpSignedToFP if of.is_signed else z3.fpUnsignedToFP
        return exact(NEAREST, x, sort(to))
    if of.is_float:
        if to.bits < I32.bits:
            return extend(_convert(of, I32, x), I32, to.bits)
        return saturated(of, to, x, TO_ZERO)
    return extend(x, of, to.bits)


def fits(of: ElementType, to: ElementType, x: Value, mode: Value) -> Value:
    """Whether x, rounded to a whole number, is a value of ``to``."""
    whole = z3.fpRoundToIntegral(mode, x)
    low, high = _limits(of, to)
    return z3.And(z3.Not(z3.fpIsInf(x)), z3.fpLEQ(low, whole), z3.fpLT(whole, high))


def _limits(of: ElementType, to: ElementType) -> tuple[Value, Value]:
    """Smallest value of ``to``, and the first above its values (infinity where ``of`` ends)."""
    return constant(float(to.minimum), of), constant(float(to.maximum + 1), of)


def saturated(of: ElementType, to: ElementType, x: Value, mode: Value) -> Value:
    """x as a whole number; out of range the nearest value of ``to``, for a NaN the largest."""
    largest = z3.BitVecVal(to.maximum, to.bits)
    smallest = z3.BitVecVal(to.minimum, to.bits)
    below = z3.And(z3.fpIsNegative(x), z3.Not(z3.fpIsNaN(x)))
    whole = (z3.fpToSBV if to.is_signed else z3.fpToUBV)(mode, x, z3.BitVecSort(to.bits))
    return z3.If(fits(of, to, x, mode), whole, z3.If(below, smallest, largest))


def _bitcast(of: ElementType, to: ElementType, x: Value) -> Value:
    bits = x
    if of.is_float:  # the bits of an unknown are itself, also where they are a NaN's
        known = z3.is_app_of(x, z3.Z3_OP_FPA_TO_FP) and z3.is_bv(x.arg(0))
        bits = x.arg(0) if known else z3.fpToIEEEBV(x)
    return z3.fpBVToFP(bits, sort(to)) if to.is_float else bits


_CONVERSIONS: dict[str, Callable[[ElementType, ElementType, Value], Value]] = {
    "convert": _convert,
    "to_int": lambda of, to, x: saturated(of, to, x, NEAREST),
    "bitcast": _bitcast,
}
