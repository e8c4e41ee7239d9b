"""``ufunc(...)``, ``ufunc.reduce`` and their kin, on traced arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend import ufuncs
from oxegg.frontend.dtypes import Operand, cast
from oxegg.frontend.functions.counting import add_at
from oxegg.frontend.joining import broadcast_to
from oxegg.frontend.traced import NO_VALUE, Traced, normalized_axes, operand, tuple_of, value_of
from oxegg.frontend.value import Value, elementwise
from oxegg.ir import pointwise

_HARMLESS = {"casting", "order", "subok", "signature"}


def call(
    ufunc: np.ufunc,
    *inputs: Any,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    **rest: Any,
) -> Any:
    """``ufunc(*inputs)``; with ``out`` the result is stored and ``out`` returned."""
    unknown = rest.keys() - _HARMLESS
    if unknown:
        raise LoweringError(f"np.{ufunc.__name__}: argument {unknown.pop()} is not supported")
    result = ufuncs.call(ufunc, [operand(x) for x in inputs], dtype)
    (target,) = tuple_of(out)
    if target is not None:
        assert isinstance(result, Value)
        return _store(ufunc, target, result, where)
    if where is not True:
        raise LoweringError("where= without out= leaves elements undefined", hint="use np.where")
    return result


def _store(ufunc: np.ufunc, target: Any, result: Value, where: Any) -> Traced:
    if not isinstance(target, Traced):
        raise LoweringError(
            "out= names an array from outside of the kernel",
            hint="create it in the kernel with np.empty or np.zeros",
        )
    old = target.value
    if not np.can_cast(result.type.numpy, old.type.numpy, "same_kind"):
        raise LoweringError(
            f"np.{ufunc.__name__} gives {result.type.numpy}, which {old.type.numpy} can't hold",
            hint="convert with .astype",
        )
    stored = broadcast_to(result, old.shape)
    stored = stored.with_term(cast(stored.term, old.type))
    target.assign(stored if where is True else chosen(where, stored, old))
    return target


def chosen(mask: Any, yes: Value, no: Value) -> Value:
    """Elements of ``yes`` where the mask holds, of ``no`` elsewhere."""
    return elementwise([value_of(mask), yes, no], partial(pointwise, "select"))


def reduce(
    ufunc: np.ufunc,
    x: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Value | Traced:
    """``ufunc.reduce``."""
    value = value_of(x)
    if where is not True and where is not NO_VALUE:
        neutral = Value(ufuncs.identity(ufunc.__name__, value.type))
        value = chosen(where, value, neutral)
    given = initial is not None and initial is not NO_VALUE
    start: Operand | None = operand(initial) if given else None
    axes: Sequence[int] = normalized_axes(axis, len(value.dims))
    kept = keepdims is not NO_VALUE and bool(keepdims)
    result = ufuncs.reduce(ufunc.__name__, value, axes, kept, dtype, start)
    (target,) = tuple_of(out)
    return result if target is None else _store(ufunc, target, result, True)


def accumulate(
    ufunc: np.ufunc, x: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Value | Traced:
    """``ufunc.accumulate``."""
    value = value_of(x)
    (position,) = normalized_axes(axis, len(value.dims))
    result = ufuncs.accumulate(ufunc.__name__, value, position, dtype)
    (target,) = tuple_of(out)
    return result if target is None else _store(ufunc, target, result, True)


def outer(ufunc: np.ufunc, a: Any, b: Any, **kwargs: Any) -> Any:
    """``ufunc.outer``: every element of ``a`` with every element of ``b``."""
    left, right = value_of(a), value_of(b)
    spread = left.with_dims([*left.dims, *[()] * len(right.dims)])
    return ufuncs.call(ufunc, [spread, right], **kwargs)


def at(ufunc: np.ufunc, target: Any, index: Any, new: Any = None) -> None:
    """``np.add.at``: unbuffered additions, as a sum over hits."""
    if ufunc is not np.add or not isinstance(target, Traced):
        raise LoweringError(
            f"np.{ufunc.__name__}.at can't be lowered", hint="np.add.at on an array can"
        )
    target.assign(add_at(target.value, value_of(index), value_of(new)))


def _reduceat(ufunc: np.ufunc, *inputs: Any, **kwargs: Any) -> NoReturn:
    del inputs, kwargs
    raise LoweringError(f"np.{ufunc.__name__}.reduceat can't be lowered", hint="reduce slices")


METHODS: dict[str, Callable[..., Any]] = {
    "__call__": call,
    "reduce": reduce,
    "accumulate": accumulate,
    "outer": outer,
    "at": at,
    "reduceat": _reduceat,
}
