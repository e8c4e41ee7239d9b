"""The clock of a run: blocks are executed first and timed after, each relative state once.

The function of a program never depends on its time. A block's time depends on the scoreboard it
starts from, the vector configuration, the DRAM lines it touched first and the direction of its
final branch. The scoreboard states that occur form a graph (``ClockNode``), so a block that meets a
known state costs one dictionary lookup; loops reach a steady state after a few rounds, and nothing
is approximated.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from oxegg.costmodels import Machine, unit_copies
from oxegg.errors import SimulationError
from oxegg.sim.blocks import Block, Decoded
from oxegg.sim.events import Event, TileEvent
from oxegg.sim.issue import issue
from oxegg.sim.plans import TICKS, Plan, block_plans, costs, tile_plan
from oxegg.sim.recording import (
    MAX_SPANS,
    InstructionProfile,
    Recording,
    SimtTime,
    Span,
    Stall,
)
from oxegg.sim.scoreboard import Scoreboard
from oxegg.sim.state import VectorConfig
from oxegg.sim.times import Times

Events = list[tuple[int, Event]]
Key = tuple[int, int, int, bool] | tuple[int, int, int, bool, tuple[tuple[int, Event], ...]]


@dataclass(eq=False)
class ClockNode:
    """A scoreboard state, and the steps known from it."""

    times: Times
    steps: dict[Key, "Step"] = field(default_factory=dict[Key, "Step"])


@dataclass(eq=False)
class Step:
    """One execution of one block from one state."""

    ticks: int
    target: ClockNode
    tail: int
    block: Block
    busy: Counter[str]
    stalls: Counter[str]
    places: tuple[int, ...]
    waits: tuple[Mapping[str, int], ...]
    spans: tuple[Span, ...]
    count: int = 0


@dataclass
class Clock:
    """Time of one run on ``machine``; ``advance`` after every block."""

    machine: Machine
    ticks: int = 0
    recording: bool = False
    """Whether to remember when each step happened, for a timeline."""

    def __post_init__(self) -> None:
        self._costs = costs(self.machine)
        self._node = ClockNode(Times())
        self._nodes = {self._node.times: self._node}
        self._plans: dict[tuple[int, int, int], tuple[Plan, ...]] = {}
        self._steps: list[Step] = []
        self._tail = 0
        self._simt: list[SimtTime] = []
        self._history: list[tuple[int, Step | SimtTime]] = []
        self._recorded = 0

    @property
    def cycle(self) -> int:
        """The cycle in which the next instruction can issue."""
        return self.ticks // TICKS

    @property
    def finished(self) -> int:
        """Cycles until everything issued so far has completed."""
        return -(-(self.ticks + self._tail) // TICKS)

    def advance(
        self,
        block: Block,
        number: int,
        config: VectorConfig,
        events: Events,
        taken: bool,
    ) -> Step:
        """Account for one execution of ``block``; ``number`` identifies ``config``."""
        # Only a block that was left in the middle is shorter than others from its start.
        key: Key = (block.start, len(block.instructions), number, taken)
        if events:
            key = (*key, tuple(events))
        step = self._node.steps.get(key)
        if step is None:
            step = self._node.steps[key] = self._step(block, number, config, events, taken)
        step.count += 1
        if self.recording and self._recorded < MAX_SPANS:
            self._recorded += len(step.spans)
            self._history.append((self.ticks, step))
        self.ticks += step.ticks
        self._tail = step.tail
        self._node = step.target
        return step

    @property
    def node(self) -> ClockNode:
        """The present state of the scoreboard."""
        return self._node

    def arrive(self, step: Step, ticks: int) -> None:
        """Take over from who followed known steps, ``step`` last; they took ``ticks`` together."""
        self.ticks += ticks
        self._tail = step.tail
        self._node = step.target

    def _step(
        self,
        block: Block,
        number: int,
        config: VectorConfig,
        events: Events,
        taken: bool,
    ) -> Step:
        code = (block.start, len(block.instructions), number)
        plans = self._plans.get(code)
        if plans is None:
            plans = self._plans[code] = block_plans(self.machine, block, config)
        lines: dict[int, int] = {}
        engine_events: dict[int, Event] = {}
        for place, event in events:
            if isinstance(event, int):
                lines[place] = lines.get(place, 0) + event
            else:
                engine_events[place] = event
        board = Scoreboard.resume(self._costs, self._node.times)
        marks = [0]
        stalls = [Counter[str]()]
        for plan in plans:
            event = engine_events.get(plan.place)
            if isinstance(event, TileEvent):
                plan = tile_plan(self.machine, plan, event)
            issue(board, plan, lines.get(plan.place), event)
            marks.append(board.now)
            stalls.append(board.stalls.copy())
        last = block.instructions[-1]
        if last.record.is_branch:
            offset = last.operands.get("offset12", 0)
            board.branch(taken=taken, backward=offset < 0)
            marks[-1], stalls[-1] = board.now, board.stalls.copy()
        times = board.times()
        target = self._nodes.setdefault(times, ClockNode(times))
        places = tuple(after - before for before, after in pairwise(marks))
        waits = tuple(after - before for before, after in pairwise(stalls))
        spans = tuple(
            Span(decoded.pc, plan.unit, *times)
            for decoded, plan, times in zip(block.instructions, plans, board.spans, strict=True)
        )
        step = Step(
            board.now, target, board.finish() - board.now, block, board.busy, board.stalls, places,
            waits, spans,
        )  # fmt: skip
        self._steps.append(step)
        return step

    def simt(self, found: SimtTime) -> None:
        """Account for a stretch of SIMT mode; it starts when all before it has completed."""
        if self.recording and self._recorded < MAX_SPANS:
            self._recorded += len(found.spans)
            self._history.append((self.ticks + self._tail, found))
        self.ticks += self._tail + found.ticks
        self._tail = 0
        self._node = self._nodes.setdefault(Times(), ClockNode(Times()))
        self._simt.append(found)

    def check_roofline(self, instructions: int, dram_bytes: int) -> None:
        """Raise ``SimulationError`` if the run took less time than the hardware needs for it.

        ``instructions`` were issued and ``dram_bytes`` crossed the DRAM interface at least: counts
        of the execution, not of the scoreboard.
        """
        cycles, machine = self.finished, self.machine
        needed = {
            "issue": instructions / machine.issue_width,
            "DRAM": dram_bytes / machine.dram_bytes_per_cycle,
        }
        for unit, busy in self.busy().items():
            needed[unit] = max(needed.get(unit, 0.0), busy / unit_copies(machine, unit))
        limit = max(needed, key=lambda name: needed[name])
        if cycles < needed[limit] - 1:
            raise SimulationError(
                f"the clock is wrong: {cycles} cycles, but {limit} alone takes {needed[limit]:.0f}"
            )

    def cycles_by_pc(self) -> dict[int, float]:
        """Cycles between the issue of the instruction before and of the one at each pc."""
        found: Counter[int] = Counter()
        for step in self._steps:
            for decoded, ticks in zip(step.block.instructions, step.places, strict=True):
                found[decoded.pc] += ticks * step.count
        for stretch in self._simt:
            found.update(stretch.issue)
        return {pc: ticks / TICKS for pc, ticks in sorted(found.items())}

    def record(self) -> Recording:
        """The run's profile, and its timeline when it was recorded."""
        spans = tuple(span.moved(tick) for tick, step in self._history for span in step.spans)
        return Recording(
            instructions=self._profiles(),
            spans=spans,
            stalls=tuple(self._timed_stalls()),
            complete=self.recording and self._recorded < MAX_SPANS,
            ticks_per_cycle=TICKS,
        )

    def _profiles(self) -> dict[int, InstructionProfile]:
        """Every instruction that was executed, by pc."""
        found: dict[int, Decoded] = {}
        units: dict[int, str] = {}
        counts, stalls = Counter[int](), dict[int, Counter[str]]()
        for step in self._steps:
            for decoded, wait, span in zip(
                step.block.instructions, step.waits, step.spans, strict=True
            ):
                found[decoded.pc], units[decoded.pc] = decoded, span.unit
                counts[decoded.pc] += step.count
                waits = stalls.setdefault(decoded.pc, Counter())
                for cause, ticks in wait.items():
                    waits[cause] += ticks * step.count
        for stretch in self._simt:
            for decoded, span in zip(stretch.instructions, stretch.spans, strict=True):
                found[decoded.pc], units[decoded.pc] = decoded, span.unit
                counts[decoded.pc] += 1
        cycles = self.cycles_by_pc()
        return {
            pc: InstructionProfile(
                pc,
                str(decoded),
                units[pc],
                counts[pc],
                cycles.get(pc, 0.0),
                {cause: ticks / TICKS for cause, ticks in stalls.get(pc, Counter()).items()},
                _loop_head(decoded),
            )
            for pc, decoded in sorted(found.items())
        }

    def _timed_stalls(self) -> Iterator[Stall]:
        """The waits of the recorded steps, each before its instruction."""
        for tick, step in self._history:
            if not isinstance(step, Step):
                continue
            now = tick
            for decoded, ticks, waits in zip(
                step.block.instructions, step.places, step.waits, strict=True
            ):
                start = now
                for cause, length in waits.items():
                    yield Stall(decoded.pc, start, start + length, cause)
                    start += length
                now += ticks

    def busy(self) -> dict[str, float]:
        """Cycles that each unit was kept."""
        steps = ((step.busy, step.count) for step in self._steps)
        return _totals((*steps, *((stretch.busy, 1) for stretch in self._simt)))

    def stalls(self) -> dict[str, float]:
        """Cycles without issue, by cause."""
        steps = ((step.stalls, step.count) for step in self._steps)
        return _totals((*steps, *((stretch.stalls, 1) for stretch in self._simt)))


def _loop_head(decoded: Decoded) -> int | None:
    """Where a branch backwards jumps to; None for any other instruction."""
    operands = decoded.operands
    offset = operands.get("offset12", operands.get("offset20", 0))
    return decoded.pc + offset if offset < 0 and operands.get("rd", 0) == 0 else None


def _totals(parts: Iterable[tuple[Mapping[str, int], int]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for counter, count in parts:
        for name, ticks in counter.items():
            total[name] += ticks * count
    return {name: ticks / TICKS for name, ticks in total.most_common()}
