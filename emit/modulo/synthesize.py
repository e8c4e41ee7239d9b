"""The best modulo schedule of a loop body that the effort allows, with its bound and status."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from oxegg.emit.modulo.bounds import UNBOUNDED, Bound, lower_bound
from oxegg.emit.modulo.check import check_schedule
from oxegg.emit.modulo.exact import Budget, exact_schedule
from oxegg.emit.modulo.graph import Graph, Schedule
from oxegg.emit.modulo.iterative import Work, iterative_times
from oxegg.emit.modulo.lifetimes import pressure, total_life
from oxegg.emit.modulo.order import ordered
from oxegg.errors import EmitError

Status = Literal["optimal", "feasible"]

Colouring = Callable[[Graph, Schedule], bool]
"""Whether the webs of a schedule find registers."""


@dataclass(frozen=True)
class Effort:
    """``seconds`` of wall clock for the exact model of a loop; 0: only the heuristic runs.

    ``placements`` bounds the heuristic's work: at the lower bound, and again above it.
    """

    seconds: float = 0.0
    placements: int = 30_000


@dataclass(frozen=True)
class Found:
    """A checked schedule. ``bound`` is proven: no schedule with these registers is shorter.

    ``status`` is ``"optimal"`` when the interval equals the bound.
    """

    schedule: Schedule
    bound: int
    parts: Bound
    method: Literal["heuristic", "exact"]
    seconds: float

    @property
    def status(self) -> Status:
        return "optimal" if self.schedule.ii == self.bound else "feasible"


SLACK, LONGEST_ITERATION = 2, 32
"""Nothing is looked for beyond this multiple of the bound, and so many cycles more."""
SEEDS_AT_BOUND = 12
"""Beginnings tried at the lower bound, where success is a proof."""
STRIDE = 64
"""Above the bound the heuristic's intervals grow by a part in so many."""
DETERMINISTIC_PER_SECOND = 1.0


def modulo_schedule(
    graph: Graph, effort: Effort, colourable: Colouring, *, longest: int | None = None
) -> Found | None:
    """The shortest interval found, at most ``longest``; ``None`` when there is none.

    First the heuristic from the lower bound upwards, then, below its interval, the exact model:
    over cycles, and where the registers then don't suffice, over positions with the registers.
    """
    started = time.monotonic()
    parts = lower_bound(graph)
    if parts.cycles >= UNBOUNDED:
        return None
    limit = longest if longest is not None else SLACK * parts.cycles + LONGEST_ITERATION
    heuristic = _heuristic(graph, parts.cycles, limit, colourable, effort)
    best, bound = heuristic, parts.cycles
    if effort.seconds and (best is None or best.ii > bound):
        top = best.ii - 1 if best is not None else limit
        exact, bound = _exact(graph, range(bound, top + 1), effort, colourable, started)
        best = exact or best
    if best is None:
        return None
    if effort.seconds:
        best = _shortened(graph, best, effort, colourable, started)
    check_schedule(graph, best)
    method = "heuristic" if best is heuristic else "exact"
    return Found(best, bound, parts, method, time.monotonic() - started)


def _usable(graph: Graph, schedule: Schedule, colourable: Colouring) -> bool:
    fits = all(taken <= graph.files[bank] for bank, taken in pressure(graph, schedule).items())
    return fits and colourable(graph, schedule)


def _heuristic(
    graph: Graph, lowest: int, highest: int, colourable: Colouring, effort: Effort
) -> Schedule | None:
    ii, seeds, work = lowest, SEEDS_AT_BOUND, Work(effort.placements)
    while ii <= highest and work.left > 0:
        for times in iterative_times(graph, ii, work, seeds):
            schedule = ordered(graph, ii, times)
            if _usable(graph, schedule, colourable):
                return schedule
        if ii == lowest:
            work, seeds = Work(effort.placements), 1
        ii += 1 + ii // STRIDE
    return None


def _exact(
    graph: Graph, intervals: Sequence[int], effort: Effort, colourable: Colouring, started: float
) -> tuple[Schedule | None, int]:
    """The first interval with a schedule, and the bound: all smaller ones are refuted."""
    bound = intervals[0] if intervals else 0
    proven = True
    for ii in intervals:
        left = effort.seconds - (time.monotonic() - started)
        if left <= 0:
            return None, bound
        outcome = _exact_at(graph, ii, left, colourable)
        if isinstance(outcome, Schedule):
            return outcome, bound
        if outcome == "infeasible" and proven:
            bound = ii + 1
        else:
            proven = False
    return None, bound


def _exact_at(
    graph: Graph, ii: int, seconds: float, colourable: Colouring
) -> Schedule | Literal["infeasible", "unknown"]:
    started = time.monotonic()
    budget = Budget(DETERMINISTIC_PER_SECOND * seconds, seconds)
    outcome = exact_schedule(graph, ii, budget)
    if not isinstance(outcome, Schedule) or _usable(graph, outcome, colourable):
        return outcome
    left = seconds - (time.monotonic() - started)
    if left <= 0:
        return "unknown"
    budget = Budget(DETERMINISTIC_PER_SECOND * left, left)
    outcome = exact_schedule(graph, ii, budget, registers=True, hint=outcome.times)
    if isinstance(outcome, Schedule) and not _usable(graph, outcome, colourable):
        return "unknown"
    return outcome


def _shortened(
    graph: Graph, schedule: Schedule, effort: Effort, colourable: Colouring, started: float
) -> Schedule:
    """The same interval with shorter lifetimes: less depends on the model being right."""
    left = min(effort.seconds - (time.monotonic() - started), SHORTENING_SECONDS)
    if left <= 0:
        return schedule
    budget = Budget(DETERMINISTIC_PER_SECOND * left, left)
    shorter = exact_schedule(graph, schedule.ii, budget, hint=schedule.times, shorten=True)
    if not isinstance(shorter, Schedule) or not _usable(graph, shorter, colourable):
        return schedule
    try:
        check_schedule(graph, shorter)
    except EmitError:
        return schedule
    return min(schedule, shorter, key=lambda s: total_life(graph, s))


SHORTENING_SECONDS = 1.0
