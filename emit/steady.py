"""The steady state of a loop's text: cycles per round on the simulator's own scoreboard.

Operands lie in the scratchpad and every branch back is taken, so the state in which a round begins
repeats after some rounds; what those took is exact.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from oxegg.costmodels import Machine, timing_class, unit_copies
from oxegg.emit.constants import materialize_constant
from oxegg.emit.effects import LI, PSEUDO, effects, is_tile, operand_reads
from oxegg.emit.pipeline import step
from oxegg.emit.program import Operation, Register
from oxegg.isa import TABLE
from oxegg.sim.issue import issue
from oxegg.sim.plans import TICKS, TILE0, WHOLE_SOURCE, Costs, Plan, costs
from oxegg.sim.scoreboard import Scoreboard
from oxegg.sim.times import Times

MAXIMUM_ROUNDS = 400
"""A loop whose state hasn't repeated by then is timed by what its last half took."""

EVENTFUL = ("near_memory", "dma", "simt")
"""Engines whose instructions take what the data of the run decide."""

Place = tuple[str, int]
"""A bank and a number, or the name of a tile and 0."""


def steady_cycles(
    text: Sequence[Operation], machine: Machine, homes: Mapping[Register, int] | None = None
) -> Fraction | None:
    """Cycles per round of a loop of ``text``, whose last operation branches back.

    ``homes`` are the hardware registers; without them every register has one to itself. ``None``
    for loops with commands to engines whose time depends on data.
    """
    real = [op for op in text if op.name not in PSEUDO]
    if any(timing_class(op.name).engine in EVENTFUL for op in real):
        return None
    planner = _Planner(machine, homes)
    return _per_round([plan for op in text for plan in planner.plans(op)], costs(machine))


def _per_round(plans: Sequence[Plan], machine_costs: Costs) -> Fraction:
    times, ticks = Times(), 0
    seen: dict[Times, int] = {}
    marks: list[int] = []
    while times not in seen and len(marks) < MAXIMUM_ROUNDS:
        seen[times] = len(marks)
        marks.append(ticks)
        board = Scoreboard.resume(machine_costs, times)
        for plan in plans:
            issue(board, plan, None)
        board.branch(taken=True, backward=True)
        times, ticks = board.times(), ticks + board.now
    first = seen.get(times, len(marks) // 2)
    return Fraction(ticks - marks[first], TICKS * (len(marks) - first))


class _Planner:
    """Operations as the scoreboard sees them; places are numbered as they come."""

    def __init__(self, machine: Machine, homes: Mapping[Register, int] | None) -> None:
        self.machine = machine
        self.homes = homes
        self.numbers: dict[Place, int] = {}

    def plans(self, operation: Operation) -> Iterator[Plan]:
        """One plan, or those of the instructions that load a constant."""
        if operation.name == LI and self.homes is not None:
            target, value = operation.operands
            assert isinstance(target, Register)
            assert isinstance(value, int)
            yield from map(self._plan, materialize_constant(target, value))
        else:
            yield self._plan(operation)

    def _plan(self, operation: Operation) -> Plan:
        one, machine = step(operation, self.machine), self.machine
        effect = effects(operation)
        pseudo = operation.name in PSEUDO
        record = None if pseudo else TABLE[operation.name]
        read = operand_reads(operation)
        return Plan(
            name=operation.name,
            place=0,
            unit=one.unit,
            copies=unit_copies(machine, one.unit),
            occupancy=one.occupancy * TICKS,
            share=one.share * TICKS,
            one_pipe=one.one_pipe,
            latency=one.latency * TICKS,
            chains=one.chains,
            reads=self._scalars(read, effect.uses),
            writes=self._scalars(effect.writes, effect.changes),
            vector_reads=self._vectors(read),
            vector_writes=self._vectors(effect.writes),
            memory=record.memory if record else None,
            serialises=one.serialises,
            whole_source=record is not None and record.timing in WHOLE_SOURCE,
            fence=record is not None and record.timing == "fence",
            engine="scalar" if pseudo else timing_class(operation.name).engine,
        )

    def _scalars(self, registers: Iterable[Register], states: Iterable[str]) -> tuple[int, ...]:
        """Scalar registers below 0, tiles where the scoreboard expects them."""
        scalars = [-1 - self._number(p) for r in registers if r.bank != "v" for p in self._span(r)]
        tiles = [TILE0 + self._number((state, 0)) for state in states if is_tile(state)]
        return (*scalars, *tiles)

    def _vectors(self, registers: Iterable[Register]) -> tuple[int, ...]:
        return tuple(self._number(p) for r in registers if r.bank == "v" for p in self._span(r))

    def _span(self, register: Register) -> list[Place]:
        if self.homes is None:
            return [(f"{register.bank}{register.group}", register.number)]
        first = self.homes[register]
        return [(register.bank, number) for number in range(first, first + register.group)]

    def _number(self, place: Place) -> int:
        return self.numbers.setdefault(place, len(self.numbers))
