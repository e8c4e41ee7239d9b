"""One obligation for the solver: two terms, everywhere equal?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from oxegg.ir import Term
from oxegg.ir.types import BOOL, ElementType
from oxegg.rule_lab.instances import Sides
from oxegg.rule_lab.smt import NoSemanticsError
from oxegg.rule_lab.solver import z3
from oxegg.rule_lab.symbolic import Bits, Elements, Numbers, Reals, World, points

Answer = Literal["proved", "refuted", "unknown", "no semantics"]


@dataclass(frozen=True)
class Proof:
    """The solver's answer; a refutation with the bit patterns of the inputs, by name.

    ``effort`` is z3's own count of steps, which doesn't depend on the machine's load.
    """

    answer: Answer
    counterexample: dict[str, int] | None = None
    effort: int = 0


STEPS_PER_SECOND = 1_000_000  # of z3's own count, on an idle machine
SLOWEST = 30  # a loaded machine may take that much longer


def prove_sides(sides: Sides, kind: str, *, seconds: float) -> Proof:
    """Whether the two sides are equal: to the bit for kind "exact", else over the reals.

    Where real numbers give an operation no meaning (rounding), the bits of all numbers do.
    """
    if kind == "exact":
        return _prove(sides, Bits(), seconds)
    found = _prove(sides, Reals(), seconds)
    return _prove(sides, Numbers(), seconds) if found.answer == "no semantics" else found


def _prove(sides: Sides, world: World, seconds: float) -> Proof:
    elements = Elements(world)
    try:
        differences = [
            _differ(elements.at(sides.left, point), elements.at(sides.right, point))
            for point in points(tuple(sorted({*sides.left.axes, *sides.right.axes}, key=str)))
        ]
    except (NoSemanticsError, KeyError):
        return Proof("no semantics")
    inputs = {name: pair for name, pair in elements.inputs.items()}
    return solve(z3.And(*world.assumptions, z3.Or(*differences)), inputs, seconds=seconds)


def _differ(left: Any, right: Any) -> Any:
    return z3.Not(left == right)


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
        name: bits
        for name, (term, symbol) in inputs.items()
        if (bits := _bits(model.eval(symbol, model_completion=True), term.type)) is not None
    }
    return Proof("refuted", found, spent)


def _bits(value: Any, type_: ElementType) -> int | None:
    """The bit pattern of a model's value; None for a real number that is no bit pattern."""
    if type_ is BOOL:
        return int(z3.is_true(value))
    if z3.is_bv_value(value):
        return value.as_long()
    return None
