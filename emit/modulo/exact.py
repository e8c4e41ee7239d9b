"""Exact modulo scheduling: integer times and intervals for a constraint solver (CP-SAT).

A time is ``ii * stage + cycle``; dependences are differences of times, units are intervals of
cycles that wrap around, lifetimes are intervals whose demand is the size of the register group.
Boolean variables per operation and cycle would be many times slower.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ortools.sat.python import cp_model

from oxegg.emit.modulo.bounds import longest_paths
from oxegg.emit.modulo.graph import Graph, Schedule, Web
from oxegg.emit.modulo.order import ordered
from oxegg.emit.program import Bank

Outcome = Literal["infeasible", "unknown"]
BANKS: tuple[Bank, ...] = ("x", "f", "v")


@dataclass(frozen=True)
class Budget:
    """Effort of one call: the solver's deterministic seconds, and seconds of the wall clock."""

    deterministic: float
    wall: float


def exact_schedule(
    graph: Graph,
    ii: int,
    budget: Budget,
    *,
    registers: bool = False,
    hint: Sequence[int] | None = None,
    shorten: bool = False,
) -> Schedule | Outcome:
    """A schedule of ``ii`` cycles whose pressure fits, ``"infeasible"`` or ``"unknown"``.

    ``registers`` places every web in aligned registers within the model, over positions instead of
    cycles: slower, but what it finds can be coloured. ``shorten`` minimises the lifetimes (the
    best found within the budget is returned). ``hint`` are times of a schedule to start from.
    """
    earliest = longest_paths(graph, ii)
    if earliest is None:
        return "infeasible"
    few = max(earliest, default=0) // ii + 2
    # An operation whose every incoming edge has a whole interval to spare could issue an interval
    # earlier, so no schedule needs more stages than operations: that makes refutations complete.
    for stages in (few, max(few, graph.count)):
        model = _Model(graph, ii, stages)
        outcome = model.run(budget, registers=registers, hint=hint, shorten=shorten)
        if outcome != "infeasible":
            return outcome
    return "infeasible"


class _Model:
    def __init__(self, graph: Graph, ii: int, stages: int) -> None:
        self.graph = graph
        self.ii = ii
        self.stages = stages
        self.model = model = cp_model.CpModel()
        last = ii - 1 - graph.dead
        self.cycles = [
            model.new_int_var(last if i == graph.branch else 0, last, f"cycle{i}")
            for i in range(graph.count)
        ]
        self.stage = [model.new_int_var(0, stages - 1, f"stage{i}") for i in range(graph.count)]
        self.times = [
            ii * stage + cycle for stage, cycle in zip(self.stage, self.cycles, strict=True)
        ]
        # Positions: cycles where order within a cycle is left open, else slots.
        self.grain = 1
        self.slots: Sequence[cp_model.IntVar] = self.cycles
        self.points: Sequence[cp_model.LinearExpr] = self.times
        self.lives: dict[int, cp_model.IntVar] = {}
        # The earliest operation is in the first pass: schedules are told apart by shape only.
        if graph.count:
            first = model.new_int_var(0, 0, "first")
            model.add_min_equality(first, self.stage)

    def run(
        self, budget: Budget, *, registers: bool, hint: Sequence[int] | None, shorten: bool
    ) -> Schedule | Outcome:
        """Add what is asked for, then solve."""
        self.dependences()
        self.units()
        if registers:
            self.positions()
        self.pressure()
        if registers:
            self.places()
        if hint is not None:
            self.hint(hint)
        if shorten:
            self.shorten()
        return self.solve(budget)

    def dependences(self) -> None:
        """Latencies between issue cycles."""
        for edge in self.graph.edges:
            if edge.source == edge.target:
                continue
            gap = edge.latency - self.ii * edge.distance
            self.model.add(self.times[edge.target] - self.times[edge.source] >= gap)

    def units(self) -> None:
        """Every resource as intervals of cycles; those that wrap around appear twice."""
        ii = self.ii
        issuing = [c for i, c in enumerate(self.cycles) if i not in self.graph.free]
        self._cumulative([(c, 1, 1) for c in issuing], self.graph.width)
        rows: dict[str, list[tuple[cp_model.LinearExprT, int, int]]] = {}
        for cycle, usages in zip(self.cycles, self.graph.usages, strict=True):
            for usage in usages:
                # Whole turns of the kernel are taken always; the rest is an interval.
                turns, rest = divmod(usage.length, ii)
                row = rows.setdefault(usage.resource, [])
                if turns:
                    row.append((0, ii, turns * usage.amount))
                if rest:
                    row.append((cycle + usage.start, rest, usage.amount))
        for resource, row in rows.items():
            capacity = self.graph.capacity[resource]
            if sum(amount for *_, amount in row) > capacity:
                self._cumulative(row, capacity)

    def _cumulative(
        self, row: Sequence[tuple[cp_model.LinearExprT, int, int]], capacity: int
    ) -> None:
        intervals: list[cp_model.IntervalVar] = []
        amounts: list[int] = []
        # Starts may lie behind the kernel's end (a unit taken after issue): two turns cover that.
        for start, length, amount in row:
            turns = (0,) if length == 1 and not isinstance(start, int) else (0, self.ii)
            if not isinstance(start, cp_model.IntVar):
                turns = (-self.ii, 0, self.ii)
            for turn in turns:
                intervals.append(self.model.new_fixed_size_interval_var(start + turn, length, ""))
                amounts.append(amount)
        if all(2 * amount > capacity for amount in amounts):
            self.model.add_no_overlap(intervals)
        else:
            self.model.add_cumulative(intervals, amounts, capacity)

    def positions(self) -> None:
        """Slots within cycles, so that order is exact where registers are handed over."""
        width, model = self.graph.width, self.model
        inside = [model.new_int_var(0, width - 1, "") for _ in self.cycles]
        slots = [model.new_int_var(0, width * self.ii - 1, "") for _ in self.cycles]
        for slot, cycle, k in zip(slots, self.cycles, inside, strict=True):
            model.add(slot == width * cycle + k)
        self.grain = width
        model.add_all_different(slots)
        self.slots = slots
        self.points = [width * t + k for t, k in zip(self.times, inside, strict=True)]
        if self.graph.branch is not None:
            # Nothing follows the branch in its cycle.
            model.add(inside[self.graph.branch] == width - 1)
        turn = width * self.ii
        for edge in self.graph.edges:
            if edge.latency == 0 and edge.source != edge.target:
                gap = 1 - turn * edge.distance
                model.add(self.points[edge.target] - self.points[edge.source] >= gap)

    def pressure(self) -> None:
        """Lifetimes, and the registers that they take at once."""
        turn = self.grain * self.ii
        for index, web in enumerate(self.graph.webs):
            if not web.resident:
                self.lives[index] = self._life(web, turn)
        for bank in BANKS:
            webs = [i for i in self.lives if self.graph.webs[i].bank == bank]
            free = self.graph.free_registers(bank)
            if sum(self.graph.webs[i].group for i in webs) <= free:
                continue
            intervals: list[cp_model.IntervalVar] = []
            demands: list[int] = []
            for i in webs:
                for shift in (0, turn):
                    intervals.append(self._interval(i, shift))
                    demands.append(self.graph.webs[i].group)
            self.model.add_cumulative(intervals, demands, free)
        masks = [i for i in self.lives if self.graph.webs[i].mask]
        if len(masks) > 1:
            self.model.add_no_overlap([self._interval(i, s) for i in masks for s in (0, turn)])

    def _life(self, web: Web, turn: int) -> cp_model.IntVar:
        assert web.definition is not None
        length = self.model.new_int_var(1 if self.grain > 1 or not web.uses else 0, turn, "")
        start = self.points[web.definition]
        overhang = web.overhang if self.grain > 1 else 0
        for use in web.uses:
            span = self.points[use.operation] - start
            self.model.add(span + turn * use.distance + overhang <= length)
        return length

    def _interval(self, web: int, shift: int) -> cp_model.IntervalVar:
        definition = self.graph.webs[web].definition
        assert definition is not None
        end = self.model.new_int_var(0, 3 * self.grain * self.ii, "")
        return self.model.new_interval_var(
            self.slots[definition] + shift, self.lives[web], end, f"life{web}"
        )

    def places(self) -> None:
        """Aligned registers: webs that are always taken lie at the top, the widest first."""
        turn = self.grain * self.ii
        for bank in BANKS:
            webs = [i for i in self.lives if self.graph.webs[i].bank == bank]
            free = self.graph.free_registers(bank)
            if sum(self.graph.webs[i].group for i in webs) <= free:
                continue
            times: list[cp_model.IntervalVar] = []
            rows: list[cp_model.IntervalVar] = []
            for i in webs:
                group = self.graph.webs[i].group
                base = self.model.new_int_var(0, free // group - 1, f"base{i}")
                for shift in (0, turn):
                    times.append(self._interval(i, shift))
                    rows.append(self.model.new_fixed_size_interval_var(group * base, group, ""))
            self.model.add_no_overlap_2d(times, rows)

    def hint(self, times: Sequence[int]) -> None:
        for i, time in enumerate(times):
            self.model.add_hint(self.cycles[i], time % self.ii)
            self.model.add_hint(self.stage[i], min(time // self.ii, self.stages - 1))

    def shorten(self) -> None:
        """Least registers times lifetimes; of equals the shortest prologue."""
        lives = sum(self.graph.webs[i].group * life for i, life in self.lives.items())
        self.model.minimize(self.grain * lives + sum(self.stage))

    def solve(self, budget: Budget) -> Schedule | Outcome:
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.max_deterministic_time = budget.deterministic
        solver.parameters.max_time_in_seconds = budget.wall
        status = solver.solve(self.model)
        if status == cp_model.INFEASIBLE:
            return "infeasible"
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return "unknown"
        times = [solver.value(time) for time in self.times]
        if self.grain == 1:
            return ordered(self.graph, self.ii, times)
        slots = {i: solver.value(slot) for i, slot in enumerate(self.slots)}
        order = sorted(range(self.graph.count), key=lambda i: slots[i])
        return Schedule(self.ii, tuple(times), tuple(order))
