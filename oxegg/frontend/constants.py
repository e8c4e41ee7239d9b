"""NumPy arrays known while tracing, as terms: closed forms, else small tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.errors import LoweringError
from oxegg.frontend.dtypes import cast, element_type
from oxegg.frontend.names import names
from oxegg.frontend.value import Dimension, Value
from oxegg.ir import Axis, ElementType, Term, concat, const, iota, pointwise
from oxegg.ir.types import F64, I64

Array = npt.NDArray[Any]
_MAX_TABLE = 256


def constant(array: Array) -> Value:
    """The array as a value.

    Raises :class:`LoweringError` for a large array without a pattern that oxegg knows.
    """
    type_ = element_type(array.dtype)
    if array.size == 0:
        raise LoweringError(f"an array of shape {array.shape} is empty")
    dims = _dimensions(array.shape)
    squeezed = array.reshape([a.size for d in dims for a in d])
    return Value(_term(squeezed, tuple(a for d in dims for a in d), type_), dims)


def _dimensions(shape: tuple[int, ...]) -> tuple[Dimension, ...]:
    out: list[Dimension] = []
    used: list[Axis] = []
    for size in shape:
        if size == 1:
            out.append(())
            continue
        axis = names().derive("c", size, used)
        used.append(axis)
        out.append((axis,))
    return tuple(out)


def _term(array: Array, axes: tuple[Axis, ...], type_: ElementType) -> Term:
    for form in (_uniform, _smaller, _progression, _two_valued):
        term = form(array, axes, type_)
        if term is not None:
            return term
    if array.size > _MAX_TABLE:
        raise LoweringError(
            f"a constant array of {array.size} elements without a regular pattern",
            hint="make it a parameter of the kernel",
        )
    rows = [_term(row, axes[1:], type_) for row in array]
    return concat(axes[0], [(None, row) for row in rows])


def _same(a: Array, b: Array) -> bool:
    """Bit for bit, so that -0.0 and NaN count."""
    return np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def _uniform(array: Array, axes: tuple[Axis, ...], type_: ElementType) -> Term | None:
    first = array.reshape(-1)[:1]
    del axes
    return (
        const(first[0].item(), type_) if _same(array, np.broadcast_to(first, array.size)) else None
    )


def _smaller(array: Array, axes: tuple[Axis, ...], type_: ElementType) -> Term | None:
    """Constant along one of several axes: a table without that axis."""
    for i in range(len(axes)):
        row = np.take(array, [0], axis=i)
        if len(axes) > 1 and _same(np.broadcast_to(row, array.shape), array):
            return _term(row.squeeze(i), axes[:i] + axes[i + 1 :], type_)
    return None


def _progression(array: Array, axes: tuple[Axis, ...], type_: ElementType) -> Term | None:
    """start + step * i, computed in the type itself or in float64 (numpy.linspace)."""
    if len(axes) != 1 or array.dtype == np.bool_:
        return None
    for compute in (type_, F64) if type_.is_float else (type_,):
        wide = array.astype(compute.numpy)
        with np.errstate(all="ignore"):
            for start, step in _slopes(wide, compute):
                line = np.arange(axes[0].size).astype(compute.numpy) * step + start
                if _same(line.astype(type_.numpy), array):
                    return cast(_line(axes[0], start.item(), step.item(), compute), type_)
    return None


def _slopes(wide: Array, type_: ElementType) -> Iterator[tuple[Any, Any]]:
    yield wide[0], np.asarray(wide[1] - wide[0], wide.dtype)[()]
    if type_.is_float:
        yield wide[0], np.asarray((wide[-1] - wide[0]) / (wide.size - 1), wide.dtype)[()]


def _line(axis: Axis, start: float | int, step: float | int, type_: ElementType) -> Term:
    index = iota(axis, type_ if type_.is_integer else I64)
    index = cast(index, type_)
    scaled = index if step == 1 else pointwise("mul", index, const(step, type_))
    return scaled if start == 0 else pointwise("add", scaled, const(start, type_))


def _two_valued(array: Array, axes: tuple[Axis, ...], type_: ElementType) -> Term | None:
    """A matrix of two values split by a diagonal: identity, triangles."""
    if len(axes) != 2:
        return None
    rows, columns = (axis.size for axis in axes)
    other: Array = array != array[0, 0]
    values = array[0, 0], array[other][0] if other.any() else array[0, 0]
    for name, mask in _MASKS.items():
        for shift in _shifts(other):
            for flip in (False, True):
                if np.array_equal(mask(rows, columns, shift), other ^ flip):
                    yes, no = (const(v.item(), type_) for v in values[:: 1 if flip else -1])
                    return pointwise("select", _diagonal(name, axes, shift), yes, no)
    return None


_MASKS: dict[str, Callable[[int, int, int], Array]] = {
    "eq": lambda rows, cols, shift: np.eye(rows, cols, shift, dtype=np.bool_),
    "le": lambda rows, cols, shift: np.tri(rows, cols, shift).astype(np.bool_),
}


def _shifts(mask: Array) -> set[int]:
    """Diagonals where the mask may change: by the first change in row 0 and column 0."""
    row = np.flatnonzero(mask[0] != mask[0, 0])
    column = np.flatnonzero(mask[:, 0] != mask[0, 0])
    found = {0}
    found |= {int(row[0]) - 1, int(row[0])} if row.size else set()
    return found | ({-int(column[0])} if column.size else set())


def _diagonal(name: str, axes: tuple[Axis, ...], shift: int) -> Term:
    """Column index against row index + shift."""
    row, column = (iota(a, I64) for a in axes)
    moved = pointwise("add", row, const(shift, I64)) if shift else row
    return pointwise(name, column, moved)
