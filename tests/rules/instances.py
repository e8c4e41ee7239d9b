"""Both sides of a rule as NumPy values, on inputs that look for trouble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir import Axis, Term, const, evaluate, input_, iota, pointwise, reduce
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BOOL, I32, ElementType
from oxegg.rules.pattern import Apply, Constant, Pattern, Rule, Variable, names_in

Array = npt.NDArray[Any]
POINTS = Axis("p", 4096)
SUMMED = {"k": Axis("k", 5), "j": Axis("j", 3)}


@dataclass
class Sides:
    """An instance of a rule: two terms over the same inputs."""

    left: Term
    right: Term
    inputs: tuple[Term, ...]


def instantiate(rule: Rule, type_: ElementType) -> Sides:
    """The rule at ``type_``: pattern variables become inputs over points and summed axes."""
    types = _variable_types(rule, type_)
    free = {(c.variable, c.axis) for c in rule.when if c.name == "independent"}
    axes = [n for n in SUMMED if n in names_in(rule.left) | names_in(rule.right)]
    inputs = {
        name: input_(name, of, (*(SUMMED[a] for a in axes if (name, a) not in free), POINTS))
        for name, of in types.items()
    }
    left = _term(rule.left, type_, type_, inputs)
    right = _term(rule.right, type_, left.type, inputs)
    return Sides(left, right, tuple(inputs.values()))


def _term(
    pattern: Pattern, rule_type: ElementType, wanted: ElementType, inputs: dict[str, Term]
) -> Term:
    if isinstance(pattern, Variable):
        return inputs[pattern.name]
    if isinstance(pattern, Constant):
        return const(pattern.value, pattern.type or wanted)
    assert isinstance(pattern, Apply)
    operand = pattern.operand_type or rule_type
    children = [
        _term(child, rule_type, of, inputs)
        for child, of in zip(pattern.children, _operand_types(pattern, operand), strict=True)
    ]
    if pattern.axis:
        axis = SUMMED[pattern.axis]
        return reduce(pattern.operator.removeprefix("reduce."), axis, along(children[0], axis))
    is_conversion = OPERATIONS[pattern.operator].types == "convert"
    to = (pattern.type or rule_type) if is_conversion else None
    return pointwise(pattern.operator, *children, to=to)


def along(term: Term, axis: Axis) -> Term:
    """The same values, repeated along ``axis`` where the term doesn't depend on it."""
    if axis in term.axes:
        return term
    always = pointwise("eq", iota(axis, I32), iota(axis, I32))
    return pointwise("select", always, term, term)


def _operand_types(pattern: Apply, operand: ElementType) -> list[ElementType]:
    types = [operand] * len(pattern.children)
    row = OPERATIONS.get(pattern.operator)
    if row is not None and row.types == "select":
        types[0] = BOOL
    return types


def _variable_types(rule: Rule, type_: ElementType) -> dict[str, ElementType]:
    found: dict[str, ElementType] = {}

    def visit(pattern: Pattern, wanted: ElementType) -> None:
        if isinstance(pattern, Variable):
            assert found.setdefault(pattern.name, wanted) is wanted, f"{pattern.name} has two types"
        elif isinstance(pattern, Apply):
            operands = _operand_types(pattern, pattern.operand_type or type_)
            for child, of in zip(pattern.children, operands, strict=True):
                visit(child, of)

    visit(rule.left, type_)
    return found


def random_inputs(
    sides: Sides, seed: int, *, special: bool, positive: bool = False
) -> dict[str, Array]:
    """Corner values against each other (``special``), or ordinary numbers."""
    rng = np.random.default_rng(seed)
    return {
        term.attributes[0]: _values(rng, term, special, positive) for term in sides.inputs
    }


def _values(rng: np.random.Generator, term: Term, special: bool, positive: bool) -> Array:
    type_, shape = term.type, [a.size for a in term.attributes[1]]
    if type_ is BOOL:
        return rng.random(shape) < 0.5
    if type_.is_float:
        values = rng.standard_normal(shape) * np.exp2(rng.integers(-3, 4, shape))
        values = np.abs(values) + 0.01 if positive else values
        if special:
            largest = 2.0**type_.max_exponent
            odd = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 2.0, largest, 1 / largest]
            values = np.where(rng.random(shape) < 0.7, rng.choice(odd, shape), values)
        return values.astype(type_.numpy)
    low, high = type_.minimum, type_.maximum
    values = rng.integers(low, high, shape, type_.numpy, endpoint=True)
    edges = np.array([low, low + 1, high, high - 1, 0, 1, 2, 3, max(low, -1)], type_.numpy)
    return np.where(rng.random(shape) < (0.6 if special else 0.2), rng.choice(edges, shape), values)


def both_sides(sides: Sides, arrays: dict[str, Array]) -> tuple[Array, Array]:
    """Values of the two sides, broadcast to one shape."""
    with np.errstate(all="ignore"):
        left, right = evaluate([sides.left, sides.right], arrays)
    # Dimensions are the axes in sorted order; a side may lack some of the other's.
    axes = sorted({*sides.left.axes, *sides.right.axes}, key=lambda a: a.name)
    expanded = [
        v.reshape([a.size if a in t.axes else 1 for a in axes])
        for v, t in ((left, sides.left), (right, sides.right))
    ]
    first, second = np.broadcast_arrays(*expanded)
    return first, second
