"""Updates in place, as new values: ``x[key] = new``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from oxegg.errors import LoweringError
from oxegg.frontend import dtypes
from oxegg.frontend.indexing import Key, Run, expanded, index
from oxegg.frontend.joining import broadcast_to, concatenate
from oxegg.frontend.names import names
from oxegg.frontend.value import Value, elementwise, extent, flatten, split
from oxegg.ir import Axis, Term, const, gather, iota, pointwise
from oxegg.ir.types import I32


def masked(value: Value, mask: Value, new: Value) -> Value:
    """``value[mask] = new`` with a mask of the same shape and a scalar."""
    if mask.shape != value.shape or new.dims:
        raise LoweringError(
            "only a scalar can be stored under a mask of the array's own shape",
            hint="write x = np.where(mask, new, x)",
        )
    stored = new.with_term(dtypes.cast(new.term, value.type))
    return elementwise([mask, stored, value], partial(pointwise, "select"))


def store(value: Value, key: Any, new: Value) -> Value:
    """The value after ``value[key] = new``."""
    keys = [k for k in expanded(key, len(value.dims)) if k is not None]
    keys = [_position(k, n) for k, n in zip(keys, value.shape, strict=True)]
    lengths = [k.length for k in keys if isinstance(k, Run)]
    shaped = broadcast_to(_without_leading_ones(new, len(lengths)), lengths)
    shaped = shaped.with_term(dtypes.cast(shaped.term, value.type))
    dims = iter(shaped.dims)
    shaped = shaped.with_dims([next(dims) if isinstance(k, Run) else () for k in keys])
    return _store(value, keys, shaped)


def _without_leading_ones(new: Value, rank: int) -> Value:
    dims = list(new.dims)
    while len(dims) > rank and dims[0] == ():
        dims.pop(0)
    return new.with_dims(dims)


def _position(k: Key, length: int) -> Run | int | Value:
    if isinstance(k, slice):
        return Run.of(cast("slice", k), length)
    if isinstance(k, int):
        if not -length <= k < length:
            raise LoweringError(
                f"index {k} is out of bounds for a dimension of length {length}",
                hint=f"indices run from {-length} to {length - 1}",
            )
        return k % length
    if not isinstance(k, Value):
        raise LoweringError(
            "storing in a slice that moves with a loop",
            hint="store whole arrays, or single positions out[i] = ...",
        )
    if k.dims:
        raise LoweringError(
            "storing through an index array",
            hint="for a histogram use np.bincount or np.add.at; else write the inverse as a gather",
        )
    return k


def _store(value: Value, keys: Sequence[Run | int | Value], new: Value) -> Value:
    """``new`` has one dimension for each key (length one for a single position)."""
    for position, k in enumerate(keys):
        length = value.shape[position]
        run = Run(k, 1, 1) if isinstance(k, int) else k
        if isinstance(run, Value) or run == Run(0, 1, length):
            continue
        if run.step < 0:
            run, new = _forward(run), index(new, (*[slice(None)] * position, slice(None, None, -1)))
        if run == Run(0, 1, length):
            return _store(value, _replaced(keys, position, run), new)
        if run.step > 1 and run.length > 1:
            return _store_strided(value, keys, position, run, new)
        return _store_run(value, keys, position, run, new)
    return _store_all(value, keys, new)


def _forward(run: Run) -> Run:
    return Run(run.start + run.step * (run.length - 1), -run.step, run.length)


def _replaced(keys: Sequence[Any], position: int, *by: Any) -> list[Any]:
    return [*keys[:position], *by, *keys[position + 1 :]]


def _store_run(
    value: Value, keys: Sequence[Run | int | Value], position: int, run: Run, new: Value
) -> Value:
    """What lies before, the updated middle, what lies after."""
    every = [slice(None)] * position
    stop = run.start + run.length
    length = value.shape[position]
    middle = index(value, (*every, slice(run.start, stop)))
    whole = Run(0, 1, run.length)
    parts = [_store(middle, _replaced(keys, position, whole), new)]
    if run.start > 0:
        parts.insert(0, index(value, (*every, slice(0, run.start))))
    if stop < length:
        parts.append(index(value, (*every, slice(stop, length))))
    return concatenate(parts, position, value.type)


def _store_strided(
    value: Value, keys: Sequence[Run | int | Value], position: int, run: Run, new: Value
) -> Value:
    """Every ``step``-th position: one column of the dimension seen as rows of ``step``."""
    length = value.shape[position]
    rows = length // run.step
    if rows * run.step == length and run.start < run.step and run.length == rows:
        shape = _replaced(value.shape, position, rows, run.step)
        unfolded = split(value, shape)
        if unfolded is not None:
            column = _replaced(keys, position, Run(0, 1, rows), run.start)
            dims = [*new.dims[: position + 1], (), *new.dims[position + 1 :]]
            stored = _store(unfolded, column, new.with_dims(dims))
            merged = stored.dims[position] + stored.dims[position + 1]
            return stored.with_dims(_replaced_two(stored.dims, position, merged))
    return _store_scattered(value, keys, position, run, new)


def _replaced_two(dims: Sequence[Any], position: int, merged: Any) -> list[Any]:
    return [*dims[:position], merged, *dims[position + 2 :]]


def _store_scattered(
    value: Value, keys: Sequence[Run | int | Value], position: int, run: Run, new: Value
) -> Value:
    """The general stride: every position asks whether it is hit, and by which element."""
    value = flatten(value, position) if len(value.dims[position]) > 1 else value
    new = flatten(new, position) if len(new.dims[position]) > 1 else new
    length = value.shape[position]
    axis = names().derive(value.dims[position][0].name, length, {*value.axes, *new.axes})
    which, hit = _strided_position(axis, run)
    source = new.dims[position]
    spread = gather(new.term, source[0], which) if source[0] in new.term.axes else new.term
    moved = Value(spread, tuple(_replaced(new.dims, position, (axis,))))
    stored = _store(value, _replaced(keys, position, Run(0, 1, length)), moved)
    mask = Value(hit, tuple((axis,) if d == position else () for d in range(len(value.dims))))
    return elementwise([mask, stored, value], partial(pointwise, "select"))


def _strided_position(axis: Axis, run: Run) -> tuple[Term, Term]:
    """Which element of the run falls on each position, and whether one does."""
    offset = pointwise("sub", iota(axis, I32), const(run.start, I32))
    which = pointwise("floor_divide", offset, const(run.step, I32))
    exact = pointwise("eq", pointwise("mul", which, const(run.step, I32)), offset)
    low = pointwise("le", const(0, I32), which)
    high = pointwise("lt", which, const(run.length, I32))
    return which, pointwise("and", exact, pointwise("and", low, high))


def _store_all(value: Value, keys: Sequence[Run | int | Value], new: Value) -> Value:
    """All positions, or those that equal an index known only at run time."""
    mask: Term | None = None
    for position, k in enumerate(keys):
        if not isinstance(k, Value) or extent(value.dims[position]) == 1:
            continue
        if len(value.dims[position]) > 1:
            return _store_all(flatten(value, position), keys, new)
        own = iota(value.dims[position][0], k.type)
        hit = pointwise("eq", own, k.term)
        mask = hit if mask is None else pointwise("and", mask, hit)
    if mask is None:
        return broadcast_to(new, value.shape)
    return elementwise([Value(mask, value.dims), new, value], partial(pointwise, "select"))
