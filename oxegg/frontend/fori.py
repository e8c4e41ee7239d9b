"""Counted loops: a Python loop under NumPy, a fold while tracing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oxegg.errors import LoweringError
from oxegg.frontend.array import Array
from oxegg.frontend.joining import broadcast_to
from oxegg.frontend.names import names, tracing
from oxegg.frontend.substitute import rename, substitute
from oxegg.frontend.traced import operand, tuple_of, value_of
from oxegg.frontend.value import Dimension, Value, align
from oxegg.ir import Affine, Axis, Term, const, fold, iota, pointwise, state, topological
from oxegg.ir.types import I64

_MAX_PEELED = 4
_MAX_UNROLLED = 32  # steps: each one is then a stage of the program on its own


def fori(n: int, body: Callable[..., Any], init: Any) -> Any:
    """``for i in range(n): state = body(i, *state)``; returns the last state.

    ``init`` is one array or a tuple of arrays, and ``body`` returns the same. Under NumPy this is
    that Python loop. While a kernel is traced it stays a loop, unless a step reads other elements
    of the state than the one it computes: up to 32 such steps are unrolled.
    """
    single = not isinstance(init, tuple | list)
    carried = tuple_of(init)
    start = 0
    if tracing():
        start, carried = _folded(int(n), body, carried)
    for i in range(start, n):
        carried = _step(body, i, carried)
    return carried[0] if single else carried


def _step(body: Callable[..., Any], index: Any, carried: Sequence[Any]) -> tuple[Any, ...]:
    results = tuple_of(body(index, *carried))
    if len(results) != len(carried):
        raise LoweringError(
            f"the loop body returns {len(results)} values for {len(carried)} of state"
        )
    return results


def _folded(
    n: int, body: Callable[..., Any], carried: tuple[Any, ...]
) -> tuple[int, tuple[Any, ...]]:
    """Steps done and the state after them: all of ``n`` unless there is nothing to keep a loop for.

    Steps run on their own while they change a type or a shape, or read other elements.
    """
    for peeled in range(n if n <= _MAX_UNROLLED else _MAX_PEELED):
        if n - peeled < 2:
            return peeled, carried
        after = _fold(n - peeled, peeled, body, carried)
        if after is not None:
            return n, after
        carried = _step(body, peeled, carried)
    if n > _MAX_UNROLLED:
        raise LoweringError(
            "the state of the loop changes its type or shape in every step",
            hint="give the initial arrays the type and shape of the results",
        )
    return n, carried


def _fold(
    count: int, first: int, body: Callable[..., Any], carried: Sequence[Any]
) -> tuple[Any, ...] | None:
    """The fold over ``count`` steps from ``first``; None where a step has to run on its own."""
    starts = list(map(_state_of, carried))
    axis = names().private("step", count)
    traced = _trace_body(axis, first, body, starts)
    if list(map(_kind, traced.results)) != list(map(_kind, starts)):
        return None
    hidden = _hidden(axis, starts, traced.results)
    adopted = [_renamed(v, r.dims) for v, r in zip(starts, traced.results, strict=True)]
    if hidden or adopted != starts:  # the body's own axis names save renaming inside the loop
        starts, traced = adopted, _trace_body(axis, first, body, adopted, hidden)
    if first + count <= _MAX_UNROLLED and _reads_others(traced):
        return None
    if len({frozenset(v.axes) for v in starts}) == 1:
        return tuple(_folds(axis, starts, traced, range(len(starts))).values())
    # Over different axes: each result gets a loop with the states that it needs and no others.
    found: dict[int, Array] = {}
    needs = _needs(traced)
    for needed in dict.fromkeys(needs):
        own = names().private("step", count)
        made = _folds(own, starts, _trace_body(own, first, body, starts, hidden), needed)
        found |= {i: array for i, array in made.items() if needs[i] == needed}
    return tuple(found[i] for i in range(len(starts)))


def _reads_others(traced: _Body) -> bool:
    """Whether a step reads elements of the state besides the one that it computes."""
    holding = {id(state): frozenset(state.axes) for state in traced.states}
    for term in topological([result.term for result in traced.results]):
        axes = frozenset[Axis]().union(*(holding.get(id(child), ()) for child in term.children))
        if axes and not axes.isdisjoint(_walked(term)):
            return True
        if axes:
            holding[id(term)] = axes
    return False


def _walked(term: Term) -> frozenset[Axis]:
    """Axes of the operands of which the elements of ``term`` see more than one, or another."""
    if term.operator == "at":
        return frozenset(axis for axis, _ in term.attributes)
    if term.operator in ("gather", "reduce", "scan"):
        return frozenset(a for a in term.attributes if isinstance(a, Axis))
    if term.operator in ("concat", "fold"):
        return frozenset(a for child in term.children for a in child.axes)
    return frozenset()


def _needs(traced: _Body) -> list[tuple[int, ...]]:
    """For each state those that it depends on, itself included."""
    numbers = {id(state): i for i, state in enumerate(traced.states)}
    needs = [
        {i} | {numbers[id(t)] for t in topological([r.term]) if id(t) in numbers}
        for i, r in enumerate(traced.results)
    ]
    for _ in needs:
        needs = [found.union(*(needs[i] for i in found)) for found in needs]
    return [tuple(sorted(found)) for found in needs]


def _folds(
    axis: Axis, starts: Sequence[Value], traced: _Body, chosen: Sequence[int]
) -> dict[int, Array]:
    """The chosen states after a loop that runs these only."""
    states = [traced.states[i] for i in chosen]
    terms = [starts[i].term for i in chosen]
    bodies = [_in_layout(traced.results[i], starts[i], axis) for i in chosen]
    return {
        i: Array(replace(starts[i], term=fold(axis, states, terms, bodies, n)))
        for n, i in enumerate(chosen)
    }


def _state_of(carried: Any) -> Value:
    """A value; Python numbers go on promoting as such."""
    found = operand(carried)
    if isinstance(found, Value):
        return found
    return replace(value_of(found), weak=not isinstance(found, bool))


def _kind(value: Value) -> tuple[Any, ...]:
    return value.type, value.shape, value.weak


@dataclass(frozen=True)
class _Body:
    """One run of the body."""

    states: list[Term]
    results: list[Value]


def _trace_body(
    axis: Axis,
    first: int,
    body: Callable[..., Any],
    starts: Sequence[Value],
    hidden: Sequence[Axis] = (),
) -> _Body:
    index = iota(axis, I64)
    if first:
        index = pointwise("add", index, const(first, I64))
    states = [
        state(f"{axis.name}_{i}", axis, v.type, (*v.axes, *hidden)) for i, v in enumerate(starts)
    ]
    held = [Array(replace(v, term=s)) for s, v in zip(states, starts, strict=True)]
    results = [_state_of(r) for r in _step(body, Array(Value(index, weak=True)), held)]
    return _Body(states, results)


def _hidden(axis: Axis, starts: Sequence[Value], results: Sequence[Value]) -> list[Axis]:
    """Counters of outer loops that the state comes to depend on."""
    found = {a for v in (*starts, *results) for a in v.term.axes if a not in v.axes}
    return sorted(found - {axis}, key=lambda a: a.name)


def _renamed(value: Value, dims: tuple[Dimension, ...]) -> Value:
    """``value`` over the axes ``dims``, where these are one for one its own."""
    old, new = value.axes, [a for d in dims for a in d]
    if [a.size for a in old] != [a.size for a in new]:
        return value
    term = rename(value.term, dict(zip(old, new, strict=True)))
    return replace(value, term=term, dims=dims)


def _in_layout(result: Value, like: Value, axis: Axis) -> Term:
    """The body's result over the very axes of the state."""
    anchor = replace(like, term=const(0, like.type))
    labels = list(range(len(like.dims)))
    stretched = _without_single(broadcast_to(result, like.shape), like.dims)
    terms, dims = align([anchor, stretched], [labels, labels], labels)
    found = _renamed(Value(terms[1], tuple(dims[i] for i in labels)), like.dims)
    if found.dims != like.dims:
        raise LoweringError(
            f"the loop {axis.name} changes the layout of its state",
            hint="reshape before or after the loop",
        )
    return found.term


def _without_single(value: Value, dims: tuple[Dimension, ...]) -> Value:
    """``value`` without axes in the dimensions of length one that have none in ``dims``."""
    pairs = list(zip(dims, value.dims, strict=True))
    single = {axis.name: Affine(0) for own, dim in pairs if not own for axis in dim}
    return Value(substitute(value.term, single), tuple(dim if own else () for own, dim in pairs))
