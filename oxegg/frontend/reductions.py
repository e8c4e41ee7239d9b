"""Reductions and running reductions over NumPy dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from oxegg.frontend.dtypes import cast
from oxegg.frontend.elementwise import like, power
from oxegg.frontend.value import Dimension, Value, flatten
from oxegg.ir import Axis, Term, concat, const, iota, pointwise, reduce, scan
from oxegg.ir.types import BOOL, F16, F32, F64, I64, U64, ElementType


def reduce_term(operator: str, dims: Sequence[Dimension], term: Term) -> Term:
    """``term`` reduced over all axes of ``dims``, the innermost first."""
    for axis in [a for d in reversed(dims) for a in reversed(d)]:
        present = axis in term.axes
        term = reduce(operator, axis, term) if present else _copies(operator, axis, term)
    return term


def _copies(operator: str, axis: Axis, term: Term) -> Term:
    """The reduction of ``axis.size`` copies of ``term``."""
    if operator == "add":
        return pointwise("mul", term, like(axis.size, term))
    if operator == "mul":
        return power(term, axis.size)
    if operator == "xor":
        return term if axis.size % 2 else pointwise("xor", term, term)
    return term


def reduce_dims(operator: str, value: Value, axes: Sequence[int], keepdims: bool) -> Value:
    """Reduce the dimensions ``axes``; kept ones have length one."""
    term = reduce_term(operator, [value.dims[a] for a in sorted(axes)], value.term)
    gone: list[Dimension] = [() if i in axes else d for i, d in enumerate(value.dims)]
    kept = [d for i, d in enumerate(gone) if keepdims or i not in axes]
    return Value(term, tuple(kept))


def running(operator: str, value: Value, axis: int) -> Value:
    """ufunc.accumulate along one dimension."""
    if len(value.dims[axis]) > 1:
        value = flatten(value, axis)
    dim = value.dims[axis]
    if not dim:
        return value
    if dim[0] in value.term.axes:
        return value.with_term(scan(operator, dim[0], value.term))
    return value.with_term(_running_copies(operator, dim[0], value.term))


def _running_copies(operator: str, axis: Axis, term: Term) -> Term:
    """The running reduction of copies of ``term``."""
    if operator == "add":
        count = pointwise("add", iota(axis, I64), const(1, I64))
        return pointwise("mul", term, cast(count, term.type))
    if operator in ("mul", "xor"):
        return scan(operator, axis, concat(axis, [(axis, term)]))
    return term


def accumulator(type_: ElementType) -> ElementType:
    """The type in which NumPy adds and multiplies: small integers widen to 64 bits."""
    if type_ is BOOL or (type_.kind == "int" and type_.bits < 64):
        return I64
    return U64 if type_.kind == "uint" else type_


def inner_type(type_: ElementType) -> ElementType:
    """The type of the running sum: NumPy adds half precision in single and rounds at the end."""
    return F32 if type_ is F16 else type_


def total(value: Value, axes: Sequence[int], keepdims: bool, type_: ElementType) -> Value:
    """The sum in ``type_``; truth values count as logical or."""
    wide = inner_type(type_)
    summed = reduce_dims(
        "or" if type_ is BOOL else "add", value.with_term(cast(value.term, wide)), axes, keepdims
    )
    return summed.with_term(cast(summed.term, type_))


def mean(value: Value, axes: Sequence[int], keepdims: bool, type_: ElementType | None) -> Value:
    """The sum over the count; integers in double, half precision in single."""
    result = type_ or (value.type if value.type.is_float else F64)
    wide = inner_type(result) if type_ is None else result
    count = _count(value, axes)
    summed = total(value, axes, keepdims, wide)
    divided = pointwise("div", summed.term, const(count, wide))
    return summed.with_term(cast(divided, result))


def variance(
    value: Value, axes: Sequence[int], keepdims: bool, type_: ElementType | None, ddof: float
) -> Value:
    """The mean of squared differences from the mean (two passes, as NumPy computes it)."""
    result = type_ or (value.type if value.type.is_float else F64)
    wide = inner_type(result) if type_ is None else result
    widened = value.with_term(cast(value.term, wide))
    center = mean(widened, axes, True, wide)
    # kept dimensions have no axes, so the center needs no renaming
    difference = pointwise("sub", widened.term, center.term)
    squared = value.with_term(pointwise("mul", difference, difference))
    summed = total(squared, axes, keepdims, wide)
    count = max(_count(value, axes) - ddof, 0)
    divided = pointwise("div", summed.term, const(count, wide))
    return summed.with_term(cast(divided, result))


def _count(value: Value, axes: Sequence[int]) -> int:
    count = 1
    for axis in axes:
        count *= value.shape[axis]
    return count
