"""concatenate, stack and pad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend.dtypes import cast, element_type
from oxegg.frontend.indexing import index
from oxegg.frontend.joining import broadcast_to, concatenate, stack
from oxegg.frontend.shaping import at_least
from oxegg.frontend.traced import implements, listed, normalized_axis, value_of
from oxegg.frontend.value import Value


def _values(arrays: Any) -> list[Value]:
    return [value_of(a) for a in arrays]


def _typed(dtype: Any) -> Any:
    return None if dtype is None else element_type(dtype)


@implements(np.concatenate)
def _concatenate(
    arrays: Any, axis: Any = 0, out: Any = None, dtype: Any = None, casting: str = "same_kind"
) -> Value:
    del casting
    values = _values(arrays)
    if out is not None:
        raise LoweringError("np.concatenate: out= is not supported", hint="assign to out[...]")
    if axis is None:
        values, axis = [index_flat(v) for v in values], 0
    return concatenate(values, normalized_axis(axis, len(values[0].dims)), _typed(dtype))


def index_flat(value: Value) -> Value:
    """All elements in one dimension."""
    return value.with_dims([value.axes])


@implements(np.append)
def _append(arr: Any, values: Any, axis: Any = None) -> Value:
    return _concatenate((arr, values), axis)


@implements(np.stack)
def _stack(
    arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Value:
    del casting
    if out is not None:
        raise LoweringError("np.stack: out= is not supported", hint="assign to out[...]")
    values = _values(arrays)
    return stack(values, normalized_axis(axis, len(values[0].dims) + 1), _typed(dtype))


@implements(np.vstack)
def _vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Value:
    del casting
    return concatenate([at_least(v, 2) for v in _values(tup)], 0, _typed(dtype))


@implements(np.hstack)
def _hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Value:
    del casting
    values = [at_least(v, 1) for v in _values(tup)]
    return concatenate(values, 0 if len(values[0].dims) == 1 else 1, _typed(dtype))


@implements(np.dstack)
def _dstack(tup: Any) -> Value:
    return concatenate([at_least(v, 3) for v in _values(tup)], 2)


@implements(np.column_stack)
def _column_stack(tup: Any) -> Value:
    columns = [v.with_dims([*v.dims, ()]) if len(v.dims) == 1 else v for v in _values(tup)]
    return concatenate(columns, 1)


@implements(np.pad)
def _pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Value:
    value = value_of(array)
    if mode not in _MODES:
        raise LoweringError(f"np.pad mode {mode!r}", hint=f"supported are {', '.join(_MODES)}")
    widths = np.broadcast_to(np.asarray(pad_width), (len(value.dims), 2)).tolist()
    filling = kwargs.pop("constant_values", 0)
    if kwargs:
        raise LoweringError(f"np.pad: argument {next(iter(kwargs))} is not supported")
    fills = _fills(filling, len(value.dims))
    for axis, (before, after) in enumerate(widths):
        value = _pad_one(value, axis, (before, after), mode, fills[axis])
    return value


def _fills(filling: Any, rank: int) -> list[tuple[Any, Any]]:
    items = listed(filling)
    if items is None:
        return [(filling, filling)] * rank
    return [(a, b) for a, b in np.broadcast_to(np.asarray(items), (rank, 2)).tolist()]


def _pad_one(
    value: Value, axis: int, widths: tuple[int, int], mode: str, fills: tuple[Any, Any]
) -> Value:
    parts = [value]
    length = value.shape[axis]
    for side, (width, fill) in enumerate(zip(widths, fills, strict=True)):
        if width == 0:
            continue
        positions = _MODES[mode](length, width)[side]
        if positions is None:
            number = value_of(fill)
            shape = [*value.shape[:axis], width, *value.shape[axis + 1 :]]
            part = broadcast_to(number.with_term(cast(number.term, value.type)), shape)
        else:
            part = _taken(value, axis, positions)
        parts.insert(len(parts) if side else 0, part)
    return concatenate(parts, axis, value.type)


def _taken(value: Value, axis: int, positions: Sequence[int]) -> Value:
    """Elements at evenly spaced positions along one dimension."""
    if min(positions) < 0 or max(positions) >= value.shape[axis]:
        raise LoweringError("np.pad: the padding is wider than the array")
    step = positions[1] - positions[0] if len(positions) > 1 else 1
    every = [slice(None)] * axis
    if step == 0:
        edge = index(value, (*every, slice(positions[0], positions[0] + 1)))
        shape = [*value.shape[:axis], len(positions), *value.shape[axis + 1 :]]
        return broadcast_to(edge, shape)
    stop = positions[-1] + (1 if step > 0 else -1)
    return index(value, (*every, slice(positions[0], stop if stop >= 0 else None, step)))


_Sides = tuple[Sequence[int] | None, Sequence[int] | None]
# positions that fill ``w`` places before and after a dimension of length ``n``
_MODES: dict[str, Callable[[int, int], _Sides]] = {
    "constant": lambda n, w: (None, None),
    "edge": lambda n, w: ([0] * w, [n - 1] * w),
    "reflect": lambda n, w: (range(w, 0, -1), range(n - 2, n - 2 - w, -1)),
    "symmetric": lambda n, w: (range(w - 1, -1, -1), range(n - 1, n - 1 - w, -1)),
    "wrap": lambda n, w: (range(n - w, n), range(w)),
}
