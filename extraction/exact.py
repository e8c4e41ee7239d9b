"""Exact extraction: a short proof, reduce, improve the incumbent, reduce again, split, prove.

The state at any moment is an incumbent choice and a proven bound, so running out of time is just
an early answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from oxegg.extraction import answer_set
from oxegg.extraction.greedy_dag import shared_trees
from oxegg.extraction.perturb import perturb
from oxegg.extraction.problem import Problem
from oxegg.extraction.reduction import reduce, tidy
from oxegg.extraction.reduction.lift import greedy_selection, lift, split
from oxegg.extraction.reduction.residual import Outcome, Residual, Selection, total
from oxegg.extraction.reduction.rules import drop_unbuildable, drop_unreachable
from oxegg.extraction.scaling import IntegerCosts, integer_costs
from oxegg.extraction.solution import cheaper, evaluate, meets, restrict


def prove(
    problem: Problem, incumbent: Mapping[int, int], *, seconds: float, seed: int
) -> tuple[dict[int, int], float]:
    """The best choice found within ``seconds``, and a proven lower bound on every choice.

    ``incumbent`` is any choice for the roots; the result is never dearer, nor than greedy with
    sharing, which is only needed where the first proof fails.
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
        best = _with_sharing(problem, residual, integers, best)
    else:
        tidy(residual)
        best = _try_at_once(problem, residual, integers, best, deadline, seed)
        if not _closed(problem, residual, integers, best):
            best = _with_sharing(problem, residual, integers, best)
            best = _shrink(problem, residual, integers, best, deadline)
    if residual.hopeless:
        return best, integers.bound(residual.upper)
    if _closed(problem, residual, integers, best):
        return best, integers.bound(min(residual.lower, residual.upper))
    if time.perf_counter() >= deadline:
        return best, integers.bound(max(residual.lower, residual.floor()))
    for stage in _STAGES:
        if stage.patience and not problem.has_negative_costs:
            selection = perturb(residual, patience=stage.patience, deadline=deadline, seed=seed)
            best = _accept(problem, residual, integers, best, selection)
            best = _shrink(problem, residual, integers, best, deadline)
            if residual.hopeless:
                return best, integers.bound(residual.upper)
        selection, bound = _solve_parts(residual, deadline, stage.solvers, seed)
        residual.lower = max(residual.lower, min(bound, residual.upper))
        best = _accept(problem, residual, integers, best, selection)
        if _closed(problem, residual, integers, best):
            break
    return best, integers.bound(min(residual.lower, residual.upper))


def _closed(
    problem: Problem, residual: Residual, integers: IntegerCosts, best: Mapping[int, int]
) -> bool:
    """True when nothing is left to prove: the bound meets the cost as far as doubles can tell."""
    if residual.hopeless or residual.lower >= residual.upper:
        return True
    return meets(integers.bound(residual.lower), evaluate(problem, best))


def _try_at_once(
    problem: Problem,
    residual: Residual,
    integers: IntegerCosts,
    best: dict[int, int],
    deadline: float,
    seed: int,
) -> dict[int, int]:
    """A short proof before the dear reductions: most e-graphs need no more than this."""
    left = deadline - time.perf_counter()
    if residual.hopeless or left <= 0 or not answer_set.available(residual):
        return best
    # In large e-graphs reductions are the shorter way, and most conflicts come to nothing.
    work = _FIRST_WORK * min(1.0, _LARGE / max(1, residual.size))
    conflicts = min(_FIRST_CONFLICTS, _conflicts(residual, int(work)))
    outcome = answer_set.solve(residual, left * _FIRST_SHARE, seed, conflicts=conflicts)
    residual.lower = max(residual.lower, outcome.bound)
    return _accept(problem, residual, integers, best, outcome.selection)


def _with_sharing(
    problem: Problem, residual: Residual, integers: IntegerCosts, best: dict[int, int]
) -> dict[int, int]:
    """The cheaper of ``best`` and the greedy choice that knows of sharing."""
    shared = restrict(problem, shared_trees(problem) or best)
    residual.upper = min(residual.upper, _integer_cost(problem, integers, shared))
    return cheaper(problem, best, shared)


def _accept(
    problem: Problem,
    residual: Residual,
    integers: IntegerCosts,
    best: dict[int, int],
    selection: Selection | None,
) -> dict[int, int]:
    """The cheaper of ``best`` and what ``selection`` stands for; ``upper`` follows."""
    if selection is None:
        return best
    choice = restrict(problem, lift(problem, residual, selection))
    residual.upper = min(residual.upper, _integer_cost(problem, integers, choice))
    return cheaper(problem, best, choice)


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
        upper = residual.upper
        if residual.hopeless or time.perf_counter() >= deadline:
            return best
        selection = greedy_selection(residual)
        best = _accept(problem, residual, integers, best, selection)
        if residual.upper == upper or time.perf_counter() >= deadline:
            return best


def _solve_parts(
    residual: Residual, deadline: float, solvers: Sequence[_Solver], seed: int
) -> tuple[Selection | None, int]:
    """Solve independent parts one after the other, the small ones first."""
    if not residual.options:
        return {}, residual.objective(residual.paid)
    parts = split(residual)
    alone = len(parts) == 1
    outside = 0 if parts[0] is residual else residual.objective(residual.paid)
    bound = outside
    selection: Selection = {}
    for index, part in enumerate(parts):
        start = greedy_selection(part)
        if start is None:
            return None, residual.upper
        upper = residual.upper - outside if alone else total(part, start)
        share = (deadline - time.perf_counter()) / (len(parts) - index)
        outcome = _race(replace(part, upper=upper), start, solvers, share, seed)
        bound += outcome.bound
        selection |= outcome.selection or start
    return selection, bound


def _race(
    part: Residual, start: Selection, solvers: Sequence[_Solver], seconds: float, seed: int
) -> Outcome:
    """One solver after the other; each starts from what is known by then.

    All but the last one get ``_SHARE`` of the time that is left.
    """
    deadline = time.perf_counter() + seconds
    best, bound = None, part.floor()
    for index, solver in enumerate(solvers):
        left = deadline - time.perf_counter()
        if left <= 0 or bound >= part.upper:
            break
        share = left if index == len(solvers) - 1 else left * _SHARE
        outcome = solver(part, best or start, share, seed)
        bound = max(bound, outcome.bound)
        if outcome.selection is not None:
            best = outcome.selection
            part = replace(part, upper=total(part, best))
    return Outcome(best, min(bound, part.upper))


def _integer_program(part: Residual, start: Selection, seconds: float, seed: int) -> Outcome:
    # Imported here because loading this solver takes longer than most extractions.
    from oxegg.extraction import integer_program

    return integer_program.solve(part, start, seconds, seed)


def _answer_sets(part: Residual, start: Selection, seconds: float, seed: int) -> Outcome:
    """Both styles in equal time: which one proves more can't be seen early."""
    best, bound = None, part.floor()
    if not answer_set.available(part):
        return Outcome(best, bound)
    deadline = time.perf_counter() + seconds
    for share, style in ((0.5, answer_set.FREE), (1.0, answer_set.GROUNDED)):
        left = deadline - time.perf_counter()
        if left <= 0:
            break
        outcome = answer_set.solve(part, left * share, seed, style=style)
        bound = max(bound, outcome.bound)
        if outcome.selection is not None:
            best = outcome.selection
            part = replace(part, upper=total(part, best))
        if outcome.exhausted:
            break
    return Outcome(best, min(bound, part.upper))


def _short_answer_set(part: Residual, start: Selection, seconds: float, seed: int) -> Outcome:
    if not answer_set.available(part):
        return Outcome(None, part.floor())
    return answer_set.solve(part, seconds, seed, conflicts=_conflicts(part, _SECOND_WORK))


def _conflicts(residual: Residual, work: int) -> int:
    """A conflict takes time in proportion to the options."""
    return max(1, work // max(1, residual.size))


_Solver = Callable[[Residual, Selection, float, int], Outcome]


@dataclass(frozen=True)
class _Stage:
    """Improve the incumbent (unless ``patience`` is 0), then prove."""

    patience: int
    solvers: Sequence[_Solver]


# Enough for eight in ten of the outside e-graphs; the share only matters under short limits.
# Work is conflicts x options: twenty million take about a second.
_FIRST_CONFLICTS = 2000
_FIRST_WORK = 6_000_000
_LARGE = 4_000
_SECOND_WORK = 15_000_000
_FIRST_SHARE = 0.5
_SHARE = 0.85

_STAGES = (
    _Stage(patience=0, solvers=(_short_answer_set,)),
    _Stage(patience=16, solvers=(_answer_sets, _integer_program)),
)


def _integer_cost(problem: Problem, integers: IntegerCosts, choice: Mapping[int, int]) -> int:
    columns = integers.costs[sorted(choice.values())].sum(axis=0).tolist()
    return sum(max(columns[j] for j in level) for level in problem.levels)
