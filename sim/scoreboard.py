"""One pass over a block: the in-order scoreboard.

The scalar core issues up to ``width`` instructions per cycle in order. A vector instruction enters
a command queue (the core waits while it is full), leaves it in order, at most one per cycle, for
its sequencer - arithmetic, load or store - which it keeps until its last element group has been
issued. A consumer of a chaining producer starts ``latency`` after it, later if it would otherwise
finish first; behind any other producer it waits for the whole result.

Memory: scratchpad accesses take the latency of their class. Elsewhere the first touch of each
64-byte line takes the DRAM latency and its share of the DRAM channel; all later touches cost
the L2 latency (an L2 without capacity misses). A scalar access waits for older vector accesses that
it must not overtake. Vector loads may overtake vector stores: the model takes their
addresses to be disjoint, as a machine finds out by comparing them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from oxegg.sim.plans import TICKS, Costs, Plan

STORE_BUFFER_LINES = 16


class VectorResult(NamedTuple):
    """When a register's result can be read: its first group, or all of it unless ``chains``."""

    first: int
    occupancy: int
    chains: bool


class Reader(NamedTuple):
    """Latest start and end of the instructions that read a vector register."""

    start: int
    end: int


@dataclass(frozen=True)
class Times:
    """The scoreboard between two blocks; times are ticks after the present cycle, 0 if passed."""

    slot: int = 0
    scalar: tuple[tuple[int, int], ...] = ()
    units: tuple[tuple[str, tuple[int, ...]], ...] = ()
    results: tuple[tuple[int, VectorResult], ...] = ()
    readers: tuple[tuple[int, Reader], ...] = ()
    queue: tuple[int, ...] = ()
    channel: int = 0
    vector_loads: int = 0
    vector_stores: int = 0
    tile_readers: tuple[tuple[int, int], ...] = ()


@dataclass
class Scoreboard:
    """Working state of one pass, which starts at tick 0 from the block before's ``Times``."""

    costs: Costs
    now: int = 0
    slot: int = 0
    scalar: dict[int, int] = field(default_factory=dict[int, int])
    units: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    results: dict[int, VectorResult] = field(default_factory=dict[int, VectorResult])
    readers: dict[int, Reader] = field(default_factory=dict[int, Reader])
    queue: list[int] = field(default_factory=list[int])
    channel: int = 0
    vector_loads: int = 0
    vector_stores: int = 0
    tile_readers: dict[int, int] = field(default_factory=dict[int, int])
    busy: Counter[str] = field(default_factory=Counter[str])
    stalls: Counter[str] = field(default_factory=Counter[str])

    @classmethod
    def resume(cls, costs: Costs, times: Times) -> "Scoreboard":
        """A scoreboard that continues after ``times``."""
        return cls(
            costs,
            slot=times.slot,
            scalar=dict(times.scalar),
            units={unit: list(free) for unit, free in times.units},
            results=dict(times.results),
            readers=dict(times.readers),
            queue=list(times.queue),
            channel=times.channel,
            vector_loads=times.vector_loads,
            vector_stores=times.vector_stores,
            tile_readers=dict(times.tile_readers),
        )

    # Issue

    def wait(self, tick: int, cause: str) -> None:
        """Stop issuing until ``tick``."""
        if tick > self.now:
            cycle = -(-tick // TICKS) * TICKS
            self.stalls[cause] += cycle - self.now
            self.now, self.slot = cycle, 0

    def issue(self, plan: Plan, new_lines: int | None) -> None:
        """Issue one instruction; ``new_lines``: DRAM lines touched first, None in scratchpad."""
        if self.slot >= self.costs.width:
            self.now, self.slot = self.now + TICKS, 0
        for register in plan.reads:
            self.wait(self.scalar.get(register, 0), "operand")
        if plan.vector:
            self._enqueue(plan, new_lines)
        elif plan.engine == "tensor":
            self._tile(plan, new_lines)
        else:
            self._scalar(plan, new_lines)
        self.slot += 1

    def _scalar(self, plan: Plan, new_lines: int | None) -> None:
        free = self.units.setdefault(plan.unit, [0] * plan.copies)
        self.wait(min(free), "unit")
        if plan.fence:
            self.wait(self.finish(), "memory")
        latency = plan.latency
        if plan.memory:
            self.wait(self.vector_stores, "memory")
            if plan.memory == "store":
                self.wait(self.vector_loads, "memory")
            latency += self._scalar_memory(plan, new_lines)
        free[free.index(min(free))] = self.now + plan.occupancy
        self.busy[plan.unit] += plan.occupancy
        for register in plan.writes:
            self.scalar[register] = self.now + latency

    def _scalar_memory(self, plan: Plan, new_lines: int | None) -> int:
        """Ticks beyond the scratchpad's latency."""
        if new_lines is None:
            return 0
        if new_lines == 0:
            return max(0, self.costs.l2_latency - plan.latency)
        if plan.memory == "store":
            backlog = STORE_BUFFER_LINES * self.costs.line
            self.wait(self.channel - backlog, "memory")
        self.channel = max(self.now, self.channel) + new_lines * self.costs.line
        self.busy["DRAM"] += new_lines * self.costs.line
        return max(0, self.channel + self.costs.dram_latency - self.now - plan.latency)

    # Tiles

    def _tile(self, plan: Plan, new_lines: int | None) -> None:
        """A tile instruction: it issues in order, when its unit and all of its operands are free.

        The first row of the result is written ``latency - occupancy`` after the start, when older
        readers of the tile must have passed.
        """
        free = self.units.setdefault(plan.unit, [0] * plan.copies)
        self.wait(min(free), "unit")
        depth = plan.latency - plan.occupancy
        for register in plan.writes:
            self.wait(self.tile_readers.get(register, 0) - depth, "operand")
            self.wait(self.scalar.get(register, 0) - plan.latency, "operand")
        self.wait(self._hazards(plan), "operand")
        if plan.memory:
            self.wait(self.vector_stores, "memory")
        if plan.memory == "store":
            self.wait(self.vector_loads, "memory")
        start, occupancy, latency = self._memory_time(plan, new_lines, self.now)
        end = start + occupancy
        free[free.index(min(free))] = end
        self.busy[plan.unit] += occupancy
        for register in plan.tiles_read:
            self.tile_readers[register] = max(self.tile_readers.get(register, 0), end)
        for register in plan.writes:
            self.scalar[register] = start + latency
        self._record(plan, VectorResult(start + latency, occupancy, chains=False), start, end)

    # Vector

    def _enqueue(self, plan: Plan, new_lines: int | None) -> None:
        depth = self.costs.queue_depth
        if len(self.queue) >= depth:
            self.wait(self.queue[-depth], "queue")
        last = self.queue[-1] if self.queue else 0
        free = self.units.setdefault(plan.unit, [0] * plan.copies)
        dequeued = max(self.now + TICKS, last + TICKS, min(free))
        self.queue = [*self.queue[-depth + 1 :], dequeued] if depth > 1 else [dequeued]
        start = max(dequeued, self._hazards(plan))
        start, occupancy, latency = self._memory_time(plan, new_lines, start)
        end = start + occupancy
        free[free.index(min(free))] = end
        self.busy[plan.unit] += occupancy
        self._record(plan, VectorResult(start + latency, occupancy, plan.chains), start, end)
        if plan.serialises:
            self.wait(start + latency, "vector to scalar")
        for register in plan.writes:
            self.scalar[register] = start + latency

    def _hazards(self, plan: Plan) -> int:
        """Earliest start by the vector registers read and written."""
        earliest = 0
        for register in plan.vector_reads:
            result = self.results.get(register)
            if result is not None:
                slower = result.occupancy - (0 if plan.whole_source else plan.occupancy)
                lag = max(0, slower) if result.chains else 0
                earliest = max(earliest, result.first + lag)
        for register in plan.vector_writes:
            result, reader = self.results.get(register), self.readers.get(register)
            if result is not None:
                lag = max(0, result.occupancy - plan.occupancy) if result.chains else 0
                earliest = max(earliest, result.first + lag - plan.latency)
            if reader is not None:
                whole = reader.end - plan.occupancy
                earliest = max(earliest, max(reader.start, whole) - plan.latency)
        return earliest

    def _memory_time(self, plan: Plan, new_lines: int | None, start: int) -> tuple[int, int, int]:
        """Start, occupancy and latency after the memory has had its say."""
        occupancy, latency = plan.occupancy, plan.latency
        if new_lines is None:
            return start, occupancy, latency
        latency = max(latency, self.costs.l2_latency)
        if new_lines:
            begin = max(start, self.channel)
            self.channel = begin + new_lines * self.costs.line
            self.busy["DRAM"] += new_lines * self.costs.line
            occupancy = max(occupancy, self.channel - start)
            # Paced by the channel: the first group comes a latency after the first line.
            latency = max(latency, begin - start + self.costs.line + self.costs.dram_latency)
        return start, occupancy, latency

    def _record(self, plan: Plan, result: VectorResult, start: int, end: int) -> None:
        for register in plan.vector_reads:
            old = self.readers.get(register, Reader(0, 0))
            self.readers[register] = Reader(max(old.start, start), max(old.end, end))
        for register in plan.vector_writes:
            self.results[register] = result
        if plan.memory == "load":
            self.vector_loads = max(self.vector_loads, end)
        elif plan.memory == "store":
            self.vector_stores = max(self.vector_stores, end)

    # End of a block

    def branch(self, *, taken: bool, backward: bool) -> None:
        """The cost of a final branch: its target's delay; a loop's exit is mispredicted."""
        cost = self.costs.taken if taken else self.costs.mispredict if backward else 0
        if cost:
            self.stalls["branch"] += cost
            self.now, self.slot = self.now + cost, 0

    def finish(self) -> int:
        """The tick at which everything issued so far is complete."""
        return max(
            self.now + (TICKS if self.slot else 0),
            self.channel,
            *self.scalar.values(),
            *(tick for free in self.units.values() for tick in free),
            *(_complete(result) for result in self.results.values()),
        )

    def times(self) -> Times:
        """The relative state for the next block."""
        now = self.now
        return Times(
            slot=self.slot,
            scalar=_after(self.scalar, now),
            units=tuple(
                sorted(
                    (unit, tuple(sorted(max(0, tick - now) for tick in free)))
                    for unit, free in self.units.items()
                    if max(free) > now
                )
            ),
            results=tuple(
                sorted(
                    (register, VectorResult(result.first - now, result.occupancy, result.chains))
                    for register, result in self.results.items()
                    if _complete(result) > now
                )
            ),
            readers=tuple(
                sorted(
                    (register, Reader(max(0, reader.start - now), reader.end - now))
                    for register, reader in self.readers.items()
                    if reader.end > now
                )
            ),
            queue=tuple(tick - now for tick in self.queue if tick > now),
            channel=max(0, self.channel - now),
            vector_loads=max(0, self.vector_loads - now),
            vector_stores=max(0, self.vector_stores - now),
            tile_readers=_after(self.tile_readers, now),
        )


def _complete(result: VectorResult) -> int:
    return result.first + (result.occupancy if result.chains else 0)


def _after(ticks: Mapping[int, int], now: int) -> tuple[tuple[int, int], ...]:
    return tuple(sorted((key, tick - now) for key, tick in ticks.items() if tick > now))
