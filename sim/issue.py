"""Issue of one instruction on the scoreboard, by the engine that executes it."""

from collections.abc import Callable, Mapping

from oxegg.costmodels import ARITHMETIC_UNITS, FIRST_PIPE
from oxegg.sim.events import Event
from oxegg.sim.issue_engines import issue_dma, issue_near_memory, issue_tile
from oxegg.sim.plans import TICKS, Plan
from oxegg.sim.scoreboard import Scoreboard
from oxegg.sim.times import VectorResult

STORE_BUFFER_LINES = 16
Issue = Callable[[Scoreboard, Plan, int | None, Event | None], None]


def issue(board: Scoreboard, plan: Plan, new_lines: int | None, event: Event | None = None) -> None:
    """Issue one instruction; ``new_lines``: DRAM lines touched first, None in scratchpad.

    ``event`` is what an engine's instruction told the clock.
    """
    if board.slot >= board.costs.width:
        board.now, board.slot = board.now + TICKS, 0
    for register in plan.reads:
        board.wait(board.scalar.get(register, 0), "operand")
    ENGINES[plan.engine](board, plan, new_lines, event)
    board.slot += 1


def _scalar(board: Scoreboard, plan: Plan, new_lines: int | None, event: Event | None) -> None:
    del event
    free = board.units.setdefault(plan.unit, [0] * plan.copies)
    board.wait(min(free), "unit")
    if plan.fence:
        board.wait(board.finish(), "memory")
    latency = plan.latency
    if plan.memory:
        board.wait(board.vector_stores, "memory")
        if plan.memory == "store":
            board.wait(board.vector_loads, "memory")
        latency += _scalar_memory(board, plan, new_lines)
    free[free.index(min(free))] = board.now + plan.occupancy
    board.busy[plan.unit] += plan.occupancy
    board.spans.append((board.now, board.now, board.now + plan.occupancy, board.now + latency))
    for register in plan.writes:
        board.scalar[register] = board.now + latency


def _scalar_memory(board: Scoreboard, plan: Plan, new_lines: int | None) -> int:
    """Ticks beyond the scratchpad's latency."""
    if new_lines is None:
        return 0
    if new_lines == 0:
        return max(0, board.costs.l2_latency - plan.latency)
    if plan.memory == "store":
        backlog = STORE_BUFFER_LINES * board.costs.line
        board.wait(board.channel - backlog, "memory")
    board.channel = max(board.now, board.channel) + new_lines * board.costs.line
    board.busy["DRAM"] += new_lines * board.costs.line
    return max(0, board.channel + board.costs.dram_latency - board.now - plan.latency)


def _vector(board: Scoreboard, plan: Plan, new_lines: int | None, event: Event | None) -> None:
    del event
    depth = board.costs.queue_depth
    if len(board.queue) >= depth:
        board.wait(board.queue[-depth], "queue")
    last, width = board.queue[-1] if board.queue else 0, board.costs.dispatch_width
    if len(board.queue) >= width:
        last = max(last, board.queue[-width] + TICKS)
    free = board.units.setdefault(plan.unit, [0] * plan.copies)
    pipe = board.units.setdefault(FIRST_PIPE, [0]) if plan.one_pipe else free
    ready = max(min(free), min(pipe))
    dequeued = max(board.now + board.costs.queue_cycles, last, ready)
    board.queue = [*board.queue[-depth + 1 :], dequeued] if depth > 1 else [dequeued]
    start = max(dequeued, board.hazards(plan))
    start, occupancy, latency = board.memory_time(plan, new_lines, start)
    end = start + occupancy
    gap = board.costs.arithmetic_gap if plan.unit in ARITHMETIC_UNITS else board.costs.sequencer_gap
    kept = occupancy - plan.occupancy + plan.share
    free[free.index(min(free))] = start + kept + gap
    board.busy[plan.unit] += kept
    if plan.one_pipe:
        pipe[0] = end + board.costs.sequencer_gap
    board.record(plan, VectorResult(start + latency, occupancy, plan.chains), start, end)
    # The last element group of a chaining result follows the first at the unit's pace.
    whole = start + latency + (occupancy if plan.chains else 0)
    board.spans.append((board.now, start, end, whole))
    if plan.serialises:
        board.wait(start + latency, "vector to scalar")
        # Issued in place it took its slot then, and not where its result arrives.
        board.slot -= board.costs.queue_cycles == 0
    for register in plan.writes:
        board.scalar[register] = start + latency


ENGINES: Mapping[str, Issue] = {
    "scalar": _scalar,
    # Warp control in front of SIMT mode: the scalar core sends it.
    "simt": _scalar,
    "vector": _vector,
    "tensor": issue_tile,
    "near_memory": issue_near_memory,
    "dma": issue_dma,
}
