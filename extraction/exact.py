"""Exact extraction: reduce, improve the incumbent, reduce again, split, prove.

The state at any moment is an incumbent choice and a proven bound, so running out of time is just
an early answer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from oxegg.extraction import answer_set
from oxegg.extraction.problem import Problem
from oxegg.extraction.reduction import reduce
from oxegg.extraction.reduction.lift import greedy_selection, lift, split
from oxegg.extraction.reduction.residual import Outcome, Residual, Selection, total
from oxegg.extraction.reduction.rules import drop_unbuildable, drop_unreachable
from oxegg.extraction.scaling import IntegerCosts, integer_costs
from oxegg.extraction.solution import cheaper, evaluate, restrict


def prove(
    problem: Problem, incumbent: Mapping[int, int], *, seconds: float, seed: int
) -> tuple[dict[int, int], float]:
    """The best choice found within ``seconds``, and a proven lower bound on every choice.

    ``incumbent`` is any choice for the roots; the result is never dearer.
    """
    deadline = time.perf_counter() + seconds
    best = restrict(problem, incumbent)
    integers = integer_costs(problem, evaluate(problem, best))
    upper = _integer_cost(problem, integers, best)
    residual = Residual.of(problem, integers.costs, upper)
    if problem.has_negative_costs:
        # Most rules assume that choosing more never pays.
        drop_unbuildable(residual)
        drop_unreachable(residual)
    else:
        best = _shrink(problem, residual, integers, best, deadline)
    if residual.hopeless:
        return best, integers.bound(residual.upper)
    selection, bound = _solve_parts(residual, deadline, seed)
    if selection is not None:
        best = cheaper(problem, best, lift(problem, residual, selection))
    return best, integers.bound(min(bound, residual.upper))


def _shrink(
    problem: Problem,
    residual: Residual,
    integers: IntegerCosts,
    best: dict[int, int],
    deadline: float,
) -> dict[int, int]:
    """Reduce to a fixpoint; every better incumbent found on the way lets the rules cut deeper."""
    while True:
        reduce(residual, deadline)
        selection = None if residual.hopeless else greedy_selection(residual)
        if selection is None:
            return best
        choice = restrict(problem, lift(problem, residual, selection))
        cost = _integer_cost(problem, integers, choice)
        if cost >= residual.upper:
            return best
        best = cheaper(problem, best, choice)
        residual.upper = cost
        if not residual.options or time.perf_counter() >= deadline:
            return best


def _solve_parts(residual: Residual, deadline: float, seed: int) -> tuple[Selection | None, int]:
    """Solve independent parts one after the other, the small ones first."""
    parts = split(residual)
    paid = 0 if len(parts) == 1 and parts[0] is residual else residual.objective(residual.paid)
    bound = paid
    selection: Selection = {}
    for index, part in enumerate(parts):
        start = greedy_selection(part)
        cap = residual.upper if len(parts) > 1 else residual.upper - paid
        if start is not None and len(parts) > 1:
            cap = min(cap, total(part, start))
        share = (deadline - time.perf_counter()) / (len(parts) - index)
        outcome = _race(replace(part, upper=cap), start, share, seed)
        bound += outcome.bound
        found = outcome.selection or start
        if found is None:
            return None, residual.upper
        selection |= found
    return selection, bound


def _race(part: Residual, start: Selection | None, seconds: float, seed: int) -> Outcome:
    """Core-guided search first; what it leaves open goes to CP-SAT with what is known by then."""
    deadline = time.perf_counter() + seconds
    outcome = Outcome(None, part.floor())
    if answer_set.available(part):
        outcome = answer_set.solve(part, seconds / 2, seed)
        if outcome.selection is not None:
            part = replace(part, upper=total(part, outcome.selection))
        if outcome.bound >= part.upper:
            return replace(outcome, bound=part.upper)
    # Imported here because loading the solver takes longer than most extractions.
    from oxegg.extraction import integer_program

    hint = outcome.selection or start
    second = integer_program.solve(part, hint, deadline - time.perf_counter(), seed)
    bound = max(outcome.bound, second.bound)
    return Outcome(second.selection or outcome.selection, bound)


def _integer_cost(problem: Problem, integers: IntegerCosts, choice: Mapping[int, int]) -> int:
    columns = integers.costs[sorted(choice.values())].sum(axis=0).tolist()
    return sum(max(columns[j] for j in level) for level in problem.levels)
