"""Reshapes, transpositions, windows, diagonals, repetition."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from oxegg.errors import LoweringError
from oxegg.frontend.contraction import diagonal
from oxegg.frontend.indexing import index
from oxegg.frontend.joining import broadcast_to, concatenate
from oxegg.frontend.names import names
from oxegg.frontend.reductions import accumulator, total
from oxegg.frontend.shaping import at_least, reshape, transpose
from oxegg.frontend.traced import (
    implements,
    normalized_axes,
    normalized_axis,
    static_int,
    tuple_of,
    value_of,
)
from oxegg.frontend.value import Dimension, Value, broadcast, extent, flatten, view
from oxegg.ir import Affine, const, iota, pointwise
from oxegg.ir.types import I32


@implements(np.shape)
def _shape(a: Any) -> tuple[int, ...]:
    return value_of(a).shape


@implements(np.ndim)
def _ndim(a: Any) -> int:
    return len(value_of(a).dims)


@implements(np.size)
def _size(a: Any, axis: Any = None) -> int:
    shape = value_of(a).shape
    return int(np.prod([shape[i] for i in normalized_axes(axis, len(shape))], dtype=np.int64))


def _sizes(shape: Any) -> list[int]:
    return [static_int(n, "a shape") for n in tuple_of(shape)]


@implements(np.reshape, view=True)
def _reshape(a: Any, /, shape: Any, order: str = "C", *, copy: Any = None) -> Value:
    del copy
    value = value_of(a)
    if order == "F":
        backward = range(len(value.dims))[::-1]
        turned = reshape(transpose(value, backward), _sizes(shape)[::-1])
        return transpose(turned, range(len(turned.dims))[::-1])
    return reshape(value, _sizes(shape))


@implements(np.ravel, view=True)
def _ravel(a: Any, order: str = "C") -> Value:
    return _reshape(a, -1, order)


@implements(np.transpose, np.permute_dims, view=True)
def _transpose(a: Any, axes: Any = None) -> Value:
    value = value_of(a)
    rank = len(value.dims)
    order = range(rank)[::-1] if axes is None else normalized_axes(axes, rank)
    return transpose(value, order)


@implements(np.matrix_transpose, view=True)
def _matrix_transpose(x: Any, /) -> Value:
    return _swapaxes(x, -1, -2)


@implements(np.swapaxes, view=True)
def _swapaxes(a: Any, axis1: int, axis2: int) -> Value:
    value = value_of(a)
    order = list(range(len(value.dims)))
    first, second = (normalized_axis(i, len(order)) for i in (axis1, axis2))
    order[first], order[second] = order[second], order[first]
    return transpose(value, order)


@implements(np.moveaxis, view=True)
def _moveaxis(a: Any, source: Any, destination: Any) -> Value:
    value = value_of(a)
    rank = len(value.dims)
    sources, targets = normalized_axes(source, rank), normalized_axes(destination, rank)
    order = [i for i in range(rank) if i not in sources]
    for target, moved in sorted(zip(targets, sources, strict=True)):
        order.insert(target, moved)
    return transpose(value, order)


@implements(np.squeeze, view=True)
def _squeeze(a: Any, axis: Any = None) -> Value:
    value = value_of(a)
    ones = [i for i, n in enumerate(value.shape) if n == 1]
    gone = ones if axis is None else normalized_axes(axis, len(value.dims))
    if any(i not in ones for i in gone):
        raise LoweringError(f"squeeze of an axis that is not one in shape {value.shape}")
    return value.with_dims([d for i, d in enumerate(value.dims) if i not in gone])


@implements(np.expand_dims, view=True)
def _expand_dims(a: Any, axis: Any) -> Value:
    value = value_of(a)
    places = normalized_axes(axis, len(value.dims) + len(tuple_of(axis)))
    dims = list(value.dims)
    for place in sorted(places):
        dims.insert(place, ())
    return value.with_dims(dims)


def _atleast(rank: int) -> Any:
    def handler(*arrays: Any) -> Any:
        values = tuple(at_least(value_of(a), rank) for a in arrays)
        return values[0] if len(values) == 1 else values

    return handler


for _rank, _function in enumerate((np.atleast_1d, np.atleast_2d, np.atleast_3d), 1):
    implements(_function)(_atleast(_rank))


@implements(np.broadcast_to, view=True)
def _broadcast_to(array: Any, shape: Any, subok: bool = False) -> Value:
    del subok
    return broadcast_to(value_of(array), _sizes(shape))


@implements(np.broadcast_arrays)
def _broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Value, ...]:
    del subok
    terms, dims = broadcast([value_of(a) for a in args])
    return tuple(Value(term, dims) for term in terms)


@implements(np.flip, view=True)
def _flip(m: Any, axis: Any = None) -> Value:
    value = value_of(m)
    flipped = normalized_axes(axis, len(value.dims))
    turned = slice(None, None, -1)
    keys = [turned if i in flipped else slice(None) for i in range(len(value.dims))]
    return index(value, tuple(keys))


@implements(np.flipud, view=True)
def _flipud(m: Any) -> Value:
    return _flip(m, 0)


@implements(np.fliplr, view=True)
def _fliplr(m: Any) -> Value:
    return _flip(m, 1)


@implements(np.roll)
def _roll(a: Any, shift: Any, axis: Any = None) -> Value:
    value = value_of(a)
    if axis is None:
        flat = _roll_one(
            flatten_if_merged(value.with_dims([value.axes])), static_int(shift, "shift"), 0
        )
        return reshape(flat, value.shape)
    axes = normalized_axes(axis, len(value.dims))
    shifts = np.broadcast_to(np.asarray(shift), len(axes)).tolist()
    for one, by in zip(axes, shifts, strict=True):
        value = _roll_one(value, by, one)
    return value


def flatten_if_merged(value: Value) -> Value:
    """A row with a single axis."""
    return flatten(value, 0) if len(value.dims[0]) > 1 else value


def _roll_one(value: Value, shift: int, axis: int) -> Value:
    length = value.shape[axis]
    cut = -shift % length
    if cut == 0:
        return value
    every = [slice(None)] * axis
    tail, head = index(value, (*every, slice(cut, None))), index(value, (*every, slice(0, cut)))
    return concatenate([tail, head], axis)


@implements(np.rot90)
def _rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Value:
    value = value_of(m)
    first, second = normalized_axes(axes, len(value.dims))
    for _ in range(k % 4):
        turned = [slice(None)] * len(value.dims)
        turned[second] = slice(None, None, -1)
        order = list(range(len(value.dims)))
        order[first], order[second] = second, first
        value = transpose(index(value, tuple(turned)), order)
    return value


@implements(np.tile)
def _tile(A: Any, reps: Any) -> Value:
    value, counts = value_of(A), _sizes(reps)
    rank = max(len(value.dims), len(counts))
    dims = [*[()] * (rank - len(value.dims)), *value.dims]
    counts = [1] * (rank - len(counts)) + counts
    used = {*value.axes, *value.term.axes}
    out: list[Dimension] = []
    for dim, count in zip(dims, counts, strict=True):
        if count > 1:
            copies = names().derive("tile", count, used)
            used.add(copies)
            dim = (copies, *dim)
        out.append(dim)
    return value.with_dims(out)


@implements(np.repeat)
def _repeat(a: Any, repeats: Any, axis: Any = None) -> Value:
    value, count = value_of(a), static_int(repeats, "repeats")
    if axis is None:
        value, axis = value.with_dims([value.axes]), 0
    position = normalized_axis(axis, len(value.dims))
    if count == 1:
        return value
    copies = names().derive("copy", count, {*value.axes, *value.term.axes})
    dims = list(value.dims)
    dims[position] = (*dims[position], copies)
    return value.with_dims(dims)


@implements(np.diagonal, view=True)
def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    value = value_of(a)
    rank = len(value.dims)
    first, second = normalized_axis(axis1, rank), normalized_axis(axis2, rank)
    rows, columns = value.shape[first], value.shape[second]
    length = min(rows + min(offset, 0), columns - max(offset, 0))
    keys: list[slice] = [slice(None)] * rank
    keys[first] = slice(max(-offset, 0), max(-offset, 0) + length)
    keys[second] = slice(max(offset, 0), max(offset, 0) + length)
    found = diagonal(index(value, tuple(keys)), first, second)
    place = first if first < second else first - 1
    order = [i for i in range(rank - 1) if i != place] + [place]
    return transpose(found, order)


@implements(np.diag)
def _diag(v: Any, k: int = 0) -> Value:
    value = value_of(v)
    if len(value.dims) == 2:
        return _diagonal(value, k)
    raise LoweringError("np.diag of a row", hint="use np.where(np.eye(n, dtype=bool), v, 0)")


@implements(np.trace)
def _trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Value:
    del dtype, out
    row = _diagonal(a, offset, axis1, axis2)
    return total(row, [len(row.dims) - 1], False, accumulator(row.type))


def _triangle(m: Any, k: int, lower: bool) -> Value:
    value = value_of(m)
    row, column = (d for d in value.dims[-2:])
    if len(row) > 1 or len(column) > 1:
        value = flatten(flatten(value, len(value.dims) - 2), len(value.dims) - 1)
        row, column = value.dims[-2:]
    i, j = (iota(d[0], I32) if d else const(0, I32) for d in (row, column))
    moved = pointwise("add", i, const(k, I32)) if k else i
    inside = pointwise("le", j, moved) if lower else pointwise("le", moved, j)
    return value.with_term(pointwise("select", inside, value.term, const(0, value.type)))


@implements(np.tril)
def _tril(m: Any, k: int = 0) -> Value:
    return _triangle(m, k, lower=True)


@implements(np.triu)
def _triu(m: Any, k: int = 0) -> Value:
    return _triangle(m, k, lower=False)


@implements(np.split, np.array_split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    value = value_of(ary)
    position = normalized_axis(axis, len(value.dims))
    length = value.shape[position]
    if isinstance(indices_or_sections, int):
        count = indices_or_sections
        small, extra = divmod(length, count)
        cuts = np.cumsum([small + (i < extra) for i in range(count - 1)]).tolist()
    else:
        cuts = [int(i) for i in indices_or_sections]
    every = [slice(None)] * position
    ends = zip([0, *cuts], [*cuts, length], strict=True)
    return [index(value, (*every, slice(low, high))) for low, high in ends]


@implements(sliding_window_view)
def _sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Value:
    del subok, writeable
    value = value_of(x)
    windows = _sizes(window_shape)
    axes = normalized_axes(axis, len(value.dims))
    if len(axes) != len(windows):
        raise LoweringError("sliding_window_view: one window length for each axis")
    used = {*value.axes, *value.term.axes}
    for position, length in zip(axes, windows, strict=True):
        value = flatten(value, position) if len(value.dims[position]) > 1 else value
        value = _windowed(value, position, length, used)
    return value


def _windowed(value: Value, position: int, length: int, used: set[Any]) -> Value:
    """One dimension as (start, place in the window), the latter last."""
    dim = value.dims[position]
    starts = extent(dim) - length + 1
    if length < 1 or starts < 1:
        raise LoweringError(f"a window of {length} on a dimension of length {extent(dim)}")
    new: list[Dimension] = [()] * 2
    terms: dict[Any, int] = {}
    for i, size in enumerate((starts, length)):
        if size > 1:
            axis = names().derive(dim[0].name, size, used)
            used.add(axis)
            new[i], terms[axis] = (axis,), 1
    dims = [*value.dims[:position], new[0], *value.dims[position + 1 :], new[1]]
    return view(value, {dim[0]: Affine.of(0, terms)} if dim else {}, dims)
