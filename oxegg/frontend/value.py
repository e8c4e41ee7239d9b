"""Values during tracing: a term, and which axes each NumPy dimension is made of.

A dimension is a tuple of axes, outermost first: one axis as a rule, none for a dimension of
length one, several where dimensions were merged by a reshape (their row-major product). The term
may lack some of these axes (broadcasting) and may have others (the counter of an open loop).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Any

from oxegg.errors import LoweringError
from oxegg.frontend.names import names
from oxegg.frontend.substitute import substitute, weight
from oxegg.ir import Affine, Axis, ElementType, Term, concat, const, gather, iota, pointwise
from oxegg.ir.types import I32

_HEAVY = 100  # nodes of a term that is better not renamed
_MAX_PARTS = 16  # rows laid end to end before a computed index is used instead

Dimension = tuple[Axis, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A traced array. ``weak``: promotes like a Python number (the index of a loop)."""

    term: Term
    dims: tuple[Dimension, ...] = ()
    weak: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(extent(d) for d in self.dims)

    @property
    def type(self) -> ElementType:
        return self.term.type

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All axes of the layout, outermost first."""
        return tuple(a for d in self.dims for a in d)

    def with_term(self, term: Term) -> Value:
        return replace(self, term=term, weak=False)

    def with_dims(self, dims: Sequence[Dimension]) -> Value:
        return replace(self, dims=tuple(dims))


def extent(dim: Dimension) -> int:
    """Length of a dimension."""
    return prod(a.size for a in dim)


def view(value: Value, index: Mapping[Axis, Affine], dims: Sequence[Dimension]) -> Value:
    """``value`` with axes walked by affine expressions, seen as ``dims``."""
    term = substitute(value.term, {axis.name: affine for axis, affine in index.items()})
    return replace(value, term=term, dims=tuple(dims))


def align(
    values: Sequence[Value], labels: Sequence[Sequence[Hashable]], order: Sequence[Hashable]
) -> tuple[list[Term], dict[Any, Dimension]]:
    """Give dimensions with the same label the same axes (length-one dimensions stretch).

    ``labels[i]`` names the dimensions of ``values[i]``. Returns the rewritten terms and the axes
    of each label. Where the layouts of merged dimensions differ, their common refinement is
    taken. Labels get their axes in ``order``.
    """
    try:
        return _align(values, labels, order)
    except _Crossing:
        return _align([flatten_all(v) for v in values], labels, order)


def _align(
    values: Sequence[Value], labels: Sequence[Sequence[Hashable]], order: Sequence[Hashable]
) -> tuple[list[Term], dict[Any, Dimension]]:
    plans: list[dict[Axis, Affine]] = [{} for _ in values]
    dims: dict[Any, Dimension] = {}
    used: set[Axis] = set()
    weights = [weight(v.term, _HEAVY) for v in values]
    heavy = sorted(range(len(values)), key=lambda i: -weights[i])
    for label in order:
        found = [
            (i, dim)
            for i in heavy
            for own, dim in zip(labels[i], values[i].dims, strict=True)
            if own == label and dim
        ]
        if max(weights) < _HEAVY:  # renaming is cheap: keep the names that the user gave
            found.sort(key=lambda pair: not all(map(names().is_declared, pair[1])))
        dims[label] = _common(found, plans, used)
        used |= set(dims[label])
    terms = [
        substitute(v.term, {a.name: index for a, index in plan.items()})
        for v, plan in zip(values, plans, strict=True)
    ]
    return terms, dims


def _common(
    found: Sequence[tuple[int, Dimension]], plans: list[dict[Axis, Affine]], used: set[Axis]
) -> Dimension:
    """Axes for one label: fills in how each value's axes are walked by them."""
    lengths = {extent(dim) for _, dim in found}
    if not lengths:
        return ()
    if len(lengths) > 1:
        raise LoweringError(f"dimensions of lengths {' and '.join(map(str, sorted(lengths)))} meet")
    steps = refinement([dim for _, dim in found])
    if steps is None:
        raise _Crossing
    pieces = _pieces([dim for _, dim in found], steps, used)
    for i, dim in found:
        plans[i].update(_walked(dim, pieces))
    return pieces


class _Crossing(Exception):
    """Two merged dimensions whose axes cross, such as 2x3 against 3x2."""


def refinement(dims: Sequence[Sequence[Axis]]) -> list[int] | None:
    """Strides (innermost first, 1 excluded, total included) that cut all dims; None if crossing."""
    strides = {1}
    for dim in dims:
        step = 1
        for axis in reversed(dim):
            step *= axis.size
            strides.add(step)
    ordered = sorted(strides)
    crossing = any(b % a for a, b in pairwise(ordered))
    return None if crossing else ordered[1:]


def _pieces(dims: Sequence[Dimension], steps: Sequence[int], used: set[Axis]) -> Dimension:
    """One axis per stride step: an existing axis where there is one, else a derived one."""
    out: list[Axis] = []
    low = 1
    for high in steps:
        exact = [
            a
            for dim in dims
            for a, inner in _strides(dim)
            if (inner, inner * a.size) == (low, high)
        ]
        around = [a for dim in dims for a, inner in _strides(dim) if inner <= low < inner * a.size]
        taken = used | set(out)
        free = [a for a in exact if a not in taken]
        out.append(free[0] if free else names().derive(around[0].name, high // low, taken))
        low = high
    return tuple(reversed(out))


def _strides(dim: Sequence[Axis]) -> list[tuple[Axis, int]]:
    """Each axis with the product of the sizes inside it."""
    out: list[tuple[Axis, int]] = []
    step = 1
    for axis in reversed(dim):
        out.append((axis, step))
        step *= axis.size
    return out


def _walked(dim: Dimension, pieces: Dimension) -> dict[Axis, Affine]:
    """How each axis of ``dim`` is walked by the pieces that refine it."""
    plan: dict[Axis, Affine] = {}
    for axis, inner in _strides(dim):
        inside = {
            piece: step // inner
            for piece, step in _strides(pieces)
            if inner <= step < inner * axis.size
        }
        plan[axis] = Affine.of(0, inside)
    return plan


def split(value: Value, target: Sequence[int]) -> Value | None:
    """``value`` seen as dimensions of lengths ``target`` (a reshape); None if axes would cross.

    Lengths of one have no axes; others the axes between their strides, split where needed.
    """
    old = value.axes
    fake = [Axis(str(i), n) for i, n in enumerate(target) if n > 1]
    steps = refinement([old, fake])
    if steps is None:
        return None
    pieces = _pieces([old], steps, set())
    dims: list[Dimension] = []
    rest = list(pieces)
    for length in reversed(target):
        dim: list[Axis] = []
        while prod(a.size for a in dim) < length:
            dim.insert(0, rest.pop())
        dims.insert(0, tuple(dim))
    return view(value, _walked(old, pieces), dims)


def broadcast(values: Sequence[Value]) -> tuple[list[Term], tuple[Dimension, ...]]:
    """NumPy broadcasting: terms over common axes, and the dimensions of the result."""
    rank = max(len(v.dims) for v in values)
    labels = [range(rank - len(v.dims), rank) for v in values]
    try:
        terms, dims = align(values, labels, range(rank))
    except LoweringError as error:
        shapes = " and ".join(str(v.shape) for v in values)
        raise LoweringError(
            f"shapes {shapes} do not broadcast",
            hint="insert axes of length one (x[:, None]) where shapes differ in rank",
        ) from error
    return terms, tuple(dims[i] for i in range(rank))


def flatten_all(value: Value) -> Value:
    """``value`` with every merged dimension copied into one axis of its own."""
    for position, dim in enumerate(value.dims):
        if len(dim) > 1:
            value = flatten(value, position)
    return value


def flatten(value: Value, position: int) -> Value:
    """Copy a merged dimension into a single axis."""
    dim = value.dims[position]
    merged = names().derive(dim[-1].name, extent(dim), value.axes)
    if len(dim) == 2 and dim[0].size <= _MAX_PARTS:
        rows = [substitute(value.term, {dim[0].name: Affine(i)}) for i in range(dim[0].size)]
        term = concat(merged, [(dim[1], row) for row in rows])
    else:
        term = value.term
        for axis, inner in _strides(dim):
            if axis in term.axes:
                term = gather(term, axis, _digit(merged, inner, axis.size))
    dims = (*value.dims[:position], (merged,), *value.dims[position + 1 :])
    return replace(value, term=term, dims=dims)


def _digit(axis: Axis, inner: int, size: int) -> Term:
    """The index along one axis of a merged dimension: position // inner % size."""
    position = iota(axis, I32)
    row = pointwise("floor_divide", position, const(inner, I32)) if inner > 1 else position
    return row if inner * size == axis.size else pointwise("modulo", row, const(size, I32))


def elementwise(values: Sequence[Value], build: Callable[..., Term]) -> Value:
    """Apply ``build`` to the broadcast terms."""
    terms, dims = broadcast(values)
    return Value(build(*terms), dims)
