"""take and take_along_axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend.dtypes import cast
from oxegg.frontend.indexing import index, wrapped
from oxegg.frontend.traced import Traced, implements, normalized_axis, value_of
from oxegg.frontend.value import Value, align, flatten
from oxegg.ir import const, gather, pointwise
from oxegg.ir.types import I64


@implements(np.take)
def _take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Value:
    del out
    value = value_of(a)
    if axis is None:
        value, axis = value.with_dims([value.axes]), 0
    position = normalized_axis(axis, len(value.dims))
    picked = (
        indices
        if mode == "raise"
        else _Indices(_moded(value_of(indices), value.shape[position], mode))
    )
    return index(value, (*[slice(None)] * position, picked))


class _Indices(Traced):
    """An index computed by a handler."""

    def __init__(self, value: Value) -> None:
        self._value = value

    @property
    def value(self) -> Value:
        return self._value

    @property
    def known(self) -> None:
        return None


def _moded(position: Value, size: int, mode: str) -> Value:
    """Positions clipped to the array, or taken modulo its length."""
    wide = cast(position.term, I64)
    if mode == "wrap":
        return position.with_term(pointwise("modulo", wide, const(size, I64)))
    if mode == "clip":
        low = pointwise("max", wide, const(0, I64))
        return position.with_term(pointwise("min", low, const(size - 1, I64)))
    raise LoweringError(f"np.take mode {mode!r}", hint="use raise, wrap or clip")


@implements(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Value:
    value, positions = value_of(arr), value_of(indices)
    if axis is None:
        value, axis = value.with_dims([value.axes]), 0
    place = normalized_axis(axis, len(value.dims))
    value = flatten(value, place) if len(value.dims[place]) > 1 else value
    own = [f"own {i}" if i == place else i for i in range(len(value.dims))]
    other = [f"new {i}" if i == place else i for i in range(len(value.dims))]
    order = list(dict.fromkeys([*own, *other]))
    terms, dims = align([value, positions], [own, other], order)
    source = dims[f"own {place}"]
    result_dims = tuple(dims[label] for label in other)
    if not source or source[0] not in terms[0].axes:
        return Value(terms[0], result_dims)
    index_term = wrapped(terms[1], source[0].size)
    return Value(gather(terms[0], source[0], index_term), result_dims)
