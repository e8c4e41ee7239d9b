"""The reference evaluator: what a term means, computed the slow and certain way.

``evaluate`` follows the order that the term states: reductions and scans run in ascending order,
each operation rounds once in its own format (integers wrap). ``exact`` runs the same term over
rationals, where every rewrite that holds over the reals must give the same value.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.errors import IRError
from oxegg.ir.affine import Affine, Axis
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.term import Kernel, Term, topological
from oxegg.ir.types import BOOL, ElementType, bits_to_value

Array = npt.NDArray[Any]
_MOST_BITS = 1 << 14  # of a numerator or denominator
Constant = Callable[[Term], Array]


def evaluate(roots: Sequence[Term], inputs: Mapping[str, Array]) -> list[Array]:
    """Values of ``roots`` in IEEE / wrap-around arithmetic; axes of each in sorted-name order.

    ``inputs`` maps parameter names to arrays in the parameter's memory layout.
    """
    return _Evaluation(inputs, _ieee_constant, _ieee_pointwise, _ieee_index).run(roots)


def exact(roots: Sequence[Term], inputs: Mapping[str, Array]) -> list[Array]:
    """Values of ``roots`` over the rationals, as object arrays of ``Fraction`` (or bool).

    Only floats are free of rounding and range: integers wrap around as they always do.

    Raises :class:`IRError` for operations without a rational meaning (exp, bit operations ...),
    and for numbers that grow out of hand (a square in a loop doubles their length each time).
    """
    values = _Evaluation(inputs, _exact_constant, _exact_pointwise, _exact_index).run(roots)
    return [np.asarray(value) for value in values]  # NumPy makes numbers of arrays without axes


def interpret(
    roots: Sequence[Term],
    inputs: Mapping[str, Array],
    constant: Constant,
    apply: Callable[[Term, Sequence[Array]], Array],
    index: Callable[[Array, ElementType], Array],
) -> list[Array]:
    """Values of ``roots`` where constants, operations and positions mean something else."""
    return _Evaluation(inputs, constant, apply, index).run(roots)


def run_kernel(kernel: Kernel, inputs: Mapping[str, Array]) -> list[Array]:
    """The kernel's results in their memory layouts."""
    values = evaluate([out.value for out in kernel.outputs], inputs)
    laid = [
        to_layout(value, out.value.axes, out.layout)
        for value, out in zip(values, kernel.outputs, strict=True)
    ]
    return [
        array if out.shape is None else array.reshape(out.shape)
        for array, out in zip(laid, kernel.outputs, strict=True)
    ]


def to_layout(value: Array, axes: Sequence[Axis], layout: Sequence[Axis]) -> Array:
    """Reorder (and broadcast over) axes: ``value`` has ``axes``, the result has ``layout``."""
    shape = [a.size for a in layout]
    return np.broadcast_to(_align(value, axes, layout), shape).copy(order="C")


def _align(value: Array, axes: Sequence[Axis], to: Sequence[Axis]) -> Array:
    order = [axes.index(a) for a in to if a in axes]
    moved = np.transpose(value, order)
    shape = [a.size if a in axes else 1 for a in to]
    return moved.reshape(shape)


def _ieee_constant(term: Term) -> Array:
    return np.array(bits_to_value(term.attributes[0], term.type)).astype(term.type.numpy)


def _ieee_index(values: Array, type_: ElementType) -> Array:
    return values.astype(type_.numpy)


def _ieee_pointwise(term: Term, operands: Sequence[Array]) -> Array:
    row = OPERATIONS[term.operator]
    if row.types == "convert":
        return row.evaluate(operands[0], term.type.numpy)
    return row.evaluate(*operands)


def _exact_constant(term: Term) -> Array:
    value = bits_to_value(term.attributes[0], term.type)
    if not np.isfinite(value):
        raise IRError(f"the constant {value} has no exact rational value")
    return np.array(value if isinstance(value, bool) else Fraction(value), dtype=object)


def _exact_index(values: Array, type_: ElementType) -> Array:
    numbers = [Fraction(int(v)) for v in values]
    wrapped = [_wrapped(type_, v) for v in numbers] if type_.is_integer else numbers
    return np.array(wrapped, dtype=object)


def _divide(a: Fraction, b: Fraction) -> Fraction:
    return a / b


def _reciprocal(a: Fraction) -> Fraction:
    return 1 / a


def _exact_fma(a: Fraction, b: Fraction, c: Fraction) -> Fraction:
    return a * b + c


def _exact_fms(a: Fraction, b: Fraction, c: Fraction) -> Fraction:
    return a * b - c


def _exact_fnma(a: Fraction, b: Fraction, c: Fraction) -> Fraction:
    return c - a * b


def _both(a: bool, b: bool) -> bool:
    return a and b


def _either(a: bool, b: bool) -> bool:
    return a or b


def _choose(condition: bool, yes: Fraction, no: Fraction) -> Fraction:
    return yes if condition else no


_EXACT: dict[str, Callable[..., Any]] = {
    "neg": operator.neg,
    "abs": abs,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": _divide,
    "reciprocal": _reciprocal,
    "fma": _exact_fma,
    "fms": _exact_fms,
    "fnma": _exact_fnma,
    "min": min,
    "max": max,
    "minnum": min,
    "maxnum": max,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "select": _choose,
    "and": _both,
    "or": _either,
    "xor": operator.ne,
    "not": operator.not_,
}


def _exact_pointwise(term: Term, operands: Sequence[Array]) -> Array:
    if term.operator == "convert" and term.type.is_float:
        return operands[0]
    function = _EXACT.get(term.operator)
    bitwise = term.operator in ("and", "or", "xor", "not") and term.type is not BOOL
    if function is None or bitwise:
        raise IRError(f"{term.operator} has no exact rational value")
    values = np.asarray(np.frompyfunc(function, len(operands), 1)(*operands), dtype=object)
    if term.type.is_integer:
        values = np.asarray(np.frompyfunc(partial(_wrapped, term.type), 1, 1)(values), object)
    if any(_bits(value) > _MOST_BITS for value in values.flat):
        raise IRError(f"exact values grow beyond {_MOST_BITS} bits")
    return values


def _wrapped(type_: ElementType, value: Fraction) -> Fraction:
    return Fraction((int(value) - type_.minimum) % (1 << type_.bits) + type_.minimum)


def _bits(value: Fraction | bool) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


class _Evaluation:
    """One run: a memo table from term to array (axes in the term's own sorted order)."""

    def __init__(
        self,
        inputs: Mapping[str, Array],
        constant: Constant,
        apply: Callable[[Term, Sequence[Array]], Array],
        index: Callable[[Array, ElementType], Array],
    ) -> None:
        self.inputs, self.constant, self.apply, self.index = inputs, constant, apply, index
        self.values: dict[int, Array] = {}

    def run(self, roots: Sequence[Term]) -> list[Array]:
        self.compute(roots)
        return [self.values[id(root)] for root in roots]

    def compute(self, roots: Sequence[Term]) -> None:
        """Everything that needs no open fold state; fold bodies run inside their fold."""
        open_states: dict[int, frozenset[str]] = {}
        for term in topological(roots):
            free = frozenset[str]().union(*(open_states[id(c)] for c in term.children))
            if term.operator == "state" and id(term) not in self.values:
                free = frozenset({term.attributes[0]})
            elif term.operator == "fold":
                free -= frozenset(term.attributes[1])
            open_states[id(term)] = free
            if not free and id(term) not in self.values:
                self.values[id(term)] = self._value(term)

    def _value(self, term: Term) -> Array:
        if term.operator in OPERATIONS:
            aligned = [_align(self.values[id(c)], c.axes, term.axes) for c in term.children]
            return self.apply(term, aligned)
        return getattr(self, f"_{term.operator}")(term)

    def _input(self, term: Term) -> Array:
        name, layout = term.attributes
        value = np.asarray(self.inputs[name])
        expected = tuple(a.size for a in layout)
        if value.shape != expected:
            raise IRError(f"input {name} has shape {value.shape}, the kernel expects {expected}")
        return _align(value, layout, term.axes)

    def _const(self, term: Term) -> Array:
        return self.constant(term)

    def _iota(self, term: Term) -> Array:
        return self.index(np.arange(term.axes[0].size), term.type)

    def _reduce(self, term: Term) -> Array:
        running = self._running(term)
        return running[-1, ...]

    def _scan(self, term: Term) -> Array:
        child = term.children[0]
        return np.moveaxis(self._running(term), 0, child.axes.index(term.attributes[1]))

    def _running(self, term: Term) -> Array:
        name, axis = term.attributes
        child = term.children[0]
        rows = np.moveaxis(self.values[id(child)], child.axes.index(axis), 0)
        out = np.empty_like(rows)
        out[0] = rows[0]
        step = Term(name, (child, child), (), term.type, ())
        for i in range(1, len(rows)):  # views: a row of one element must stay an array of objects
            out[i, ...] = self.apply(step, [out[i - 1, ...], rows[i, ...]])
        return out

    def _at(self, term: Term) -> Array:
        child = term.children[0]
        index = dict(term.attributes)
        grids = [_grid(index.get(a, Affine.axis(a)), term.axes) for a in child.axes]
        shape = [a.size for a in term.axes]
        return np.broadcast_to(self.values[id(child)][tuple(grids)], shape)

    def _gather(self, term: Term) -> Array:
        child, position = term.children
        (axis,) = term.attributes
        clipped = np.clip(self.values[id(position)].astype(np.int64), 0, axis.size - 1)
        where = _align(clipped, position.axes, term.axes)
        grids = [where if a == axis else _grid(Affine.axis(a), term.axes) for a in child.axes]
        return self.values[id(child)][tuple(grids)]

    def _concat(self, term: Term) -> Array:
        axis, owns = term.attributes
        rest = [a for a in term.axes if a != axis]
        pieces: list[Array] = []
        for own, part in zip(owns, term.children, strict=True):
            # the part's own axis is bound here: another part may use its name for something else
            along = Axis("", own.size if own else 1)
            axes = [along if a == own else a for a in part.axes]
            pieces.append(to_layout(self.values[id(part)], axes, [along, *rest]))
        return np.moveaxis(np.concatenate(pieces), 0, term.axes.index(axis))

    def _fold(self, term: Term) -> Array:
        axis, names, which = term.attributes
        n = len(names)
        states, starts, bodies = (term.children[i * n : (i + 1) * n] for i in range(3))
        carried: list[Array] = [
            to_layout(self.values[id(s)], s.axes, [a for a in h.axes if a != axis])
            for h, s in zip(states, starts, strict=True)
        ]
        for step in range(axis.size):
            carried = self._step(axis, step, states, bodies, carried)
        return carried[int(which)]

    def _step(
        self,
        axis: Axis,
        step: int,
        states: Sequence[Term],
        bodies: Sequence[Term],
        carried: list[Array],
    ) -> list[Array]:
        """One step of a fold: everything that depends on the fold's axis is computed anew."""
        inner = _Evaluation(self.inputs, self.constant, self.apply, self.index)
        inner.values = dict(self.values)
        for held, value in zip(states, carried, strict=True):
            position = held.axes.index(axis)
            inner.values[id(held)] = np.expand_dims(value, position).repeat(axis.size, position)
        inner.compute(bodies)
        return [
            to_layout(
                _slice(inner.values[id(body)], body.axes, axis, step),
                [a for a in body.axes if a != axis],
                [a for a in held.axes if a != axis],
            )
            for body, held in zip(bodies, states, strict=True)
        ]


def _slice(value: Array, axes: Sequence[Axis], axis: Axis, step: int) -> Array:
    return np.take(value, step, axis=axes.index(axis)) if axis in axes else value


def _grid(affine: Affine, axes: Sequence[Axis]) -> Array:
    """Index array of an affine expression, broadcastable over ``axes``."""
    total = np.full([1] * len(axes), affine.offset, np.int64)
    for axis, coefficient in affine.terms:
        shape = [axis.size if a == axis else 1 for a in axes]
        total = total + coefficient * np.arange(axis.size).reshape(shape)
    return total
