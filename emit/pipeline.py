"""An in-order machine as the scheduler sees it: issue slots, the vector queue, units, chaining.

A coarse stand-in for the simulator's clock, built from the same ``timing``: it only has to rank
orders of the same instructions. Branches are predicted and memory operands lie in the scratchpad.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from oxegg.costmodels import Machine, TileShape, Timing, timing, unit_copies
from oxegg.costmodels.timing import full_tile
from oxegg.emit.effects import PSEUDO, effects, instruction_of, is_tile
from oxegg.emit.program import Bank, Operation, Register
from oxegg.emit.vector_state import Demand, demand
from oxegg.isa import Instruction

# Whoever asks the vector unit for a scalar waits for it.
_SERIALISING = ("vmv_to_scalar", "vmask_scalar")


@dataclass(frozen=True)
class Step:
    """What the machine model needs of an operation; times in cycles."""

    unit: str
    occupancy: int
    share: int
    one_pipe: bool
    latency: int
    chains: bool
    is_vector: bool
    serialises: bool
    scalar_reads: tuple[Register, ...]
    vector_reads: tuple[Register, ...]
    reads: tuple[Register, ...]
    writes: tuple[Register, ...]
    result_sizes: tuple[tuple[Bank, int], ...]
    mask: Register | None
    demand: Demand | None
    uses: tuple[str, ...]
    changes: tuple[str, ...]


def step(operation: Operation, machine: Machine) -> Step:
    """Timing and registers of ``operation`` on ``machine``."""
    effect = effects(operation)
    pseudo = operation.name in PSEUDO
    instruction = None if pseudo else instruction_of(operation)
    is_vector = instruction is not None and instruction.is_vector
    cost = _timing(operation, machine, is_vector=is_vector)
    return Step(
        cost.unit,
        cost.pace,
        cost.share,
        cost.pipes > 1,
        cost.latency,
        cost.chains,
        is_vector,
        _serialises(instruction, machine),
        tuple(register for register in effect.reads if register.bank != "v"),
        tuple(register for register in effect.reads if register.bank == "v"),
        effect.reads,
        effect.writes,
        tuple((register.bank, register.group) for register in effect.writes),
        effect.mask,
        demand(operation),
        effect.uses,
        effect.changes,
    )


def _serialises(instruction: Instruction | None, machine: Machine) -> bool:
    waits = instruction is not None and instruction.timing in _SERIALISING
    return waits and machine.vector.blocking_results


def _timing(operation: Operation, machine: Machine, *, is_vector: bool) -> Timing:
    state = operation.state
    if operation.name in PSEUDO:
        return timing(machine, "addi")
    if operation.tile is not None:
        return timing(machine, operation.name, tile=tile_shape(machine, operation.tile))
    if state is not None:
        return timing(machine, operation.name, vl=state.vl, sew=state.sew, lmul=state.lmul)
    if is_vector:
        # Whole-register accesses: all of each register, whatever vl is.
        return timing(machine, operation.name, vl=machine.vlen // 8, sew=8, lmul=1)
    return timing(machine, operation.name)


def tile_shape(machine: Machine, wanted: tuple[int, int, int]) -> TileShape:
    """The shape under which a tile instruction runs; full where it doesn't matter."""
    full = full_tile(machine)
    return TileShape(wanted[0] or full.m, wanted[1] or full.n, wanted[2] or full.k)


class _Result(NamedTuple):
    """When a vector register's value can be read: its first group, or all unless ``chains``."""

    first: int
    occupancy: int
    chains: bool


class Pipeline:
    """The state of the machine after the operations issued so far."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.width = machine.issue_width
        self.depth = machine.vector_queue_depth
        self.cycle = 0
        self.slots = 0
        self.free: dict[str, list[int]] = {}
        self.scalar: dict[Register, int] = {}
        self.others: dict[str, int] = {}  # tiles and other state outside the registers
        self.tile_readers: dict[str, int] = {}  # the end of the latest one
        self.results: dict[Register, _Result] = {}
        # Latest start and end of the readers of a vector register.
        self.readers: dict[Register, tuple[int, int]] = {}
        self.queue: list[int] = []
        self.need: Demand | None = None
        # Demands are few objects, asked about again and again.
        self.merges: dict[tuple[int, int], Demand | None] = {}
        self.end = 0

    def changes_state(self, step: Step) -> bool:
        """Whether a vset instruction is needed before ``step``."""
        if step.demand is None or step.demand is self.need:
            return False
        return self._merged(step.demand) is None

    def _merged(self, demand: Demand) -> Demand | None:
        """The present demand and another together; ``None`` when no state serves both."""
        if self.need is None:
            return None
        key = (id(self.need), id(demand))
        if key not in self.merges:
            self.merges[key] = self.need.merge(demand)
        return self.merges[key]

    def earliest(self, step: Step) -> tuple[int, int, int]:
        """Cycles in which ``step`` would issue, leave the queue, and start now."""
        issue = self.cycle + (self.slots >= self.width)
        if self.changes_state(step):
            issue += 1
        for register in step.scalar_reads:
            issue = max(issue, self.scalar.get(register, 0))
        for state in step.uses:
            issue = max(issue, self.others.get(state, 0))
        for state in step.changes:
            if is_tile(state):
                # The first row is written so long after the start, the last ``latency`` after it.
                first = step.latency - step.occupancy
                issue = max(issue, self.tile_readers.get(state, 0) - first)
                issue = max(issue, self.others.get(state, 0) - step.latency)
        free = self.free.get(step.unit)
        unit_free = min(free) if free is not None else 0
        if not step.is_vector:
            issue = max(issue, unit_free)
            return issue, issue, issue
        if len(self.queue) >= self.depth:
            issue = max(issue, self.queue[-self.depth])
        last = self.queue[-1] + 1 if self.queue else 0
        dequeued = max(issue + 1, last, unit_free)
        return issue, dequeued, max(dequeued, self._hazards(step))

    def _hazards(self, step: Step) -> int:
        """Earliest start by the vector registers read and written."""
        earliest = 0
        for register in step.vector_reads:
            result = self.results.get(register)
            if result is not None:
                # Rate matching: a chained consumer may not overtake its producer.
                lag = max(0, result.occupancy - step.occupancy) if result.chains else 0
                earliest = max(earliest, result.first + lag)
        for register in step.writes:
            result, reader = self.results.get(register), self.readers.get(register)
            if result is not None:
                lag = max(0, result.occupancy - step.occupancy) if result.chains else 0
                earliest = max(earliest, result.first + lag - step.latency)
            if reader is not None:
                earliest = max(earliest, max(reader[0], reader[1] - step.occupancy) - step.latency)
        return earliest

    def issue(self, step: Step) -> int:
        """Issue ``step`` next; returns the cycle in which it starts."""
        issue, dequeued, start = self.earliest(step)
        if self.changes_state(step):
            self.need = step.demand
            self._take_slot(max(self.cycle, issue - 1))
        elif step.demand is not None:
            self.need = self._merged(step.demand)
        self._take_slot(issue)
        free = self.free.setdefault(step.unit, [0] * unit_copies(self.machine, step.unit))
        end = start + step.occupancy
        free[free.index(min(free))] = end if step.one_pipe else start + step.share
        if step.is_vector:
            self.queue.append(dequeued)
        for register in step.vector_reads:
            begin, last = self.readers.get(register, (0, 0))
            self.readers[register] = (max(begin, start), max(last, end))
        result = _Result(start + step.latency, step.occupancy, step.chains)
        for register in step.writes:
            if register.bank == "v":
                self.results[register] = result
            else:
                self.scalar[register] = result.first
        for state in step.uses:
            if is_tile(state):
                self.tile_readers[state] = max(self.tile_readers.get(state, 0), end)
        for state in step.changes:
            self.others[state] = result.first
        if step.serialises:
            self.cycle, self.slots = max(self.cycle, result.first), 0
        self.end = max(self.end, end, result.first + (step.occupancy if step.chains else 0))
        return start

    def _take_slot(self, cycle: int) -> None:
        if cycle > self.cycle:
            self.cycle, self.slots = cycle, 0
        elif self.slots >= self.width:
            self.cycle, self.slots = self.cycle + 1, 0
        self.slots += 1


WARM_UP = 3
MEASURED = 2


def block_cycles(steps: Sequence[Step], machine: Machine, *, repeated: bool) -> float:
    """Cycles of a block: per iteration in steady state when ``repeated``, else to its end."""
    pipeline = Pipeline(machine)
    if not repeated:
        for one in steps:
            pipeline.issue(one)
        return float(max(pipeline.end, pipeline.cycle))
    taken = machine.scalar.branch_taken
    marks: list[int] = []
    for _ in range(WARM_UP + MEASURED):
        for one in steps:
            pipeline.issue(one)
        pipeline.cycle, pipeline.slots = pipeline.cycle + taken, 0
        busy = max((max(free) for free in pipeline.free.values()), default=0)
        marks.append(max(pipeline.cycle, busy))
    return (marks[-1] - marks[WARM_UP - 1]) / MEASURED
