"""Reductions by name: sum, mean, argmax, cumsum ..."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend import reductions, ufunc_methods, ufuncs
from oxegg.frontend.dtypes import cast, element_type
from oxegg.frontend.elementwise import truth
from oxegg.frontend.indexing import index
from oxegg.frontend.traced import NO_VALUE, implements, normalized_axes, normalized_axis, value_of
from oxegg.frontend.value import Value, flatten
from oxegg.ir import Axis, Term, const, iota, pointwise, reduce
from oxegg.ir.types import I64


def _by_ufunc(ufunc: np.ufunc) -> Any:
    """np.sum and its kin: the reduction of a ufunc, over all dimensions unless told."""

    def handler(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = False,
        initial: Any = NO_VALUE,
        where: Any = True,
    ) -> Any:
        return ufunc_methods.reduce(ufunc, a, axis, dtype, out, keepdims, initial, where)

    return handler


def _without_dtype(ufunc: np.ufunc) -> Any:
    """np.max, np.any and their kin take no dtype."""

    def handler(
        a: Any,
        axis: Any = None,
        out: Any = None,
        keepdims: Any = False,
        initial: Any = NO_VALUE,
        where: Any = True,
    ) -> Any:
        return ufunc_methods.reduce(ufunc, a, axis, None, out, keepdims, initial, where)

    return handler


implements(np.sum)(_by_ufunc(np.add))
implements(np.prod)(_by_ufunc(np.multiply))
implements(np.max, np.amax)(_without_dtype(np.maximum))
implements(np.min, np.amin)(_without_dtype(np.minimum))


def _truth_of(ufunc: np.ufunc) -> Any:
    def handler(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True
    ) -> Any:
        return ufunc_methods.reduce(ufunc, a, axis, None, out, keepdims, None, where)

    return handler


implements(np.all)(_truth_of(np.logical_and))
implements(np.any)(_truth_of(np.logical_or))


def _typed(dtype: Any) -> Any:
    return None if dtype is None else element_type(dtype)


def _keep(keepdims: Any) -> bool:
    return keepdims is not NO_VALUE and bool(keepdims)


@implements(np.mean)
def _mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False
) -> Value:
    del out
    value = value_of(a)
    axes = normalized_axes(axis, len(value.dims))
    return reductions.mean(value, axes, _keep(keepdims), _typed(dtype))


@implements(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None) -> Value:
    if weights is not None:
        raise LoweringError("np.average with weights", hint="write (a * w).sum() / w.sum()")
    return _mean(a, axis)


@implements(np.var)
def _var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    correction: Any = NO_VALUE,
) -> Value:
    del out
    value = value_of(a)
    axes = normalized_axes(axis, len(value.dims))
    freedom = ddof if correction is NO_VALUE else correction
    return reductions.variance(value, axes, _keep(keepdims), _typed(dtype), freedom)


@implements(np.std)
def _std(*args: Any, **kwargs: Any) -> Value:
    found = _var(*args, **kwargs)
    return found.with_term(pointwise("sqrt", found.term))


@implements(np.ptp)
def _ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Value:
    del out
    value = value_of(a)
    axes = normalized_axes(axis, len(value.dims))
    high = ufuncs.reduce("maximum", value, axes, _keep(keepdims))
    low = ufuncs.reduce("minimum", value, axes, _keep(keepdims))
    difference = ufuncs.call(np.subtract, (high, low))
    assert isinstance(difference, Value)
    return difference


@implements(np.count_nonzero)
def _count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Value:
    value = value_of(a)
    axes = normalized_axes(axis, len(value.dims))
    return ufuncs.reduce("add", value.with_term(truth(value.term)), axes, keepdims)


def _arg(a: Any, axis: Any, keepdims: Any, operator: str) -> Value:
    """Position of the first extreme element; a NaN counts as extreme, as in NumPy."""
    value = value_of(a)
    if axis is None:
        rank = len(value.dims)
        value, position = value.with_dims([value.axes]), 0
    else:
        rank, position = 1, normalized_axis(axis, len(value.dims))
    if len(value.dims[position]) > 1:
        value = flatten(value, position)
    dim = value.dims[position]
    term = _first_extreme(dim[0], value.term, operator) if dim else const(0, I64)
    kept: list[tuple[Axis, ...]] = [()] * (rank if axis is None else 1) if _keep(keepdims) else []
    return Value(term, (*value.dims[:position], *kept, *value.dims[position + 1 :]))


def _first_extreme(axis: Axis, term: Term, operator: str) -> Term:
    if axis not in term.axes:
        return const(0, I64)
    extreme = reduce(operator, axis, term)
    hit = pointwise("eq", term, extreme)
    if term.type.is_float:
        hit = pointwise("or", hit, pointwise("ne", term, term))
    candidate = pointwise("select", hit, iota(axis, I64), const(axis.size, I64))
    return reduce("min", axis, candidate)


@implements(np.argmax)
def _argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Value:
    del out
    return _arg(a, axis, keepdims, _extreme(a, "max"))


@implements(np.argmin)
def _argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Value:
    del out
    return _arg(a, axis, keepdims, _extreme(a, "min"))


def _extreme(a: Any, operator: str) -> str:
    """Truth values have no maximum operation of their own."""
    boolean = {"max": "or", "min": "and"}
    return boolean[operator] if value_of(a).type.kind == "bool" else operator


def _cumulative(name: str) -> Any:
    def handler(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Value:
        del out
        value = value_of(a)
        if axis is None:
            value, axis = value.with_dims([value.axes]), 0
        return ufuncs.accumulate(name, value, normalized_axis(axis, len(value.dims)), dtype)

    return handler


implements(np.cumsum)(_cumulative("add"))
implements(np.cumprod)(_cumulative("multiply"))


@implements(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1) -> Value:
    value = value_of(a)
    position = normalized_axis(axis, len(value.dims))
    every: Sequence[slice] = [slice(None)] * position
    for _ in range(n):
        upper = index(value, (*every, slice(1, None)))
        lower = index(value, (*every, slice(None, -1)))
        found = ufuncs.call(
            np.not_equal if value.type.kind == "bool" else np.subtract, [upper, lower]
        )
        assert isinstance(found, Value)
        value = found
    return value


@implements(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Value:
    value = value_of(x)
    if ord not in (None, 2) or (ord == 2 and axis is None and len(value.dims) != 1):
        raise LoweringError("np.linalg.norm other than the Euclidean", hint="write the sum out")
    type_ = value.type if value.type.is_float else element_type(np.float64)
    term = cast(value.term, type_)
    squared = value.with_term(pointwise("mul", term, term))
    axes = normalized_axes(axis, len(value.dims))
    summed = reductions.total(squared, axes, keepdims, type_)
    return summed.with_term(pointwise("sqrt", summed.term))
