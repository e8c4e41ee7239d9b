"""Laying values end to end."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from oxegg.errors import LoweringError
from oxegg.frontend.dtypes import cast, result_type
from oxegg.frontend.names import names
from oxegg.frontend.substitute import rename
from oxegg.frontend.value import Dimension, Value, align, broadcast, extent, flatten
from oxegg.ir import Axis, ElementType, Term, concat

Part = tuple[Axis | None, Term]


def concatenate(values: Sequence[Value], position: int, type_: ElementType | None = None) -> Value:
    """numpy.concatenate along dimension ``position``."""
    if not values:
        raise LoweringError("need at least one array to concatenate")
    if len({len(v.dims) for v in values}) != 1:
        raise LoweringError("arrays to concatenate differ in their number of dimensions")
    if len(values) == 1:
        return values[0]
    type_ = type_ or result_type(*values)
    flat = [flatten(v, position) if len(v.dims[position]) > 1 else v for v in values]
    rank = len(flat[0].dims)
    others = [d for d in range(rank) if d != position]
    labels = [[f"part {i}" if d == position else d for d in range(rank)] for i in range(len(flat))]
    own = [f"part {i}" for i in range(len(flat))]
    _check_shapes(flat, others)
    terms, dims = align(flat, labels, [*others, *own])
    kept = {a for d in others for a in dims[d]}
    parts = [
        part
        for term, name in zip(terms, own, strict=True)
        for part in _flattened(dims[name], cast(term, type_), kept)
    ]
    return _joined(parts, [dims.get(d, ()) for d in range(rank)], position)


def _check_shapes(values: Sequence[Value], others: Sequence[int]) -> None:
    for d in others:
        lengths = {v.shape[d] for v in values}
        if len(lengths) > 1:
            shapes = ", ".join(str(v.shape) for v in values)
            raise LoweringError(f"arrays to concatenate have shapes {shapes}")


def _flattened(dim: Dimension, term: Term, kept: Collection[Axis]) -> list[Part]:
    """A part, or the parts of a concatenation along the same axis (none named like ``kept``)."""
    own = dim[0] if dim else None
    if term.operator == "concat" and term.attributes[0] == own:
        inner = zip(term.attributes[1], term.children, strict=True)
        return [_renamed(axis, part, kept) for axis, part in inner]
    return [(own, term)]


def _renamed(own: Axis | None, part: Term, kept: Collection[Axis]) -> Part:
    if own is None or own not in kept:
        return own, part
    fresh = names().derive(own.name, own.size, {*kept, *part.axes})
    return fresh, rename(part, {own: fresh})


def _joined(parts: Sequence[Part], dims: list[Dimension], position: int) -> Value:
    length = sum(own.size if own else 1 for own, _ in parts)
    like = next((own.name for own, _ in parts if own), "part")
    hidden = {a for _, term in parts for a in term.axes}
    taken = {a for d in dims for a in d} | (hidden - {own for own, _ in parts if own})
    axis = names().derive(like, length, taken)
    dims[position] = (axis,)
    return Value(concat(axis, parts), tuple(dims))


def stack(values: Sequence[Value], position: int, type_: ElementType | None = None) -> Value:
    """numpy.stack: values of one shape along a new dimension."""
    if len({v.shape for v in values}) != 1:
        shapes = ", ".join(str(v.shape) for v in values)
        raise LoweringError(f"arrays to stack have shapes {shapes}")
    type_ = type_ or result_type(*values)
    terms, shared = broadcast(values)
    dims = [*shared[:position], (), *shared[position:]]
    if len(values) == 1:
        return Value(cast(terms[0], type_), tuple(dims))
    return _joined([(None, cast(t, type_)) for t in terms], dims, position)


def broadcast_to(value: Value, shape: Sequence[int]) -> Value:
    """numpy.broadcast_to: dimensions of length one get axes that the term lacks."""
    if len(shape) < len(value.dims):
        raise LoweringError(f"shape {value.shape} does not broadcast to {tuple(shape)}")
    padded = [()] * (len(shape) - len(value.dims)) + list(value.dims)
    used = set(value.axes) | set(value.term.axes)
    dims: list[Dimension] = []
    for dim, length in zip(padded, shape, strict=True):
        if extent(dim) not in (1, length):
            raise LoweringError(f"shape {value.shape} does not broadcast to {tuple(shape)}")
        if extent(dim) == 1 and length > 1:
            dim = (names().derive("b", length, used),)
            used.add(dim[0])
        dims.append(dim)
    return value.with_dims(dims)
