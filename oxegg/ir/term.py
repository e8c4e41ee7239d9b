"""Terms of the named-axis tensor algebra: pure, typed, hash-consed, without binders.

A term denotes one element per point of its *set of axes*; the order of axes is a matter of
layout and never of meaning. Equal terms are the same object, so ``is`` is equality and a term
with sharing is a directed acyclic graph.

    matmul   C{i,j} = reduce(add, k, mul(A{i,k}, B{k,j}))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from weakref import WeakValueDictionary

from oxegg.errors import IRError
from oxegg.ir.affine import Affine, Axis
from oxegg.ir.operations import OPERATIONS, REDUCTIONS
from oxegg.ir.types import BOOL, ElementType, bits_to_value, value_to_bits


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Term:
    """One node. ``attributes`` hold what is not a child: names, axes, constants."""

    operator: str
    children: tuple[Term, ...]
    attributes: tuple[Any, ...]
    type: ElementType
    axes: tuple[Axis, ...]  # sorted by name

    def __repr__(self) -> str:
        return f"<{self.operator} {self.type} {{{', '.join(map(str, self.axes))}}}>"

    @property
    def size(self) -> int:
        """Number of elements."""
        total = 1
        for axis in self.axes:
            total *= axis.size
        return total

    def has_axis(self, axis: Axis) -> bool:
        return axis in self.axes

    @property
    def constant(self) -> float | int | bool | None:
        """The value of a constant, None for anything else."""
        return bits_to_value(self.attributes[0], self.type) if self.operator == "const" else None


_INTERNED: WeakValueDictionary[tuple[Any, ...], Term] = WeakValueDictionary()


def _intern(
    operator: str,
    children: Sequence[Term],
    attributes: tuple[Any, ...],
    type_: ElementType,
    axes: Sequence[Axis],
) -> Term:
    ordered = tuple(sorted(set(axes), key=lambda a: a.name))
    _check_sizes(operator, ordered)
    key = (operator, tuple(map(id, children)), attributes, type_, ordered)
    found = _INTERNED.get(key)
    if found is None:
        found = Term(operator, tuple(children), attributes, type_, ordered)
        _INTERNED[key] = found
    return found


def _check_sizes(operator: str, axes: Sequence[Axis]) -> None:
    for left, right in pairwise(axes):
        if left.name == right.name:
            raise IRError(f"{operator}: axis {left.name} has sizes {left.size} and {right.size}")
    for axis in axes:
        if axis.size < 1:
            raise IRError(f"{operator}: axis {axis.name} is empty (size {axis.size})")


def input_(name: str, type_: ElementType, layout: Sequence[Axis]) -> Term:
    """A kernel parameter; ``layout`` lists its axes, outermost first (dense row-major)."""
    return _intern("input", (), (name, tuple(layout)), type_, layout)


def const(value: float | int | bool, type_: ElementType) -> Term:
    """A constant, kept as its bit pattern so that -0.0 and NaN survive."""
    return _intern("const", (), (value_to_bits(value, type_),), type_, ())


def iota(axis: Axis, type_: ElementType) -> Term:
    """The index along ``axis``: 0, 1, ... size - 1."""
    return _intern("iota", (), (axis,), type_, (axis,))


def pointwise(name: str, *children: Term, to: ElementType | None = None) -> Term:
    """An element-by-element operation, broadcast by axis name. ``to``: target of a conversion."""
    row = OPERATIONS.get(name)
    if row is None:
        raise IRError(f"unknown operation {name}", hint="see oxegg/ir/operations.py for the table")
    if len(children) != row.arity:
        raise IRError(f"{name} takes {row.arity} operands, got {len(children)}")
    type_ = _result_type(name, children, to)
    axes = {axis for child in children for axis in child.axes}
    return _intern(name, children, (type_,) if row.types == "convert" else (), type_, tuple(axes))


def _result_type(name: str, children: Sequence[Term], to: ElementType | None) -> ElementType:
    row = OPERATIONS[name]
    values = children[1:] if row.types == "select" else children
    if row.types == "convert":
        if to is None:
            raise IRError(f"{name} needs a target type")
        if name == "bitcast" and to.bits != values[0].type.bits:
            raise IRError(f"bitcast from {values[0].type} to {to} changes the width")
        return to
    if row.types == "select" and children[0].type is not BOOL:
        raise IRError(f"select: the condition is {children[0].type}, not bool")
    if len({v.type for v in values}) != 1:
        raise IRError(f"{name}: operands of types {', '.join(str(v.type) for v in values)}")
    type_ = values[0].type
    if not row.accepts(type_):
        raise IRError(f"{name} is not defined on {type_}")
    return BOOL if row.types == "bool" else type_


def reduce(operator: str, axis: Axis, child: Term) -> Term:
    """Fold ``operator`` over ``axis`` in ascending order, starting from its first element."""
    _check_reduction("reduce", operator, axis, child)
    axes = [a for a in child.axes if a != axis]
    return _intern("reduce", (child,), (operator, axis), child.type, axes)


def scan(operator: str, axis: Axis, child: Term) -> Term:
    """Inclusive running fold of ``operator`` along ``axis``."""
    _check_reduction("scan", operator, axis, child)
    return _intern("scan", (child,), (operator, axis), child.type, child.axes)


def _check_reduction(what: str, operator: str, axis: Axis, child: Term) -> None:
    if operator not in REDUCTIONS:
        raise IRError(f"{what}: {operator} is not a reduction ({', '.join(REDUCTIONS)})")
    if axis not in child.axes:
        raise IRError(f"{what}: axis {axis} is not an axis of the operand {child!r}")


def at(child: Term, index: Mapping[Axis, Affine]) -> Term:
    """A view: each named axis of ``child`` is walked by an affine expression of other axes.

    Slices, strides, windows, transposes, reversal and diagonals are all this one node. Indices
    must stay inside the axis over the whole extent of the new axes.
    """
    changed = {a: i for a, i in index.items() if i != Affine.axis(a)}
    for axis, affine in changed.items():
        if axis not in child.axes:
            raise IRError(f"at: axis {axis} is not an axis of {child!r}")
        low, high = affine.range
        if low < 0 or high >= axis.size:
            raise IRError(f"at: index {affine} of axis {axis} runs from {low} to {high}")
    if not changed:
        return child
    kept = {a for a in child.axes if a not in changed}
    fresh = {a for affine in changed.values() for a in affine.axes}
    attributes = tuple(sorted(changed.items(), key=lambda item: item[0].name))
    return _intern("at", (child,), attributes, child.type, tuple(kept | fresh))


def gather(child: Term, axis: Axis, index: Term) -> Term:
    """``child`` at a computed position of ``axis``; ``index`` must be inside (it is clipped)."""
    if axis not in child.axes or not index.type.is_integer:
        raise IRError(f"gather: {axis} of {child!r} by an index of type {index.type}")
    axes = {a for a in child.axes if a != axis} | set(index.axes)
    return _intern("gather", (child, index), (axis,), child.type, tuple(axes))


def concat(axis: Axis, parts: Sequence[tuple[Axis | None, Term]]) -> Term:
    """Parts laid end to end along the new ``axis``.

    Each part names the axis of its own that runs along ``axis``; None: it fills one position.
    """
    length = sum(own.size if own else 1 for own, _ in parts)
    if length != axis.size:
        raise IRError(f"concat: parts make {length} elements, axis {axis} has {axis.size}")
    if len({term.type for _, term in parts}) != 1:
        raise IRError("concat: parts of different types")
    if any(axis in term.axes and own != axis for own, term in parts):
        raise IRError(f"concat: axis {axis} is an axis of a part as well")
    axes = {a for own, term in parts for a in term.axes if a != own} | {axis}
    attributes = (axis, tuple(own for own, _ in parts))
    terms = [term for _, term in parts]
    return _intern("concat", terms, attributes, terms[0].type, tuple(axes))


def state(name: str, axis: Axis, type_: ElementType, axes: Sequence[Axis]) -> Term:
    """The value that a fold carries into the current step of ``axis`` (inside its body only)."""
    return _intern("state", (), (name, axis), type_, (*axes, axis))


def fold(
    axis: Axis, states: Sequence[Term], starts: Sequence[Term], bodies: Sequence[Term], which: int
) -> Term:
    """State number ``which`` after running ``bodies`` once per step of ``axis``.

    ``states[i]`` stands in the bodies for the carried value that begins as ``starts[i]`` and
    becomes ``bodies[i]``. All states advance together.
    """
    for held, start, body in zip(states, starts, bodies, strict=True):
        own = set(held.axes) - {axis}
        if held.type is not start.type or held.type is not body.type:
            raise IRError(f"fold: state {held.attributes[0]} changes its type")
        if not (set(start.axes) <= own and set(body.axes) - {axis} <= own):
            raise IRError(f"fold: state {held.attributes[0]} changes its axes")
    names = tuple(held.attributes[0] for held in states)
    axes = [a for a in states[which].axes if a != axis]
    children = (*states, *starts, *bodies)
    return _intern("fold", children, (axis, names, which), states[which].type, axes)


def topological(roots: Sequence[Term]) -> Iterator[Term]:
    """Every term under ``roots``, children before parents, each once."""
    seen: set[int] = set()
    stack: list[tuple[Term, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        term, ready = stack.pop()
        if ready:
            yield term
        elif id(term) not in seen:
            seen.add(id(term))
            stack.append((term, True))
            stack.extend((child, False) for child in reversed(term.children))


@dataclass(frozen=True)
class Output:
    """One result: its value and its axes in memory order, outermost first (dense row-major).

    ``shape`` is NumPy's where it is not that of the layout (dimensions merged by a reshape).
    """

    name: str
    value: Term
    layout: tuple[Axis, ...]
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Kernel:
    """A lowered kernel: parameters in order, results in order, each with its memory layout.

    ``constants`` are the names of inputs that stay the same from call to call: they may be laid out
    ahead of time.
    """

    name: str
    inputs: tuple[Term, ...]
    outputs: tuple[Output, ...]
    constants: frozenset[str] = frozenset()
