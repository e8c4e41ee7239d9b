"""Software pipelines in compiled programs: inner loops with known trip counts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from oxegg.costmodels import Machine
from oxegg.emit.constants import fits_immediate
from oxegg.emit.liveness import Liveness, liveness, read_point, write_point
from oxegg.emit.modulo.body import Body, Rules, body_of
from oxegg.emit.modulo.control import Control, control_of
from oxegg.emit.modulo.displacement import displacements_fit
from oxegg.emit.modulo.expand import Pipeline, expand
from oxegg.emit.modulo.graph import Graph, Schedule
from oxegg.emit.modulo.synthesize import Effort, modulo_schedule
from oxegg.emit.program import (
    ZERO,
    Bank,
    Loop,
    Operation,
    Program,
    Register,
    fresh_numbers,
)
from oxegg.emit.steady import steady_cycles

LONGEST_BODY = 300
"""Operations; beyond that one iteration fills the machine by itself."""


@dataclass(frozen=True)
class LoopSchedule:
    """What is known of the schedule of one loop; cycles per iteration.

    ``method`` is ``"list"`` where iterations don't overlap by schedule.
    """

    ii: Fraction
    bound: Fraction
    method: Literal["list", "heuristic", "exact"]
    stages: int
    seconds: float

    @property
    def status(self) -> Literal["optimal", "feasible"]:
        return "optimal" if self.ii == self.bound else "feasible"

    def __str__(self) -> str:
        stages = f"{self.stages} stages" if self.method != "list" else "list-scheduled"
        return f"II {float(self.ii):g}, bound {float(self.bound):g}, {self.status}, {stages}"


@dataclass(frozen=True)
class Pipelined:
    """A program with software pipelines, and the schedules of their loops by label."""

    program: Program
    schedules: Mapping[str, LoopSchedule]


def pipeline_loops(
    program: Program, machine: Machine, limits: Mapping[Bank, int], effort: Effort
) -> Pipelined:
    """``program`` with every inner loop software-pipelined that can be.

    ``limits`` are registers per bank. Trip counts include those of prologue and epilogue: a loop
    must run at least once per stage. The heuristic's work is shared among the loops.
    """
    share = effort.placements // max(1, _inner_loops(program.body))
    walk = _Walk(program, machine, limits, replace(effort, placements=share))
    body = walk.body(program.body)
    return Pipelined(replace(program, body=body), walk.schedules)


def _inner_loops(body: Sequence[Operation | Loop]) -> int:
    """How many loops contain no other loop."""
    loops = [item for item in body if isinstance(item, Loop)]
    return sum(_inner_loops(loop.body) or 1 for loop in loops)


class _Walk:
    def __init__(
        self, program: Program, machine: Machine, limits: Mapping[Bank, int], effort: Effort
    ) -> None:
        self.machine = machine
        self.limits = limits
        self.effort = effort
        self.numbers = fresh_numbers(program)
        self.live = liveness(program)
        self.position = 0
        self.schedules: dict[str, LoopSchedule] = {}

    def body(self, body: Sequence[Operation | Loop]) -> list[Operation | Loop]:
        result: list[Operation | Loop] = []
        for item in body:
            if isinstance(item, Operation):
                self.position += 1
                result.append(item)
            elif any(isinstance(inner, Loop) for inner in item.body):
                result.append(replace(item, body=self.body(item.body)))
            else:
                result.extend(self._inner(item))
        return result

    def _inner(self, loop: Loop) -> list[Operation | Loop]:
        operations = [item for item in loop.body if isinstance(item, Operation)]
        first = self.position
        self.position += len(operations)
        files = _files(self.live, first, operations, self.limits)
        if len(operations) > LONGEST_BODY or loop.trips < 2:
            return [loop]
        body = body_of(operations, self.machine, Rules(files))
        control = control_of(body.values)

        def usable(_: Graph, schedule: Schedule) -> bool:
            # The allocator of the whole program finds the registers.
            fit = displacements_fit(body.operations, schedule, body.floating)
            return fit and schedule.stages <= loop.trips

        if control is None:
            return [loop]
        registers = _registers(body, self.numbers)

        def pace(schedule: Schedule) -> Fraction:
            cycles = steady_cycles(expand(body, schedule, registers).kernel, self.machine)
            return Fraction(schedule.ii) if cycles is None else cycles

        listed = steady_cycles(operations, self.machine)
        found = modulo_schedule(body.graph, self.effort, usable, pace, listed)
        if found is None:
            return [loop]
        self.schedules[loop.label] = LoopSchedule(
            found.cycles,
            found.bound,
            found.method,
            found.schedule.stages,
            found.seconds,
        )
        pipeline = expand(body, found.schedule, registers)
        return list(_text(loop, pipeline, control, self.numbers))


def _files(
    live: Liveness, first: int, operations: Sequence[Operation], limits: Mapping[Bank, int]
) -> dict[Bank, int]:
    """Registers for the loop: what passes through it untouched has its own."""
    before = 1 << read_point(first)
    after = 1 << write_point(first + len(operations) - 1)
    touched = {r for op in operations for r in op.operands if isinstance(r, Register)}
    files = dict(limits)
    for register, taken in live.ranges.items():
        if taken & before and taken & after and register not in touched:
            files[register.bank] -= register.group
    return files


def _text(
    loop: Loop, pipeline: Pipeline, control: Control, numbers: Iterator[int]
) -> Iterator[Operation | Loop]:
    kernel = list(pipeline.kernel)
    if pipeline.lag:
        limit = Register("x", next(numbers))
        yield from _limit(limit, control, pipeline, numbers)
        branch = kernel[-1]
        kernel[-1] = replace(
            branch,
            operands=tuple(limit if o == control.limit else o for o in branch.operands),
        )
    yield from pipeline.prologue
    yield Loop(loop.label, loop.trips - pipeline.stages + 1, list[Operation | Loop](kernel))
    yield from pipeline.epilogue


def _registers(body: Body, numbers: Iterator[int]) -> list[Register]:
    """Webs that hold what comes in or goes out keep their register, the others get new ones."""
    written = {web for writes in body.writes for web in writes.values()}
    registers = list(body.carrier)
    for web in written - set(body.homes.values()):
        carrier = registers[web]
        registers[web] = Register(carrier.bank, next(numbers), carrier.group)
    return registers


def _limit(
    limit: Register, control: Control, pipeline: Pipeline, numbers: Iterator[int]
) -> Iterator[Operation]:
    """The limit as the kernel sees it: its branch stands ``lag`` iterations behind the newest."""
    if isinstance(control.step, Register):
        source = control.limit
        for _ in range(pipeline.lag):
            yield Operation("sub", (limit, source, control.step))
            source = limit
        return
    distance = -pipeline.lag * control.step
    if fits_immediate(distance):
        yield Operation("addi", (limit, control.limit, distance))
    elif control.limit == ZERO:
        yield Operation("li", (limit, distance))
    else:
        offset = Register("x", next(numbers))
        yield Operation("li", (offset, distance))
        yield Operation("add", (limit, control.limit, offset))
