"""Exact modulo scheduling: integer times and intervals for a constraint solver (CP-SAT).

A time is ``ii * stage + cycle``; dependences are differences of times, units are intervals of
cycles that wrap around, lifetimes are intervals whose demand is the size of the register group.
Boolean variables per operation and cycle would be many times slower.

Operations that queue may start later than they issue: while they wait for operands they keep their
unit, while they wait for that they keep all behind them in the queue.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from ortools.sat.python import cp_model

from oxegg.emit.modulo.bounds import longest_paths
from oxegg.emit.modulo.graph import Graph, Schedule, Web, by_starts
from oxegg.emit.modulo.order import ordered
from oxegg.emit.program import Bank

Outcome = Literal["infeasible", "unknown"]
BANKS: tuple[Bank, ...] = ("x", "f", "v")


@dataclass
class Budget:
    """The solver's deterministic seconds that are ``left``: no clock decides what is found."""

    left: float


def impossible(graph: Graph, ii: int, budget: Budget) -> bool:
    """Whether starts and units alone rule out ``ii``, whatever the text and its registers."""
    return _solved(_by_starts_alone(graph), ii, budget, lambda model: None) == "infeasible"


def _by_starts_alone(graph: Graph) -> Graph:
    """The same loop without what happens to queued operations before they start."""
    usages = tuple(
        tuple(usage for usage in row if usage.held) if i in graph.queued else row
        for i, row in enumerate(graph.usages)
    )
    free = graph.free | graph.queued
    return replace(by_starts(graph), usages=usages, free=free, queued=frozenset())


def exact_schedule(
    graph: Graph,
    ii: int,
    budget: Budget,
    *,
    registers: bool = False,
    hint: Sequence[int] | None = None,
    shorten: bool = False,
    queue: bool = False,
) -> Schedule | Outcome:
    """A schedule of ``ii`` cycles whose pressure fits, ``"infeasible"`` or ``"unknown"``.

    Operations issue right before they leave the queue; with ``queue`` whenever there is room, so
    that ``"infeasible"`` says that no text keeps the interval.
    ``registers`` places every web in aligned registers within the model, over positions instead of
    cycles: slower, but what it finds can be coloured. ``shorten`` minimises the lifetimes (the
    best found within the budget is returned). ``hint`` are times of a schedule to start from.
    """

    def more(model: _Model) -> None:
        if queue:
            model.first_in_first_out()
        if registers:
            model.positions()
        model.pressure()
        if registers:
            model.places()
        if hint is not None:
            model.hint(hint)
        if shorten:
            model.shorten()

    return _solved(graph, ii, budget, more, queue=queue)


def _solved(
    graph: Graph,
    ii: int,
    budget: Budget,
    more: "Callable[[_Model], None]",
    *,
    queue: bool = False,
) -> Schedule | Outcome:
    """Dependences, units and ``more``; in few stages first."""
    earliest = longest_paths(by_starts(graph), ii)
    if earliest is None:
        return "infeasible"
    few = max(earliest, default=0) // ii + 2
    # An operation whose every incoming edge has a whole interval to spare could issue an interval
    # earlier, so no schedule needs more stages than operations: that makes refutations complete.
    for stages in (few, max(few, graph.count)):
        if budget.left <= 0:
            return "unknown"
        model = _Model(graph, ii, stages, queue=queue)
        model.dependences()
        model.units()
        more(model)
        outcome = model.solve(budget)
        if outcome != "infeasible":
            return outcome
    return "infeasible"


class _Model:
    def __init__(self, graph: Graph, ii: int, stages: int, *, queue: bool = False) -> None:
        self.graph = graph
        self.ii = ii
        self.stages = stages
        self.model = model = cp_model.CpModel()
        last = ii - 1 - graph.dead
        self.cycles = [
            model.new_int_var(last, last, f"cycle{i}")
            if i == graph.branch
            else model.new_int_var(0, ii - 1 if i in graph.free else last, f"cycle{i}")
            for i in range(graph.count)
        ]
        self.stage = [model.new_int_var(0, stages - 1, f"stage{i}") for i in range(graph.count)]
        self.waits: dict[int, cp_model.IntVar | int] = {}
        # Where in the kernel an operation leaves the queue, and after how many cycles there.
        self.leaving: list[cp_model.IntVar] = list(self.cycles)
        self.queueing: list[cp_model.LinearExpr | int] = [0] * graph.count
        for i in graph.queued if queue else ():
            self.leaving[i] = model.new_int_var(0, ii - 1, f"leaving{i}")
            turns = model.new_int_var(0, graph.depth, "")
            self.queueing[i] = self.leaving[i] + ii * turns - self.cycles[i]
            model.add(self.queueing[i] >= 0)
        self.times = [
            ii * stage + cycle for stage, cycle in zip(self.stage, self.cycles, strict=True)
        ]
        self.starts = [time + self.queueing[i] + self._wait(i) for i, time in enumerate(self.times)]
        # Positions: cycles where order within a cycle is left open, else slots.
        self.grain = 1
        self.slots: Sequence[cp_model.IntVar] = self.cycles
        self.points: Sequence[cp_model.LinearExpr] = self.times
        self.lives: dict[int, cp_model.IntVar] = {}
        # The earliest operation is in the first pass: schedules are told apart by shape only.
        if graph.count:
            first = model.new_int_var(0, 0, "first")
            model.add_min_equality(first, self.stage)

    def _wait(self, operation: int) -> cp_model.IntVar | int:
        """Cycles that an operation waits at its unit; nobody waits where no time is left."""
        held = [u.length for u in self.graph.usages[operation] if u.held]
        most = self.ii - max(held, default=self.ii)
        self.waits[operation] = 0
        if operation in self.graph.queued and most > 0:
            self.waits[operation] = self.model.new_int_var(0, most, f"wait{operation}")
        return self.waits[operation]

    def dependences(self) -> None:
        """The text's order by issue cycles, latencies between starts."""
        for edge in self.graph.edges:
            if edge.source == edge.target:
                continue
            turns = self.ii * edge.distance
            behind = self.times[edge.target] - self.times[edge.source] + turns
            if edge.source not in self.graph.queued:
                self.model.add(behind >= edge.latency)
                continue
            self.model.add(behind >= 0)
            if edge.least is not None:
                after = self.starts[edge.target] - self.starts[edge.source] + turns
                self.model.add(after >= edge.least)

    def units(self) -> None:
        """Every resource as intervals of cycles; those that wrap around appear twice."""
        ii = self.ii
        issuing = [c for i, c in enumerate(self.cycles) if i not in self.graph.free]
        self._cumulative([(c, 1, 1) for c in issuing], self.graph.width)
        rows: dict[str, list[tuple[cp_model.LinearExprT, cp_model.LinearExprT, int]]] = {}
        for i, (cycle, usages) in enumerate(zip(self.cycles, self.graph.usages, strict=True)):
            for usage in usages:
                # Whole turns of the kernel are taken always; the rest is an interval.
                turns, rest = divmod(usage.length, ii)
                row = rows.setdefault(usage.resource, [])
                if turns:
                    row.append((0, ii, turns * usage.amount))
                if rest:
                    length = rest + self.waits[i] if usage.held else rest
                    begin = self.leaving[i] if usage.start else cycle
                    row.append((begin + usage.start, length, usage.amount))
        for resource, row in rows.items():
            capacity = self.graph.capacity[resource]
            if sum(amount for *_, amount in row) > capacity:
                self._cumulative(row, capacity)

    def _cumulative(
        self,
        row: Sequence[tuple[cp_model.LinearExprT, cp_model.LinearExprT, int]],
        capacity: int,
    ) -> None:
        intervals: list[cp_model.IntervalVar] = []
        amounts: list[int] = []
        # Starts may lie behind the kernel's end (a unit taken after issue): two turns cover that.
        for start, length, amount in row:
            single = isinstance(length, int) and length == 1
            turns = (0,) if single and not isinstance(start, int) else (0, self.ii)
            if not isinstance(start, cp_model.IntVar):
                turns = (-self.ii, 0, self.ii)
            for turn in turns:
                intervals.append(self._taken(start + turn, length))
                amounts.append(amount)
        if all(2 * amount > capacity for amount in amounts):
            self.model.add_no_overlap(intervals)
        else:
            self.model.add_cumulative(intervals, amounts, capacity)

    def _taken(
        self, start: cp_model.LinearExprT, length: cp_model.LinearExprT
    ) -> cp_model.IntervalVar:
        if isinstance(length, int):
            return self.model.new_fixed_size_interval_var(start, length, "")
        end = self.model.new_int_var(-self.ii, 4 * self.ii, "")
        return self.model.new_interval_var(start, length, end, "")

    def first_in_first_out(self) -> None:
        """Operations leave the queue in the order in which they issue, one per cycle."""
        model, queued, apart = self.model, sorted(self.graph.queued), self.graph.apart
        out = {i: self.cycles[i] + self.queueing[i] for i in queued}
        for i, j in combinations(queued, 2):
            before = model.new_bool_var("")
            for first, second, literal in ((i, j, before), (j, i, before.negated())):
                for constraint in (
                    self.cycles[first] <= self.cycles[second],
                    out[first] + apart <= out[second],
                    out[second] + apart <= out[first] + self.ii,
                ):
                    model.add(constraint).only_enforce_if(literal)  # pyright: ignore[reportUnknownMemberType]

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
            if edge.source != edge.target:
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
        solver.parameters.max_deterministic_time = budget.left
        status = solver.solve(self.model)
        budget.left -= solver.response_proto.deterministic_time
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
