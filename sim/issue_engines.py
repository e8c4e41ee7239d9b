"""Issue of the instructions of OXM-1's engines: tiles, near memory, DMA."""

from math import ceil

from oxegg.costmodels import row_cycles, timing
from oxegg.sim.events import CopyEvent, Event, NearMemoryEvent, WaitEvent
from oxegg.sim.plans import TICKS, Plan
from oxegg.sim.scoreboard import Scoreboard
from oxegg.sim.times import VectorResult

NEAR_MEMORY_ISSUE = "NM issue"
NEAR_MEMORY_CYCLES = 4
"""Cycles of the core for each near-memory command (ISA manual, "Xoxn")."""
SYNCHRONOUS = frozenset({"ox.nm.off", "ox.nm.wait"})


def issue_tile(board: Scoreboard, plan: Plan, new_lines: int | None, event: Event | None) -> None:
    """A tile instruction: it issues in order, when its unit and all of its operands are free.

    The first row of the result is written ``latency - occupancy`` after the start, when older
    readers of the tile must have passed.
    """
    del event
    free = board.units.setdefault(plan.unit, [0] * plan.copies)
    board.wait(min(free), "unit")
    depth = plan.latency - plan.occupancy
    for register in plan.writes:
        board.wait(board.tile_readers.get(register, 0) - depth, "operand")
        board.wait(board.scalar.get(register, 0) - plan.latency, "operand")
    board.wait(board.hazards(plan), "operand")
    if plan.memory:
        board.wait(board.vector_stores, "memory")
    if plan.memory == "store":
        board.wait(board.vector_loads, "memory")
    start, occupancy, latency = board.memory_time(plan, new_lines, board.now)
    end = start + occupancy
    free[free.index(min(free))] = end
    board.busy[plan.unit] += occupancy
    board.spans.append((start, start, end, start + latency))
    for register in plan.tiles_read:
        board.tile_readers[register] = max(board.tile_readers.get(register, 0), end)
    for register in plan.writes:
        board.scalar[register] = start + latency
    board.record(plan, VectorResult(start + latency, occupancy, chains=False), start, end)


def issue_near_memory(
    board: Scoreboard, plan: Plan, new_lines: int | None, event: Event | None
) -> None:
    """A command: the core needs some cycles to send it, the channel takes them in order."""
    del new_lines
    machine, costs = board.costs.machine, board.costs
    sender = board.units.setdefault(NEAR_MEMORY_ISSUE, [0])
    board.wait(sender[0], "unit")
    if plan.memory:
        board.wait(board.vector_stores, "memory")
    if plan.name in SYNCHRONOUS:
        board.wait(max(board.near_memory, default=0), "near memory")
    if plan.name == "ox.nm.on":
        board.wait(board.finish(), "memory")
    board.near_memory = board.near_memory[-machine.vector.queue_depth :]
    if len(board.near_memory) >= machine.vector.queue_depth:
        board.wait(board.near_memory[0], "near memory")
    sender[0] = board.now + NEAR_MEMORY_CYCLES * TICKS
    if plan.name == "ox.nm.wait":
        busy = 0
    else:
        repeat, precharges, activates = event if isinstance(event, NearMemoryEvent) else (1, 0, 0)
        busy = timing(machine, plan.name, repeat=repeat, subcycles=TICKS).occupancy
        busy += row_cycles(machine, precharges=precharges, activates=activates, subcycles=TICKS)
    begin = max(sender[0] + costs.link_latency, *board.near_memory[-1:], 0)
    end = begin + busy
    board.near_memory.append(end)
    board.spans.append((board.now, begin, end, end))
    board.busy[plan.unit] += busy
    for register in plan.writes:
        board.scalar[register] = end + costs.link_latency


def issue_dma(board: Scoreboard, plan: Plan, new_lines: int | None, event: Event | None) -> None:
    """Start a transfer, or wait for transfers."""
    del new_lines
    if isinstance(event, WaitEvent):
        if event.age < len(board.copies):
            board.wait(board.copies[-1 - event.age], "dma")
        board.spans.append((board.now, board.now, board.now, board.now))
    elif isinstance(event, CopyEvent):
        _copy(board, event)
        for register in plan.writes:
            board.scalar[register] = board.now + plan.latency
    else:
        board.wait(board.finish(), "memory")
        board.spans.append((board.now, board.now, board.now, board.now))


def _copy(board: Scoreboard, copy: CopyEvent) -> None:
    """A transfer's set-up, then its requests: they share the port and the DRAM channel.

    Older vector accesses come first: they may still read its target or write its source.
    """
    machine = board.costs.machine
    dma = machine.dma
    assert dma is not None, "timing() refuses DMA instructions without the engine"
    queue = board.units.setdefault(f"DMA queue {copy.queue}", [0])
    port = board.units.setdefault("DMA port", [0])
    vector = max(board.vector_loads, board.vector_stores)
    begin = max(max(board.now, queue[0]) + dma.setup * TICKS, port[0], vector)
    latency = board.costs.dram_latency if copy.dram_bytes else board.costs.spm_latency
    in_flight = dma.outstanding * dma.burst_bytes * TICKS / latency
    rate = min(dma.port_bytes, in_flight)
    duration = max(ceil(copy.bytes * TICKS / rate), copy.bursts * TICKS)
    if copy.dram_bytes:
        begin = max(begin, board.channel)
        shared = ceil(copy.dram_bytes * TICKS / machine.dram_bytes_per_cycle)
        board.channel = begin + shared
        board.busy["DRAM"] += shared
        duration = max(duration, shared)
    queue[0] = port[0] = begin + duration
    board.busy["DMA"] += duration
    board.copies.append(begin + duration + latency)
    board.spans.append((board.now, begin, begin + duration, board.copies[-1]))
