"""A-priori error bounds for a kernel on given inputs, for every evaluation order at once.

``analyse`` runs a term over enclosures: exact values two formats up, magnitudes, and a bound on
the error of any evaluation that is permitted over the reals: reassociated and lane-split sums,
contracted multiply-adds, factors pulled out of sums, divisions by a hoisted reciprocal, elementary
functions good to a few ulp. The rules are in :mod:`oxegg.verify.pointwise` and
:mod:`oxegg.verify.reductions`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.errors import IRError
from oxegg.ir import Affine, Axis, Term, topological
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import F64, bits_to_value
from oxegg.verify.enclosure import Accuracy, Enclosure, discrete, everywhere, join, leaf
from oxegg.verify.pointwise import propagate
from oxegg.verify.reductions import contract, reduce, scan

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Per element of a term (dimensions: its axes in sorted-name order).

    ``value``: float64 or longdouble for float formats, exact integers or bools otherwise.
    ``error``: absolute bound (0 for integers). ``defined``: false where the exact evaluation
    overflows, is NaN, or hangs on a comparison that rounding errors decide.
    """

    value: Array
    magnitude: Array
    error: Array
    defined: Array


def analyse(
    roots: Sequence[Term], inputs: Mapping[str, Array], *, ulps: float = 4.0, eps: float = 0.0
) -> list[Bounds]:
    """Values and error bounds of ``roots`` on ``inputs`` (arrays in parameter layout).

    ``ulps``: accuracy demanded of elementary functions, sqrt and rsqrt. ``eps``: relative error
    that each of those and each division may have on top (mode ``approx``).
    """
    plan = _plan(roots)
    double = any(t.type is F64 for t in plan.terms)
    accuracy = Accuracy(ulps, eps, np.longdouble if double else np.float64)
    analysis = _Analysis(inputs, accuracy, plan)
    with np.errstate(all="ignore"):
        analysis.compute(plan.terms, frozenset())
        return [_bounds(root, analysis.lookup(root)) for root in roots]


def _bounds(root: Term, enclosure: Enclosure) -> Bounds:
    parts = (enclosure.value, enclosure.magnitude, enclosure.error, enclosure.defined)
    shape = [a.size for a in root.axes]
    return Bounds(*(np.broadcast_to(part, shape) for part in parts))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is known about the terms before any of them is computed (keys are ids of terms).

    ``open_states``: names of the fold states that a term depends on. ``contractions``: for the
    outermost of a chain of sums over a product, the product and the summed axes. ``skipped``:
    terms inside such chains, which are never materialised.
    """

    terms: Sequence[Term]
    open_states: Mapping[int, frozenset[str]]
    contractions: Mapping[int, tuple[Term, tuple[Axis, ...]]]
    skipped: frozenset[int]


def _plan(roots: Sequence[Term]) -> _Plan:
    terms = list(topological(roots))
    uses = Counter(id(child) for term in terms for child in term.children)
    uses.update(id(root) for root in roots)
    contractions: dict[int, tuple[Term, tuple[Axis, ...]]] = {}
    skipped: set[int] = set()
    for term in reversed(terms):
        chain = _sum_chain(term, uses)
        inner = chain[-1].children[0] if chain else term
        product = inner.operator == "mul" and inner.type.is_float and uses[id(inner)] == 1
        if id(term) not in skipped and chain and product:
            contractions[id(term)] = inner, tuple(t.attributes[1] for t in chain)
            skipped.update(map(id, (*chain[1:], inner)))
    return _Plan(terms, _open_states(terms), contractions, frozenset(skipped))


def _sum_chain(term: Term, uses: Mapping[int, int]) -> list[Term]:
    """``term`` and the sums directly under it that nothing else uses."""
    chain: list[Term] = []
    while term.operator == "reduce" and term.attributes[0] == "add":
        if chain and uses[id(term)] != 1:
            break
        chain.append(term)
        term = term.children[0]
    return chain


def _open_states(terms: Sequence[Term]) -> dict[int, frozenset[str]]:
    found: dict[int, frozenset[str]] = {}
    for term in terms:
        free = frozenset[str]().union(*(found[id(c)] for c in term.children))
        if term.operator == "state":
            free = frozenset({term.attributes[0]})
        elif term.operator == "fold":
            free -= frozenset(term.attributes[1])
        found[id(term)] = free
    return found


class _Analysis:
    """Enclosures by term, each dimension of the axis's size or 1.

    A fold runs its body in an inner analysis per step: there the fold's axis is fixed, everything
    has size 1 along it, and what does not depend on the states is a slice of the outer result.
    """

    def __init__(
        self,
        inputs: Mapping[str, Array],
        accuracy: Accuracy,
        plan: _Plan,
        outer: _Analysis | None = None,
        step: Mapping[Axis, int] | None = None,
    ) -> None:
        self.inputs, self.accuracy, self.plan, self.outer = inputs, accuracy, plan, outer
        self.step: dict[Axis, int] = dict(step or {})
        self.fixed: dict[Axis, int] = {**(outer.fixed if outer else {}), **self.step}
        self.found: dict[int, Enclosure] = {}

    def lookup(self, term: Term) -> Enclosure:
        """The enclosure of a term computed here or outside; dimensions follow its axes."""
        if id(term) not in self.found:
            if self.outer is None:
                raise IRError(f"{term!r} is used outside of its fold")
            found = self.outer.lookup(term)
            for axis, index in self.step.items():
                if axis in term.axes:
                    found = _slice(found, term.axes.index(axis), index)
            self.found[id(term)] = found
        return self.found[id(term)]

    def compute(self, terms: Sequence[Term], states: frozenset[str]) -> None:
        """Those of ``terms`` (children first) that depend on no fold state but ``states``."""
        for term in terms:
            ready = self.plan.open_states[id(term)] <= states
            if ready and id(term) not in self.plan.skipped and id(term) not in self.found:
                self.found[id(term)] = self._value(term, states)

    def _value(self, term: Term, states: frozenset[str]) -> Enclosure:
        if term.operator in OPERATIONS:
            operands = [self.lookup(c).aligned(c.axes, term.axes) for c in term.children]
            return propagate(term, operands, self.accuracy)
        if term.operator == "fold":
            return self._fold(term, states)
        return _STRUCTURE[term.operator](self, term)

    def input(self, term: Term) -> Enclosure:
        name, layout = term.attributes
        value = np.asarray(self.inputs[name])
        expected = tuple(a.size for a in layout)
        if value.shape != expected:
            raise IRError(f"input {name} has shape {value.shape}, the kernel expects {expected}")
        return self._exact(term, np.transpose(value, [layout.index(a) for a in term.axes]))

    def const(self, term: Term) -> Enclosure:
        return self._exact(term, np.array(bits_to_value(term.attributes[0], term.type)))

    def iota(self, term: Term) -> Enclosure:
        return self._exact(term, np.arange(term.axes[0].size))

    def _exact(self, term: Term, value: Array) -> Enclosure:
        own = np.asarray(value).astype(term.type.numpy)
        if not term.type.is_float:
            return discrete(own, everywhere(own.ndim))
        return leaf(term.type, own.astype(self.accuracy.wide), self.accuracy.unit(term))

    def reduce(self, term: Term) -> Enclosure:
        contraction = self.plan.contractions.get(id(term))
        if contraction is None:
            return reduce(term, self.lookup(term.children[0]))
        product, summed = contraction
        left, right = (self.lookup(c) for c in product.children)
        return contract(term, summed, product, left, right)

    def scan(self, term: Term) -> Enclosure:
        return scan(term, self.lookup(term.children[0]))

    def at(self, term: Term) -> Enclosure:
        (child,) = term.children
        index = dict(term.attributes)
        grids = [self._grid(index.get(a, Affine.axis(a)), term.axes) for a in child.axes]
        return self.lookup(child).map(lambda x: _take(x, grids))

    def gather(self, term: Term) -> Enclosure:
        child, position = term.children
        (axis,) = term.attributes
        where = self.lookup(position).aligned(position.axes, term.axes)
        clipped = np.clip(where.value.astype(np.int64), 0, axis.size - 1)
        grids = [
            clipped if a == axis else self._grid(Affine.axis(a), term.axes) for a in child.axes
        ]
        taken = self.lookup(child).map(lambda x: _take(x, grids))
        return replace(taken, defined=taken.defined & where.defined)

    def _grid(self, affine: Affine, axes: Sequence[Axis]) -> Array:
        """Values of an affine index, with one dimension per axis."""
        total = np.full((1,) * len(axes), affine.offset, np.int64)
        for axis, coefficient in affine.terms:
            if axis in self.fixed:
                total = total + coefficient * self.fixed[axis]
            else:
                shape = [axis.size if a == axis else 1 for a in axes]
                total = total + coefficient * np.arange(axis.size).reshape(shape)
        return total

    def concat(self, term: Term) -> Enclosure:
        axis, owns = term.attributes
        rest = [a for a in term.axes if a != axis]
        sizes = [1 if a in self.fixed else a.size for a in rest]
        parts: list[Enclosure] = []
        for own, child in zip(owns, term.children, strict=True):
            along = own or Axis(axis.name, 1)
            names = [along if a == own else a for a in child.axes]
            piece = self.lookup(child).aligned(names, [along, *rest])
            shape = (along.size, *sizes)
            parts.append(piece.map(lambda x, shape=shape: np.broadcast_to(x, shape)))
        return join(parts, 0).map(lambda x: np.moveaxis(x, 0, term.axes.index(axis)))

    def _fold(self, term: Term, outer_states: frozenset[str]) -> Enclosure:
        axis, names, which = term.attributes
        n = len(names)
        held, starts, bodies = (term.children[i * n : (i + 1) * n] for i in range(3))
        states = outer_states | frozenset(names)
        inside = [t for t in topological(bodies) if self.plan.open_states[id(t)] & frozenset(names)]
        carried = [
            self.lookup(start).aligned(start.axes, state.axes)
            for start, state in zip(starts, held, strict=True)
        ]
        for index in range(axis.size):
            inner = _Analysis(self.inputs, self.accuracy, self.plan, self, {axis: index})
            inner.found.update(zip(map(id, held), carried, strict=True))
            inner.compute(inside, states)
            carried = [
                inner.lookup(body).closed().aligned(body.axes, state.axes)
                for body, state in zip(bodies, held, strict=True)
            ]
        chosen = int(which)
        position = held[chosen].axes.index(axis)
        return carried[chosen].map(lambda x: np.squeeze(x, position))


_STRUCTURE: dict[str, Callable[[_Analysis, Term], Enclosure]] = {
    "input": _Analysis.input,
    "const": _Analysis.const,
    "iota": _Analysis.iota,
    "reduce": _Analysis.reduce,
    "scan": _Analysis.scan,
    "at": _Analysis.at,
    "gather": _Analysis.gather,
    "concat": _Analysis.concat,
}


def _slice(enclosure: Enclosure, position: int, index: int) -> Enclosure:
    """One index of a dimension, which keeps size 1."""

    def one(x: Array) -> Array:
        return np.take(x, [index if x.shape[position] > 1 else 0], axis=position)

    return enclosure.map(one)


def _take(x: Array, grids: Sequence[Array]) -> Array:
    """Elements at index grids; along a dimension of size 1 all indices are the same element."""
    zero = np.zeros((1,) * grids[0].ndim, np.int64)
    return x[tuple(g if n > 1 else zero for g, n in zip(grids, x.shape, strict=True))]
