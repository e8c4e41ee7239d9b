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
from math import ceil
from typing import NamedTuple

from oxegg.costmodels import row_cycles, timing
from oxegg.sim.events import CopyEvent, Event, NearMemoryEvent, WaitEvent
from oxegg.sim.plans import TICKS, Costs, Plan

STORE_BUFFER_LINES = 16
NEAR_MEMORY_ISSUE = "NM issue"
NEAR_MEMORY_CYCLES = 4
"""Cycles of the core for each near-memory command (ISA manual, "Xoxn")."""
SYNCHRONOUS = frozenset({"ox.nm.off", "ox.nm.wait"})


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
    near_memory: tuple[int, ...] = ()
    copies: tuple[int, ...] = ()


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
    near_memory: list[int] = field(default_factory=list[int])
    """Ends of the near-memory commands that are under way."""
    copies: list[int] = field(default_factory=list[int])
    """Ends of the latest DMA transfers, in the order of their starts."""
    busy: Counter[str] = field(default_factory=Counter[str])
    stalls: Counter[str] = field(default_factory=Counter[str])
    spans: list[tuple[int, int, int, int]] = field(default_factory=list[tuple[int, int, int, int]])
    """Of each instruction: issue, start, end of the occupation of its unit, result."""

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
            near_memory=list(times.near_memory),
            copies=list(times.copies),
        )

    # Issue

    def wait(self, tick: int, cause: str) -> None:
        """Stop issuing until ``tick``."""
        if tick > self.now:
            cycle = -(-tick // TICKS) * TICKS
            self.stalls[cause] += cycle - self.now
            self.now, self.slot = cycle, 0

    def issue(self, plan: Plan, new_lines: int | None, event: Event | None = None) -> None:
        """Issue one instruction; ``new_lines``: DRAM lines touched first, None in scratchpad.

        ``event`` is what an engine's instruction told the clock.
        """
        if self.slot >= self.costs.width:
            self.now, self.slot = self.now + TICKS, 0
        for register in plan.reads:
            self.wait(self.scalar.get(register, 0), "operand")
        if plan.vector:
            self._enqueue(plan, new_lines)
        elif plan.engine == "tensor":
            self._tile(plan, new_lines)
        elif plan.engine == "near_memory":
            self._near_memory(plan, event)
        elif plan.engine == "dma":
            self._dma(plan, event)
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
        self.spans.append((self.now, self.now, self.now + plan.occupancy, self.now + latency))
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
        self.spans.append((start, start, end, start + latency))
        for register in plan.tiles_read:
            self.tile_readers[register] = max(self.tile_readers.get(register, 0), end)
        for register in plan.writes:
            self.scalar[register] = start + latency
        self._record(plan, VectorResult(start + latency, occupancy, chains=False), start, end)

    # Near memory and DMA

    def _near_memory(self, plan: Plan, event: Event | None) -> None:
        """A command: the core needs some cycles to send it, the channel takes them in order."""
        machine, costs = self.costs.machine, self.costs
        sender = self.units.setdefault(NEAR_MEMORY_ISSUE, [0])
        self.wait(sender[0], "unit")
        if plan.memory:
            self.wait(self.vector_stores, "memory")
        if plan.name in SYNCHRONOUS:
            self.wait(max(self.near_memory, default=0), "near memory")
        if plan.name == "ox.nm.on":
            self.wait(self.finish(), "memory")
        self.near_memory = self.near_memory[-machine.vector.queue_depth :]
        if len(self.near_memory) >= machine.vector.queue_depth:
            self.wait(self.near_memory[0], "near memory")
        sender[0] = self.now + NEAR_MEMORY_CYCLES * TICKS
        if plan.name == "ox.nm.wait":
            busy = 0
        else:
            repeat, precharges, activates = (
                event if isinstance(event, NearMemoryEvent) else (1, 0, 0)
            )
            busy = timing(machine, plan.name, repeat=repeat, subcycles=TICKS).occupancy
            busy += row_cycles(machine, precharges=precharges, activates=activates, subcycles=TICKS)
        begin = max(sender[0] + costs.link_latency, *self.near_memory[-1:], 0)
        end = begin + busy
        self.near_memory.append(end)
        self.spans.append((self.now, begin, end, end))
        self.busy[plan.unit] += busy
        for register in plan.writes:
            self.scalar[register] = end + costs.link_latency

    def _dma(self, plan: Plan, event: Event | None) -> None:
        """Start a transfer, or wait for transfers."""
        if isinstance(event, WaitEvent):
            if event.age < len(self.copies):
                self.wait(self.copies[-1 - event.age], "dma")
            self.spans.append((self.now, self.now, self.now, self.now))
        elif isinstance(event, CopyEvent):
            self._copy(event)
            for register in plan.writes:
                self.scalar[register] = self.now + plan.latency
        else:
            self.wait(self.finish(), "memory")
            self.spans.append((self.now, self.now, self.now, self.now))

    def _copy(self, copy: CopyEvent) -> None:
        """A transfer's set-up, then its requests: they share the port and the DRAM channel."""
        machine = self.costs.machine
        dma = machine.dma
        assert dma is not None, "timing() refuses DMA instructions without the engine"
        queue = self.units.setdefault(f"DMA queue {copy.queue}", [0])
        port = self.units.setdefault("DMA port", [0])
        begin = max(max(self.now, queue[0]) + dma.setup * TICKS, port[0])
        latency = self.costs.dram_latency if copy.dram_bytes else self.costs.spm_latency
        in_flight = dma.outstanding * dma.burst_bytes * TICKS / latency
        rate = min(dma.port_bytes, in_flight)
        duration = max(ceil(copy.bytes * TICKS / rate), copy.bursts * TICKS)
        if copy.dram_bytes:
            begin = max(begin, self.channel)
            shared = ceil(copy.dram_bytes * TICKS / machine.dram_bytes_per_cycle)
            self.channel = begin + shared
            self.busy["DRAM"] += shared
            duration = max(duration, shared)
        queue[0] = port[0] = begin + duration
        self.busy["DMA"] += duration
        self.copies.append(begin + duration + latency)
        self.spans.append((self.now, begin, begin + duration, self.copies[-1]))

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
        gap = self.costs.arithmetic_gap if plan.unit == "VA" else self.costs.sequencer_gap
        free[free.index(min(free))] = end + gap
        self.busy[plan.unit] += occupancy
        self._record(plan, VectorResult(start + latency, occupancy, plan.chains), start, end)
        # The last element group of a chaining result follows the first at the unit's pace.
        whole = start + latency + (occupancy if plan.chains else 0)
        self.spans.append((self.now, start, end, whole))
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
            *self.near_memory,
            *self.copies,
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
            near_memory=tuple(tick - now for tick in self.near_memory if tick > now),
            copies=_pending(self.copies, now),
        )


def _complete(result: VectorResult) -> int:
    return result.first + (result.occupancy if result.chains else 0)


def _pending(ends: list[int], now: int) -> tuple[int, ...]:
    """Ends after ``now`` in the order of starts; 0 for what ended before an older one."""
    left = [max(0, tick - now) for tick in ends]
    while left and not left[0]:
        left.pop(0)
    return tuple(left)


def _after(ticks: Mapping[int, int], now: int) -> tuple[tuple[int, int], ...]:
    return tuple(sorted((key, tick - now) for key, tick in ticks.items() if tick > now))
