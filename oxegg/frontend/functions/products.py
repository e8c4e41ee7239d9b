"""dot, einsum and other products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend import contraction
from oxegg.frontend.dtypes import element_type, result_type
from oxegg.frontend.functions.joins import index_flat
from oxegg.frontend.functions.shapes import flatten_if_merged
from oxegg.frontend.indexing import index
from oxegg.frontend.joining import broadcast_to, concatenate, stack
from oxegg.frontend.names import names
from oxegg.frontend.traced import implements, normalized_axes, value_of
from oxegg.frontend.ufuncs import call
from oxegg.frontend.value import Value, view
from oxegg.ir import Affine, const


@implements(np.dot)
def _dot(a: Any, b: Any, out: Any = None) -> Value:
    del out
    return contraction.dot(value_of(a), value_of(b))


@implements(np.vdot)
def _vdot(a: Any, b: Any, /) -> Value:
    return contraction.dot(index_flat(value_of(a)), index_flat(value_of(b)))


@implements(np.inner)
def _inner(a: Any, b: Any, /) -> Value:
    left, right = value_of(a), value_of(b)
    if not left.dims or not right.dims:
        return contraction.dot(left, right)
    return contraction.tensordot(left, right, [len(left.dims) - 1], [len(right.dims) - 1])


@implements(np.outer)
def _outer(a: Any, b: Any, out: Any = None) -> Value:
    del out
    left, right = index_flat(value_of(a)), index_flat(value_of(b))
    return contraction.contract([left, right], ["i", "j"], "ij", result_type(left, right))


@implements(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Value:
    left, right = value_of(a), value_of(b)
    if isinstance(axes, int):
        rank = len(left.dims)
        first: Sequence[int] = range(rank - axes, rank)
        second: Sequence[int] = range(axes)
    else:
        first = normalized_axes(axes[0], len(left.dims))
        second = normalized_axes(axes[1], len(right.dims))
    return contraction.tensordot(left, right, first, second)


@implements(np.einsum)
def _einsum(*operands: Any, dtype: Any = None, optimize: Any = False, **rest: Any) -> Value:
    del optimize
    if rest:
        raise LoweringError(f"np.einsum: argument {next(iter(rest))} is not supported")
    subscripts, *arrays = operands
    if not isinstance(subscripts, str):
        raise LoweringError("np.einsum with lists of numbers", hint='write letters: "ij,jk->ik"')
    values = [value_of(a) for a in arrays]
    type_ = element_type(dtype) if dtype is not None else result_type(*values)
    return contraction.einsum(subscripts, values, type_)


@implements(np.kron)
def _kron(a: Any, b: Any) -> Value:
    left, right = value_of(a), value_of(b)
    rank = max(len(left.dims), len(right.dims))
    left = left.with_dims([*[()] * (rank - len(left.dims)), *left.dims])
    right = right.with_dims([*[()] * (rank - len(right.dims)), *right.dims])
    rows, columns = [f"l{i}" for i in range(rank)], [f"r{i}" for i in range(rank)]
    labels = [label for pair in zip(rows, columns, strict=True) for label in pair]
    product = contraction.contract([left, right], [rows, columns], labels, result_type(left, right))
    return product.with_dims([product.dims[2 * i] + product.dims[2 * i + 1] for i in range(rank)])


@implements(np.cross)
def _cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None
) -> Value:
    if axis not in (None, -1) or (axisa, axisb, axisc) != (-1, -1, -1):
        raise LoweringError("np.cross along another axis than the last", hint="use np.moveaxis")
    left, right = value_of(a), value_of(b)
    if left.shape[-1] != 3 or right.shape[-1] != 3:
        raise LoweringError("np.cross of vectors that are not three-dimensional")
    x, y = ([index(v, (..., i)) for i in range(3)] for v in (left, right))
    parts = [_minor(x[i - 2], y[i - 1], x[i - 1], y[i - 2]) for i in range(3)]
    return stack(parts, len(parts[0].dims))


def _minor(a: Value, b: Value, c: Value, d: Value) -> Value:
    """a * b - c * d."""
    first, second = call(np.multiply, [a, b]), call(np.multiply, [c, d])
    assert isinstance(first, Value)
    assert isinstance(second, Value)
    found = call(np.subtract, [first, second])
    assert isinstance(found, Value)
    return found


@implements(np.correlate)
def _correlate(a: Any, v: Any, mode: str = "valid") -> Value:
    return _slide(value_of(a), value_of(v), mode)


@implements(np.convolve)
def _convolve(a: Any, v: Any, mode: str = "full") -> Value:
    left, right = value_of(a), value_of(v)
    if left.shape[0] < right.shape[0]:
        left, right = right, left
    return _slide(left, index(right, slice(None, None, -1)), mode)


def _slide(signal: Value, taps: Value, mode: str) -> Value:
    """sum_t signal[i + t] * taps[t], the signal padded with zeros as the mode asks."""
    length, width = signal.shape[0], taps.shape[0]
    if width > length:
        raise LoweringError("the second array is longer than the first", hint="swap them")
    before, after = {"valid": (0, 0), "same": (width // 2, (width - 1) // 2)}.get(
        mode, (width - 1, width - 1)
    )
    zero = Value(const(0, signal.type))
    sides = [broadcast_to(zero, [n]) if n else None for n in (before, after)]
    parts = [part for part in (sides[0], signal, sides[1]) if part is not None]
    padded = flatten_if_merged(concatenate(parts, 0, signal.type))
    type_ = result_type(signal, taps)
    return contraction.contract([_windows(padded, width), taps], ["it", "t"], "i", type_)


def _windows(row: Value, width: int) -> Value:
    (dim,) = row.dims
    used = set(row.axes)
    count = row.shape[0] - width + 1
    start = names().derive(dim[0].name, count, used) if count > 1 else None
    used |= {start} if start else set()
    place = names().derive("taps", width, used) if width > 1 else None
    steps = {axis: 1 for axis in (start, place) if axis}
    dims = [(axis,) if axis else () for axis in (start, place)]
    return view(row, {dim[0]: Affine.of(0, steps)} if dim else {}, dims)
