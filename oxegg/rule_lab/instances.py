"""An instance of a rule as two terms over the same inputs, and values that look for trouble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir import Axis, Term, const, evaluate, input_, iota, pointwise, reduce
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BOOL, I32, ElementType
from oxegg.rules.pattern import Apply, Constant, Pattern, Rule, Variable, axes_in
from oxegg.rules.wellformed import operand_types, variable_types

Array = npt.NDArray[Any]
POINTS = "p"  # the axis of points that a rule is tried on


@dataclass(frozen=True)
class Sides:
    """An instance of a rule: two terms over the same inputs."""

    left: Term
    right: Term
    inputs: tuple[Term, ...]


def axes_of(rule: Rule) -> tuple[str, ...]:
    """The axes that a rule reduces over, in order of name."""
    return tuple(sorted(axes_in(rule.left) | axes_in(rule.right)))


def instantiate(rule: Rule, type_: ElementType, sizes: Mapping[str, int]) -> Sides:
    """The rule at ``type_``: each variable is an input over the axes of ``sizes``.

    ``sizes`` gives the axes that the rule reduces over, and of the points (axis ``p``). Variables
    that a condition makes independent of an axis lack it.
    """
    axes = {name: Axis(name, size) for name, size in sizes.items()}
    free = {(c.variable, c.axis) for c in rule.when}
    inputs = {
        name: input_(name, of, tuple(axes[a] for a in axes if (name, a) not in free))
        for name, of in variable_types(rule, type_).items()
    }
    left = to_term(rule.left, type_, type_, inputs, axes)
    right = to_term(rule.right, type_, left.type, inputs, axes)
    return Sides(left, right, tuple(inputs.values()))


def to_term(
    pattern: Pattern,
    rule_type: ElementType,
    wanted: ElementType,
    inputs: Mapping[str, Term],
    axes: Mapping[str, Axis],
) -> Term:
    """A pattern in the instance at ``rule_type``; constants take the ``wanted`` type."""
    if isinstance(pattern, Variable):
        return inputs[pattern.name]
    if isinstance(pattern, Constant):
        return const(pattern.value, pattern.type or wanted)
    assert isinstance(pattern, Apply)
    children = [
        to_term(child, rule_type, of, inputs, axes)
        for child, of in zip(pattern.children, operand_types(pattern, rule_type), strict=True)
    ]
    if pattern.axis:
        axis = axes[pattern.axis]
        return reduce(pattern.operator.removeprefix("reduce."), axis, along(children[0], axis))
    converts = OPERATIONS[pattern.operator].types == "convert"
    to = (pattern.type or rule_type) if converts else None
    return pointwise(pattern.operator, *children, to=to)


def along(term: Term, axis: Axis) -> Term:
    """The same values, repeated along ``axis`` where the term doesn't depend on it."""
    if axis in term.axes:
        return term
    always = pointwise("eq", iota(axis, I32), iota(axis, I32))
    return pointwise("select", always, term, term)


def random_inputs(
    sides: Sides, seed: int, *, special: bool, positive: bool = False
) -> dict[str, Array]:
    """Corner values against each other (``special``), or ordinary numbers."""
    rng = np.random.default_rng(seed)
    return {t.attributes[0]: random_values(rng, t, special, positive) for t in sides.inputs}


def random_values(
    rng: np.random.Generator, term: Term, special: bool, positive: bool = False
) -> Array:
    """Values for one input term, in its memory layout."""
    type_, shape = term.type, [a.size for a in term.attributes[1]]
    if type_ is BOOL:
        return rng.random(shape) < 0.5
    if type_.is_float:
        return _random_floats(rng, type_, shape, special, positive)
    low, high = type_.minimum, type_.maximum
    values = rng.integers(low, high, shape, type_.numpy, endpoint=True)
    edges = np.array([low, low + 1, high, high - 1, 0, 1, 2, 3, max(low, -1)], type_.numpy)
    return np.where(rng.random(shape) < (0.6 if special else 0.2), rng.choice(edges, shape), values)


def _random_floats(
    rng: np.random.Generator,
    type_: ElementType,
    shape: Sequence[int],
    special: bool,
    positive: bool,
) -> Array:
    """Numbers around 1; ``special``: infinities, NaN, signed zeros, subnormals and any bits too."""
    values = rng.standard_normal(shape) * np.exp2(rng.integers(-3, 4, shape))
    values = np.abs(values) + 0.01 if positive else values
    if not special:
        return values.astype(type_.numpy)
    large, small = 2.0**type_.max_exponent, 2.0 ** (1 - type_.max_exponent)
    tiny = small * 2.0 ** (1 - type_.precision)
    odd = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 2.0, large, small, tiny, -tiny]
    values = np.where(rng.random(shape) < 0.7, rng.choice(odd, shape), values).astype(type_.numpy)
    pattern = np.dtype(f"u{type_.bytes}")
    anything = rng.integers(0, 1 << type_.bits, shape, pattern).view(type_.numpy)
    return np.where(rng.random(shape) < 0.2, anything, values)


def both_sides(sides: Sides, arrays: Mapping[str, Array]) -> tuple[Array, Array]:
    """Values of the two sides, broadcast to one shape (axes in order of name)."""
    with np.errstate(all="ignore"):
        left, right = evaluate([sides.left, sides.right], arrays)
    axes = sorted({*sides.left.axes, *sides.right.axes}, key=lambda a: a.name)
    expanded = [
        v.reshape([a.size if a in t.axes else 1 for a in axes])
        for v, t in ((left, sides.left), (right, sides.right))
    ]
    first, second = np.broadcast_arrays(*expanded)
    return first, second


def same(left: Array, right: Array) -> Array:
    """Equal bit by bit, any NaN being as good as another."""
    if left.dtype.kind in "biu":
        return left == right
    with np.errstate(invalid="ignore"):  # ml_dtypes warns about signalling NaNs
        return (_bits(left) == _bits(right)) | (np.isnan(left) & np.isnan(right))


def _bits(values: Array) -> Array:
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
