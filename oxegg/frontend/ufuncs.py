"""Calls of NumPy ufuncs and their methods on values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend import contraction, reductions
from oxegg.frontend.dtypes import (
    Number,
    Operand,
    as_value,
    cast,
    element_type,
    loop_types,
    operand_term,
)
from oxegg.frontend.elementwise import COMPARISONS, ELEMENTWISE, power, truth
from oxegg.frontend.value import Value, elementwise
from oxegg.ir import ElementType, Term, const, pointwise
from oxegg.ir.types import BOOL

_ANGLES = ("arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh")
HINTS: dict[str, str] = {
    **dict.fromkeys(_ANGLES, "no inverse of an angle function is supported yet"),
    "power": "np.power takes a constant exponent; for positive x write np.exp(p * np.log(x))",
    "float_power": "for positive x write np.exp(p * np.log(x))",
    "hypot": "write np.sqrt(x * x + y * y)",
    "arctan2": "write a polynomial or a table with np.take",
    "ldexp": "write x * np.exp2(n)",
    "cbrt": "for positive x write np.exp(np.log(x) / 3)",
}


def call(
    ufunc: np.ufunc, operands: Sequence[Operand], dtype: Any = None
) -> Value | tuple[Value, ...]:
    """``ufunc(*operands)`` with NumPy's type promotion."""
    name = ufunc.__name__
    if name in contraction.PRODUCTS:
        return contraction.product(name, ufunc, operands, dtype)
    if name in COMPARISONS:
        decided = _decided_by_range(ufunc, operands)
        if decided is not None:
            return decided
    if name == "power":
        return _power(ufunc, operands, dtype)
    if name == "divmod":
        return (_apply(np.floor_divide, operands, dtype), _apply(np.remainder, operands, dtype))
    return _apply(ufunc, operands, dtype)


def _apply(ufunc: np.ufunc, operands: Sequence[Operand], dtype: Any) -> Value:
    name = ufunc.__name__
    build = ELEMENTWISE.get(name)
    if build is None:
        raise LoweringError(f"np.{name} can't be lowered", hint=HINTS.get(name))
    types = _MIXED[name](operands) if name in _MIXED else loop_types(ufunc, operands)
    if dtype is not None:
        types = _forced(ufunc, element_type(dtype))
    values = [operand_term(o, t) for o, t in zip(operands, types, strict=False)]
    result = elementwise(values, lambda *terms: cast(build(*terms), types[-1]))
    return replace(result, weak=all(not isinstance(o, Value) or o.weak for o in operands))


def _logical_types(operands: Sequence[Operand]) -> tuple[ElementType, ...]:
    """Each operand is asked for its truth on its own."""
    return (*(as_value(o).type for o in operands), BOOL)


_MIXED: dict[str, Callable[[Sequence[Operand]], tuple[ElementType, ...]]] = {
    name: _logical_types for name in ("logical_and", "logical_or", "logical_xor", "logical_not")
}


def _forced(ufunc: np.ufunc, type_: ElementType) -> tuple[ElementType, ...]:
    """The loop that ``dtype=`` asks for."""
    keys = (*[type_.numpy] * ufunc.nin, *[None] * ufunc.nout)
    types = tuple(element_type(t) for t in ufunc.resolve_dtypes(keys))
    if types[-1] is not type_:
        raise LoweringError(f"np.{ufunc.__name__} has no loop for dtype {type_.numpy}")
    return types


def _decided_by_range(ufunc: np.ufunc, operands: Sequence[Operand]) -> Value | None:
    """A comparison with a Python integer that the array's type can't hold."""
    for i, number in enumerate(operands):
        other = operands[1 - i]
        if isinstance(number, bool | Value) or not isinstance(other, Value) or other.weak:
            continue
        type_ = other.type
        if isinstance(number, float) or not type_.is_integer:
            continue
        if not type_.minimum <= number <= type_.maximum:
            zero = np.zeros((), type_.numpy)
            pair = (number, zero) if i == 0 else (zero, number)
            return Value(const(bool(ufunc(*pair)), BOOL), other.dims)
    return None


def _power(ufunc: np.ufunc, operands: Sequence[Operand], dtype: Any) -> Value:
    base, exponent = operands
    known = exponent if not isinstance(exponent, Value) else exponent.term.constant
    types = loop_types(ufunc, operands) if dtype is None else _forced(ufunc, element_type(dtype))
    if known is None:
        return _exponential(base, exponent, types)
    if types[-1].is_integer and known < 0:
        raise LoweringError("integers to negative integer powers are not allowed")
    value = operand_term(base, types[0])
    raised = value.with_term(power(value.term, known))
    if not isinstance(exponent, Value):
        return raised
    return elementwise([raised, operand_term(exponent, types[1])], _first)  # for its shape


def _first(term: Term, other: Term) -> Term:
    del other
    return term


def _exponential(base: Operand, exponent: Operand, types: Sequence[ElementType]) -> Value:
    """A constant positive base: b ** x = 2 ** (x * log2(b))."""
    known: Number | None = base if not isinstance(base, Value) else base.term.constant
    if known is None or known <= 0 or not types[0].is_float:
        raise LoweringError("np.power of two arrays can't be lowered", hint=HINTS["power"])
    value = operand_term(exponent, types[1])
    factor = float(np.log2(known))
    term = value.term
    if factor != 1:
        term = pointwise("mul", term, const(factor, types[1]))
    return value.with_term(pointwise("exp2", term))


# ufunc -> (reduction of the IR, whether NumPy widens small integers)
_REDUCTIONS: dict[str, tuple[str, bool]] = {
    "add": ("add", True),
    "multiply": ("mul", True),
    "maximum": ("max", False),
    "minimum": ("min", False),
    "fmax": ("maxnum", False),
    "fmin": ("minnum", False),
    "bitwise_and": ("and", False),
    "bitwise_or": ("or", False),
    "bitwise_xor": ("xor", False),
    "logical_and": ("and", False),
    "logical_or": ("or", False),
    "logical_xor": ("xor", False),
}
_BOOLEAN = {"add": "or", "mul": "and", "max": "or", "min": "and"}
_INTEGER = {"maxnum": "max", "minnum": "min"}


def reducer(name: str, value: Value, dtype: Any) -> tuple[str, Value, ElementType]:
    """The reduction, its operand converted, and the result type of ``ufunc.reduce``."""
    if name not in _REDUCTIONS:
        raise LoweringError(f"np.{name}.reduce can't be lowered")
    loop_types(getattr(np, name), (value, value))  # refused where NumPy has no such loop
    operator, widens = _REDUCTIONS[name]
    type_ = element_type(dtype) if dtype is not None else value.type
    if dtype is None and widens:
        type_ = reductions.accumulator(value.type)
    if name.startswith("logical"):
        return operator, value.with_term(truth(value.term)), BOOL
    if type_ is BOOL:
        operator = _BOOLEAN.get(_INTEGER.get(operator, operator), operator)
    elif type_.is_integer:
        operator = _INTEGER.get(operator, operator)
    wide = reductions.inner_type(type_) if operator in ("add", "mul") else type_
    return operator, value.with_term(cast(value.term, wide)), type_


def reduce(
    name: str,
    value: Value,
    axes: Sequence[int],
    keepdims: bool = False,
    dtype: Any = None,
    initial: Operand | None = None,
) -> Value:
    """``np.<name>.reduce(value, axes)``."""
    operator, converted, type_ = reducer(name, value, dtype)
    reduced = reductions.reduce_dims(operator, converted, axes, keepdims)
    if initial is not None:
        start = operand_term(initial, converted.type)
        reduced = elementwise([start, reduced], partial(pointwise, operator))
    return reduced.with_term(cast(reduced.term, type_))


def accumulate(name: str, value: Value, axis: int, dtype: Any = None) -> Value:
    """``np.<name>.accumulate(value, axis)``: rounds at each step in the result type."""
    operator, _, type_ = reducer(name, value, dtype)
    typed = value.with_term(truth(value.term) if type_ is BOOL else cast(value.term, type_))
    return reductions.running(operator, typed, axis)


def identity(name: str, type_: ElementType) -> Term:
    """The neutral element of a reduction, for ``where=``."""
    lowest: Number = -np.inf if type_.is_float else type_.minimum
    highest: Number = np.inf if type_.is_float else type_.maximum
    known: dict[str, Number] = {
        "maximum": lowest,
        "fmax": lowest,
        "minimum": highest,
        "fmin": highest,
    }
    known |= {"multiply": 1, "logical_and": 1, "bitwise_and": -1 if type_.is_signed else highest}
    return const(known.get(name, 0), type_)
