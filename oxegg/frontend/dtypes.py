"""Element types as NumPy promotes them (NEP 50), conversions, and scalar constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend.value import Value
from oxegg.ir import ElementType, Term, const, pointwise
from oxegg.ir.types import BOOL, I64, from_numpy

Number = bool | int | float
Operand = Value | Number


def element_type(dtype: Any) -> ElementType:
    """The element type of anything that NumPy takes for a dtype."""
    resolved = np.dtype(dtype)
    found = from_numpy(resolved)
    if found is None:
        raise LoweringError(
            f"no element type for NumPy dtype {resolved}",
            hint="use bool, int8..int64, uint8..uint64, float16, bfloat16, float32 or float64",
        )
    return found


def promotion_key(operand: Operand) -> Any:
    """What stands for an operand in NumPy's promotion: a dtype, or the type of a weak scalar."""
    if isinstance(operand, Value):
        weak_type = float if operand.type.is_float else int
        return weak_type if operand.weak else operand.type.numpy
    return np.dtype(np.bool_) if isinstance(operand, bool) else type(operand)


def loop_types(ufunc: np.ufunc, operands: Sequence[Operand]) -> tuple[ElementType, ...]:
    """The types of the loop that NumPy would run: of operands, then of results."""
    keys = (*map(promotion_key, operands), *[None] * ufunc.nout)
    try:
        types = ufunc.resolve_dtypes(keys)
    except TypeError as error:
        shown = ", ".join(getattr(k, "name", getattr(k, "__name__", "")) for k in keys if k)
        raise LoweringError(f"np.{ufunc.__name__} is not defined on {shown}") from error
    return tuple(element_type(t) for t in types)


def result_type(*operands: Operand | ElementType) -> ElementType:
    """np.result_type."""
    keys = [o.numpy if isinstance(o, ElementType) else _example(o) for o in operands]
    return element_type(np.result_type(*keys))


def _example(operand: Operand) -> Any:
    key = promotion_key(operand)
    return key(0) if isinstance(key, type) else key


def cast(term: Term, type_: ElementType) -> Term:
    """numpy.astype; constants are converted at once."""
    if term.type is type_:
        return term
    if term.operator == "const":
        with np.errstate(all="ignore"):
            exact = np.asarray(term.constant, term.type.numpy)
            return const(exact.astype(type_.numpy).item(), type_)
    return pointwise("convert", term, to=type_)


def scalar(number: Number, type_: ElementType) -> Term:
    """A Python number as a constant of ``type_``, refused where NumPy refuses it."""
    fits = not type_.is_integer or type_.minimum <= number <= type_.maximum
    if not fits:
        raise LoweringError(
            f"Python integer {number} is out of bounds for {type_.numpy}",
            hint="widen the array first, for example x.astype(np.int32)",
        )
    return const(number, type_)


def operand_term(operand: Operand, type_: ElementType) -> Value:
    """An operand converted to the type of a loop."""
    if isinstance(operand, Value):
        return operand.with_term(cast(operand.term, type_))
    return Value(scalar(operand, type_))


def as_value(operand: Operand) -> Value:
    """A Python number gets the type that NumPy gives it on its own."""
    if isinstance(operand, Value):
        return operand
    kind = BOOL if isinstance(operand, bool) else I64 if isinstance(operand, int) else None
    return Value(scalar(operand, kind or element_type(np.float64)))
