"""One obligation for the solver: two terms, everywhere equal?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from oxegg.ir import Term
from oxegg.ir.types import BOOL, ElementType, value_to_bits
from oxegg.rule_lab.instances import Sides
from oxegg.rule_lab.smt import NoSemanticsError
from oxegg.rule_lab.solver import z3
from oxegg.rule_lab.symbolic import Bits, Elements, Numbers, Reals, World, points

Answer = Literal["proved", "refuted", "unknown", "no semantics", "vacuous"]
"""Vacuous: no input gives the left side a meaning."""


@dataclass(frozen=True)
class Proof:
    """The solver's answer; a refutation with the bit patterns of the inputs' elements, by name.

    Elements are called ``x.0.2``: the input's name and the indices along its axes.

    ``effort`` is z3's own count of steps, which doesn't depend on the machine's load.
    """

    answer: Answer
    counterexample: dict[str, int] | None = None
    effort: int = 0


STEPS_PER_SECOND = 1_000_000  # of z3's own count, on an idle machine
_DIGITS = 20  # of an irrational number
SLOWEST = 30  # a loaded machine may take that much longer


def prove_sides(sides: Sides, kind: str, *, seconds: float, both: bool = False) -> Proof:
    """Whether the two sides are equal: to the bit for kind "exact", else over the reals.

    The right side must mean something wherever the left one does; the other way round as well if
    the row goes ``both`` ways. Where real numbers give an operation no meaning (rounding), the bits
    of all numbers do. They can only prove: what differs in bits may differ by rounding alone.
    """
    if kind == "exact":
        return _prove(sides, Bits(), seconds)
    found = _prove(sides, Reals(), seconds)
    if found.answer == "proved" and both:
        return _prove(Sides(sides.right, sides.left, sides.inputs), Reals(), seconds)
    if found.answer != "no semantics":
        return found
    strict = _prove(sides, Numbers(), seconds)
    return strict if strict.answer == "proved" else found


def _prove(sides: Sides, world: World, seconds: float) -> Proof:
    elements = Elements(world)
    places = points(tuple(sorted({*sides.left.axes, *sides.right.axes}, key=str)))
    try:
        left = [elements.at(sides.left, place) for place in places]
        given = [*world.assumptions, *world.needs]
        right = [elements.at(sides.right, place) for place in places]
    except (NoSemanticsError, KeyError):
        return Proof("no semantics")
    if world.needs and solve(z3.And(*given), {}, seconds=seconds).answer == "proved":
        return Proof("vacuous")
    differences = [z3.Not(a == b) for a, b in zip(left, right, strict=True)]
    meaningless = z3.Not(z3.And(*world.needs))
    claim = z3.And(*given, *world.assumptions, z3.Or(meaningless, *differences))
    return solve(claim, dict(elements.inputs), seconds=seconds)


def solve(claim: Any, inputs: dict[str, tuple[Term, Any]], *, seconds: float) -> Proof:
    """Look for values that satisfy ``claim``, the negation of what is to be proved.

    The limit is in z3's steps, so that the answer doesn't depend on what else the machine does.
    """
    simplified = z3.simplify(claim)
    if z3.is_false(simplified):
        return Proof("proved")
    solver = z3.Solver()
    solver.set("rlimit", int(STEPS_PER_SECOND * seconds))
    solver.set("timeout", int(1000 * SLOWEST * seconds))
    solver.add(simplified)
    result = solver.check()
    spent = next((v for k, v in solver.statistics() if k == "rlimit count"), 0)
    if result == z3.unsat:
        return Proof("proved", effort=spent)
    if result == z3.unknown:
        return Proof("unknown", effort=spent)
    model = solver.model()
    found = {
        name: _bits(model.eval(symbol, model_completion=True), term.type)
        for name, (term, symbol) in inputs.items()
    }
    return Proof("refuted", found, spent)


def _bits(value: Any, type_: ElementType) -> int:
    """The bit pattern of a model's value; of the nearest number for a real one."""
    if type_ is BOOL:
        return int(z3.is_true(value))
    if z3.is_bv_value(value):
        return value.as_long()
    if z3.is_int_value(value):
        return value_to_bits(value.as_long(), type_)
    rational = value.approx(_DIGITS) if z3.is_algebraic_value(value) else value
    return value_to_bits(float(rational.as_fraction()), type_)
