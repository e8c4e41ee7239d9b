"""Histograms: sums over the data of "does it fall here"."""

from __future__ import annotations

from typing import Any

import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend.dtypes import cast
from oxegg.frontend.names import names
from oxegg.frontend.reductions import reduce_term
from oxegg.frontend.substitute import rename
from oxegg.frontend.traced import implements, static_int, value_of
from oxegg.frontend.value import Value, broadcast
from oxegg.ir import Axis, Term, const, iota, pointwise
from oxegg.ir.types import BOOL, F64, I64


@implements(np.bincount)
def _bincount(x: Any, weights: Any = None, minlength: Any = 0) -> Value:
    value, length = value_of(x), static_int(minlength, "minlength")
    if value.type is BOOL or not value.type.is_integer or len(value.dims) != 1:
        raise LoweringError(f"np.bincount counts a row of integers, not {value.type.numpy}")
    if value.type.kind != "uint" or value.type.maximum >= length:
        raise LoweringError(
            f"np.bincount of {value.type.numpy}, minlength={length}: the length depends on data",
            hint="count uint8 data with minlength=256 (uint16: 65536)",
        )
    bins = names().derive("bins", length, value.term.axes)
    if weights is None:
        return Value(_hits(value, bins, Value(const(1, I64)), I64), ((bins,),))
    return Value(_hits(value, bins, value_of(weights), F64), ((bins,),))


def add_at(target: Value, index: Value, new: Value) -> Value:
    """``np.add.at(target, index, new)`` for a row ``target``."""
    if len(target.dims) != 1 or not index.type.is_integer:
        raise LoweringError("np.add.at works on a row with integer positions")
    bins = names().derive("bins", target.shape[0], {*index.term.axes, *new.term.axes, *index.axes})
    added = _hits(index, bins, new, target.type)
    (dim,) = target.dims
    if len(dim) != 1:
        raise LoweringError("np.add.at on a merged dimension")
    return target.with_term(pointwise("add", target.term, rename(added, {bins: dim[0]})))


def _hits(index: Value, bins: Axis, new: Value, type_: Any) -> Term:
    (position, added), dims = broadcast([index, new])
    own = iota(bins, I64)
    hit = pointwise("eq", cast(position, I64), own)
    added = cast(added, type_)
    counted = pointwise("select", hit, added, const(0, type_))
    return reduce_term("add", dims, counted)
