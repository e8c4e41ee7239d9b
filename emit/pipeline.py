"""An in-order machine as the scheduler sees it: issue slots, the vector queue, units, chaining.

A coarse stand-in for the simulator's clock, built from the same ``timing``: it only has to rank
orders of the same instructions. Branches are predicted and memory operands lie in the scratchpad.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from oxegg.costmodels import Machine, timing
from oxegg.emit.effects import PSEUDO, effects, instruction_of
from oxegg.emit.program import Operation, Register
from oxegg.emit.vector_state import Demand, demand

VECTOR_UNITS = ("VA", "VL", "VS")
# Units of which there are as many as issue slots.
_PLENTIFUL = ("ALU",)


@dataclass(frozen=True)
class Step:
    """What the machine model needs of an operation; times in cycles."""

    unit: str
    occupancy: int
    latency: int
    chains: bool
    reads: tuple[Register, ...]
    writes: tuple[Register, ...]
    demand: Demand | None

    @property
    def is_vector(self) -> bool:
        return self.unit in VECTOR_UNITS


def step(operation: Operation, machine: Machine) -> Step:
    """Timing and registers of ``operation`` on ``machine``."""
    effect = effects(operation)
    if operation.name in PSEUDO:
        return Step("ALU", 1, 1, False, effect.reads, effect.writes, None)
    state = operation.state
    if state is not None:
        cost = timing(machine, operation.name, vl=state.vl, sew=state.sew, lmul=state.lmul)
    elif instruction_of(operation).is_vector:
        # Whole-register accesses: all of each register, whatever vl is.
        cost = timing(machine, operation.name, vl=machine.vlen // 8, sew=8, lmul=1)
    else:
        cost = timing(machine, operation.name)
    return Step(
        cost.unit,
        cost.occupancy,
        cost.latency,
        cost.chains,
        effect.reads,
        effect.writes,
        demand(operation),
    )


@dataclass(frozen=True)
class _Result:
    """When a register's value can be used."""

    ready: int
    occupancy: int


class Pipeline:
    """The state of the machine after the operations issued so far."""

    def __init__(self, machine: Machine) -> None:
        self.width = machine.issue_width
        self.depth = machine.vector_queue_depth
        self.cycle = 0
        self.slots = 0
        self.free: dict[str, int] = {}
        self.results: dict[Register, _Result] = {}
        self.last_read: dict[Register, int] = {}
        self.starts: list[int] = []
        self.need: Demand | None = None
        self.state_changes = 0
        self.end = 0

    def changes_state(self, step: Step) -> bool:
        """Whether a vset instruction is needed before ``step``."""
        if step.demand is None:
            return False
        return self.need is None or self.need.merge(step.demand) is None

    def earliest(self, step: Step) -> tuple[int, int]:
        """Cycles in which ``step`` would issue and start now."""
        issue = self.cycle + (self.slots >= self.width)
        if self.changes_state(step):
            issue += 1
        results, vector = self.results, step.is_vector
        start = 0
        for register in step.reads:
            result = results.get(register)
            if result is None:
                continue
            if register.bank == "v":
                # Rate matching: the consumer may not overtake its producer.
                lag = result.occupancy - step.occupancy
                start = max(start, result.ready + (lag if lag > 0 else 0))
            else:
                issue = max(issue, result.ready)
        if vector and len(self.starts) >= self.depth:
            issue = max(issue, self.starts[-self.depth])
        if not vector:
            issue = max(issue, start, self.free.get(step.unit, 0))
            return issue, issue
        for register in step.writes:
            start = max(start, self.last_read.get(register, 0))
        previous = self.starts[-1] + 1 if self.starts else 0
        return issue, max(start, issue + 1, previous, self.free.get(step.unit, 0))

    def issue(self, step: Step) -> int:
        """Issue ``step`` next; returns the cycle in which it starts."""
        issue, start = self.earliest(step)
        if self.changes_state(step):
            self.state_changes += 1
            self.need = step.demand
            self._take_slot(max(self.cycle, issue - 1))
        elif step.demand is not None and self.need is not None:
            self.need = self.need.merge(step.demand)
        self._take_slot(issue)
        if step.unit not in _PLENTIFUL:
            self.free[step.unit] = start + step.occupancy
        if step.is_vector:
            self.starts.append(start)
            for register in step.reads:
                self.last_read[register] = max(self.last_read.get(register, 0), start + 1)
        result = _Result(start + step.latency, step.occupancy if step.chains else 0)
        for register in step.writes:
            self.results[register] = result
        self.end = max(self.end, result.ready + result.occupancy)
        return start

    def _take_slot(self, cycle: int) -> None:
        if cycle > self.cycle:
            self.cycle, self.slots = cycle, 0
        elif self.slots >= self.width:
            self.cycle, self.slots = self.cycle + 1, 0
        self.slots += 1


WARM_UP = 2
MEASURED = 2


def block_cycles(steps: Sequence[Step], machine: Machine, *, repeated: bool) -> float:
    """Cycles of a block: per iteration in steady state when ``repeated``, else to its end."""
    pipeline = Pipeline(machine)
    if not repeated:
        for one in steps:
            pipeline.issue(one)
        return float(max(pipeline.end, pipeline.cycle))
    marks: list[int] = []
    for _ in range(WARM_UP + MEASURED):
        start = 0
        for one in steps:
            start = max(start, pipeline.issue(one))
        marks.append(max(start, pipeline.cycle))
    return (marks[-1] - marks[WARM_UP - 1]) / MEASURED
