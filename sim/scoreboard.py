"""The in-order scoreboard: what every instruction of a pass over a block waits for and leaves.

The scalar core issues up to ``width`` instructions per cycle in order. A vector instruction enters
a command queue (the core waits while it is full), leaves it in order, at most one per cycle (on a
core that issues them in place, ``width`` of them), for its sequencer - arithmetic, load or store -
which it keeps until its last element group has been issued. A consumer of a chaining producer
starts ``latency`` after it, later if it would otherwise finish first; behind any other producer it
waits for the whole result.

Memory: scratchpad accesses take the latency of their class. Elsewhere the first touch of each
64-byte line takes the DRAM latency and its share of the DRAM channel; all later touches cost
the L2 latency (an L2 without capacity misses). A scalar access waits for older vector accesses that
it must not overtake. Vector loads may overtake vector stores: the model takes their
addresses to be disjoint, as a machine finds out by comparing them.
"""

from collections import Counter
from dataclasses import dataclass, field

from oxegg.sim.plans import TICKS, Costs, Plan
from oxegg.sim.times import Reader, Times, VectorResult, after, complete, pending


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

    # What an instruction waits for, and what it leaves

    def wait(self, tick: int, cause: str) -> None:
        """Stop issuing until ``tick``."""
        if tick > self.now:
            cycle = -(-tick // TICKS) * TICKS
            self.stalls[cause] += cycle - self.now
            self.now, self.slot = cycle, 0

    def hazards(self, plan: Plan) -> int:
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

    def memory_time(self, plan: Plan, new_lines: int | None, start: int) -> tuple[int, int, int]:
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

    def record(self, plan: Plan, result: VectorResult, start: int, end: int) -> None:
        """Remember who reads and writes vector registers and memory until when."""
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
            *(complete(result) for result in self.results.values()),
        )

    def times(self) -> Times:
        """The relative state for the next block."""
        now = self.now
        # What starts in the cycle of its issue counts against others in that cycle.
        since = now if self.costs.queue_cycles else now - TICKS
        return Times(
            slot=self.slot,
            scalar=after(self.scalar, now),
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
                    if complete(result) > now
                )
            ),
            readers=tuple(
                sorted(
                    (register, Reader(max(0, reader.start - now), reader.end - now))
                    for register, reader in self.readers.items()
                    if reader.end > now
                )
            ),
            queue=tuple(tick - now for tick in self.queue if tick > since),
            channel=max(0, self.channel - now),
            vector_loads=max(0, self.vector_loads - now),
            vector_stores=max(0, self.vector_stores - now),
            tile_readers=after(self.tile_readers, now),
            near_memory=tuple(tick - now for tick in self.near_memory if tick > now),
            copies=pending(self.copies, now),
        )
