"""The best modulo schedule of a loop body that the effort allows, with its bound and status."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal

from oxegg.emit.modulo.bounds import UNBOUNDED, Bound, below_whole, lower_bound
from oxegg.emit.modulo.check import check_schedule, check_text
from oxegg.emit.modulo.early import early_schedules
from oxegg.emit.modulo.exact import Budget, exact_schedule, impossible
from oxegg.emit.modulo.graph import Graph, Schedule
from oxegg.emit.modulo.iterative import Work, iterative_times
from oxegg.emit.modulo.lifetimes import pressure, total_life
from oxegg.emit.modulo.order import ordered
from oxegg.emit.modulo.windows import raised_bound

Status = Literal["optimal", "feasible"]

Colouring = Callable[[Graph, Schedule], bool]
"""Whether the webs of a schedule find registers."""

Pace = Callable[[Schedule], Fraction]
"""Cycles per round of a schedule's text on the machine."""


@dataclass(frozen=True)
class Effort:
    """``work``: the exact models' deterministic seconds for a loop; 0: only heuristics run.

    ``placements`` bounds the heuristic's work: at the lower bound, and again above it. Neither
    depends on a clock.
    """

    work: float = 0.0
    placements: int = 30_000


@dataclass(frozen=True)
class Found:
    """A checked schedule, and the ``cycles`` that a round of it takes.

    ``bound`` is proven: with one register per web no text takes fewer cycles per round. ``status``
    is ``"optimal"`` when this one takes no more.
    """

    schedule: Schedule
    cycles: Fraction
    bound: Fraction
    parts: Bound
    method: Literal["heuristic", "exact"]
    seconds: float

    @property
    def status(self) -> Status:
        return "optimal" if self.cycles <= self.bound else "feasible"


SLACK, LONGEST_ITERATION = 2, 32
"""Nothing is looked for beyond this multiple of the bound, and so many cycles more."""
SEEDS_AT_BOUND = 12
"""Beginnings tried at the lower bound, where success is a proof."""
STRIDE = 64
"""Above the bound the heuristic's intervals grow by a part in so many."""
REFUTATION = 0.25
"""Share of the exact models' work for the bound."""
SHORTENING = 0.05
"""Work for shorter lifetimes at the end, a second or so."""
PROBE = 0.4
"""Share of what is left that the search for a text of one interval may take."""
WORK_PER_SECOND = 0.1
"""Deterministic seconds of the solver that take about a second."""


def modulo_schedule(
    graph: Graph,
    effort: Effort,
    colourable: Colouring,
    pace: Pace | None = None,
    rival: Fraction | None = None,
) -> Found | None:
    """The shortest interval found; ``None`` when there is none.

    First the heuristics from the lower bound upwards, then, below their interval, the exact model:
    over cycles, and where the registers then don't suffice, over positions with the registers.
    ``pace`` runs texts on the machine, which may be faster than their model: operations that wait
    in a queue don't hold up the others. Without it a schedule takes its interval. ``rival``: cycles
    of the loop as it is, below which alone the exact model looks.
    """
    started = time.monotonic()
    parts = lower_bound(graph)
    if parts.cycles >= UNBOUNDED:
        return None
    search = _Search(graph, parts.cycles, effort, colourable, pace)
    search.heuristics(SLACK * parts.cycles + LONGEST_ITERATION)
    search.look_closer(rival)
    method: Literal["heuristic", "exact"] = "heuristic"
    if effort.work and not search.optimal and search.exact(rival):
        method = "exact"
    if search.best is None:
        return None
    if effort.work:
        search.shorten()
    schedule, cycles = search.best
    seconds = time.monotonic() - started
    bound = below_whole(graph, search.bound, cycles)
    return Found(schedule, cycles, bound, parts, method, seconds)


class _Search:
    """The best text so far, with its pace, and the bound."""

    def __init__(
        self, graph: Graph, bound: int, effort: Effort, colourable: Colouring, pace: Pace | None
    ) -> None:
        self.graph = graph
        self.bound = bound
        self.effort = effort
        self.colourable = colourable
        self.pace = pace
        self.budget = Budget(effort.work)
        self.best: tuple[Schedule, Fraction] | None = None

    @property
    def optimal(self) -> bool:
        return self.best is not None and self.best[1] <= self.bound

    def _usable(self, schedule: Schedule) -> bool:
        taken = pressure(self.graph, schedule)
        fits = all(taken[bank] <= self.graph.files[bank] for bank in taken)
        return fits and self.colourable(self.graph, schedule)

    def _offer(self, schedule: Schedule, *, strict: bool) -> bool:
        """Take the schedule if it is usable and the fastest; whether it was taken.

        ``strict``: its times keep every rule, so that a round takes no longer than its interval.
        """
        if not self._usable(schedule):
            return False
        (check_schedule if strict else check_text)(self.graph, schedule)
        cycles = Fraction(schedule.ii)
        if self.pace is not None and not (strict and schedule.ii == self.bound):
            cycles = self.pace(schedule)
        if self.best is not None and cycles >= self.best[1]:
            return False
        self.best = schedule, cycles
        return True

    # Heuristics

    def heuristics(self, highest: int) -> None:
        """Texts from the bound upwards, until one keeps the interval that it was made for."""
        ii, seeds, work = self.bound, SEEDS_AT_BOUND, Work(self.effort.placements)
        while ii <= highest and work.left > 0:
            for schedule, strict in self._texts(ii, work, seeds):
                self._offer(schedule, strict=strict)
                if self.best is not None and self.best[1] <= ii:
                    return
            if ii == self.bound:
                work, seeds = Work(self.effort.placements), 1
            ii += 1 + ii // STRIDE

    def _texts(self, ii: int, work: Work, seeds: int) -> Iterator[tuple[Schedule, bool]]:
        for times in iterative_times(self.graph, ii, work, seeds):
            yield ordered(self.graph, ii, times), True
        if self.pace is not None and self.graph.queued:
            for schedule in early_schedules(self.graph, ii, work, seeds):
                yield schedule, False

    # Bounds and exact models

    def look_closer(self, rival: Fraction | None) -> None:
        """Raise the bound by what has to lie between two rounds."""
        if not self.optimal:
            self.bound = raised_bound(self.graph, self.bound, self._top(rival) + 1)

    def _top(self, rival: Fraction | None) -> int:
        """The longest interval that would be worth finding."""
        known = [cycles for cycles in (rival, self.best and self.best[1]) if cycles is not None]
        return ceil(min(known)) - 1 if known else SLACK * self.bound

    def exact(self, rival: Fraction | None) -> bool:
        """Raise the bound, then look for texts below the best one; whether one was found.

        First at the bound, where success is a proof, then in the middle of what is left: a text
        that keeps an interval keeps all longer ones.
        """
        highest = self._top(rival)
        self._refute(highest)
        lowest = ii = self.bound
        found = False
        while lowest <= highest and self.budget.left > 0:
            budget = Budget(PROBE * self.budget.left)
            self.budget.left -= budget.left
            outcome = self._exact_at(ii, budget)
            self.budget.left += budget.left
            if isinstance(outcome, Schedule) and self._offer(outcome, strict=False):
                found, highest = True, self._top(rival)
            else:
                lowest = ii + 1
            if outcome == "infeasible":
                self.bound = max(self.bound, ii + 1)
            ii = (lowest + highest) // 2
        return found

    def _refute(self, top: int) -> None:
        budget = Budget(REFUTATION * self.budget.left)
        before = budget.left
        while self.bound <= top and impossible(self.graph, self.bound, budget):
            self.bound += 1
        self.budget.left -= before - max(0.0, budget.left)

    def _exact_at(self, ii: int, budget: Budget) -> Schedule | Literal["infeasible", "unknown"]:
        """A usable schedule; first without, then with registers, at last with a queue."""
        graph = self.graph
        hint = self.best[0].times if self.best is not None else None
        outcome = exact_schedule(graph, ii, budget, hint=hint)
        if isinstance(outcome, Schedule) and not self._usable(outcome):
            outcome = exact_schedule(graph, ii, budget, registers=True, hint=outcome.times)
        if outcome == "infeasible" and graph.queued:
            outcome = exact_schedule(graph, ii, budget, queue=True)
        if isinstance(outcome, Schedule) and not self._usable(outcome):
            return "unknown"
        return outcome

    def shorten(self) -> None:
        """The same pace with shorter lifetimes: fewer stages, and less to lose elsewhere."""
        assert self.best is not None
        schedule, cycles = self.best
        budget = Budget(min(SHORTENING, self.effort.work))
        other = exact_schedule(self.graph, ceil(cycles), budget, hint=schedule.times, shorten=True)
        if isinstance(other, Schedule) and self._usable(other):
            check_text(self.graph, other)
            pace = self.pace(other) if self.pace is not None else Fraction(other.ii)
            lives = total_life(self.graph, other), total_life(self.graph, schedule)
            if pace <= cycles and lives[0] < lives[1]:
                self.best = other, pace
