"""The back half of emit: from a program over virtual registers to machine code.

schedule -> masks to v0 -> vset insertion -> registers and spilling -> frame -> bytes. When the
fastest schedule doesn't fit the register files, gentler ones compete with its spill code.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType

from oxegg.costmodels import Machine
from oxegg.emit.allocation_check import check_allocation
from oxegg.emit.assembler import Label, Line, assemble, extensions, lines_of
from oxegg.emit.coalescing import coalesced
from oxegg.emit.constant_loads import with_constant_loads
from oxegg.emit.effects import effects
from oxegg.emit.frame import Frame, frame
from oxegg.emit.hoisting import hoisted
from oxegg.emit.loop_intervals import measured_loops
from oxegg.emit.modulo.program_loops import LoopSchedule, pipeline_loops
from oxegg.emit.modulo.synthesize import Effort
from oxegg.emit.program import Bank, Loop, Operation, Program, Register, loops, operations
from oxegg.emit.register_allocation import FILES, Allocation, allocate, is_idle_move
from oxegg.emit.schedule import estimated_cycles, schedule
from oxegg.emit.spill import SPILL
from oxegg.emit.wellformed import check

Body = Sequence[Operation | Loop]


@dataclass(frozen=True)
class LoopReport:
    """A loop as emitted: instructions in its body (inner loops included) and iterations.

    ``schedule`` is known of software pipelines, and of inner loops once they are measured.
    """

    label: str
    instructions: int
    trips: int
    schedule: LoopSchedule | None = None

    @property
    def row(self) -> dict[str, object]:
        """The row of the report; what isn't known is ``None``."""
        schedule = self.schedule
        return {
            "label": self.label,
            "instructions": self.instructions,
            "trips": self.trips,
            "ii": _number(schedule.ii) if schedule else None,
            "bound": _number(schedule.bound) if schedule else None,
            "status": schedule.status if schedule else None,
            "method": schedule.method if schedule else "list",
            "stages": schedule.stages if schedule else None,
            "seconds": round(schedule.seconds, 4) if schedule else None,
        }


def _number(cycles: Fraction) -> int | float:
    return cycles.numerator if cycles.denominator == 1 else float(cycles)


@dataclass(frozen=True)
class Statistics:
    """``spills``, ``reloads`` and ``rematerialized`` count instructions in the text.

    ``registers`` are the hardware registers written, per bank; ``frame_bytes`` the stack used.
    """

    instructions: int
    state_changes: int
    spills: int
    reloads: int
    rematerialized: int
    registers: Mapping[Bank, frozenset[int]]
    frame_bytes: int


@dataclass(frozen=True)
class MachineCode:
    """A compiled kernel: position-independent bytes, entered at offset 0, ending in ``ret``.

    ``code`` is the .text section (constants behind the instructions), ``assembly`` the text that
    assembles to it, ``labels`` byte offsets, ``allocation`` what it was made from.
    """

    name: str
    code: bytes
    assembly: str
    labels: Mapping[str, int]
    loops: tuple[LoopReport, ...]
    statistics: Statistics
    extensions: frozenset[str]
    arguments: tuple[Register, ...]
    allocation: Allocation

    @property
    def program(self) -> Program:
        """The input with spill code and vector states."""
        return self.allocation.program

    @property
    def homes(self) -> Mapping[Register, int]:
        """The hardware register of each of the program's registers."""
        return self.allocation.homes


def generate(program: Program, machine: Machine, *, scheduling: bool = True) -> MachineCode:
    """Machine code for ``program``; ``scheduling=False`` keeps the order of the text.

    Raises ``EmitError`` for malformed programs and for those that can't fit the machine.
    """
    check(program, machine.vlen)
    allocation = _best_allocation(program, machine, scheduling)
    check_allocation(allocation)
    return _finish(allocation, machine)


def generate_pipelined(program: Program, machine: Machine, effort: Effort) -> MachineCode | None:
    """Machine code with software-pipelined inner loops.

    ``None`` where no loop can be pipelined or one of those would need spill code. Raises
    ``EmitError`` for malformed programs.
    """
    check(program, machine.vlen)
    joined = _prepared(program, machine, shared=True)
    for limits in _pipeline_limits(program):
        ordered = coalesced(schedule(joined, machine, limits=limits), shared=True)
        pipelined = pipeline_loops(ordered, machine, limits, effort)
        if not pipelined.schedules:
            return None
        allocation = allocate(pipelined.program, machine.vlen)
        if not _spills_inside(allocation.program, pipelined.schedules):
            check_allocation(allocation)
            return _finish(allocation, machine, pipelined.schedules)
    return None


def _spills_inside(program: Program, labels: Container[str]) -> bool:
    """Whether a loop with one of the labels contains spill code."""
    inside = [loop.body for loop in loops(program.body) if loop.label in labels]
    return any(op.note.startswith(SPILL) for body in inside for op in operations(body))


def measured(code: MachineCode, machine: Machine) -> MachineCode:
    """The same code with what its inner loops take per round, and the bounds, in its text."""
    program, planned = code.program, {r.label: r.schedule for r in code.loops if r.schedule}
    files = schedulable_registers(program)
    found = measured_loops(program, code.homes, machine, files, planned)
    return _finish(code.allocation, machine, {**planned, **found})


def _prepared(program: Program, machine: Machine, *, shared: bool) -> Program:
    """Without moves that allocation would remove, and with invariants outside of loops."""
    files = schedulable_registers(program)
    return with_constant_loads(hoisted(coalesced(program, shared=shared), files), machine, files)


def _pipeline_limits(program: Program) -> Iterator[Mapping[Bank, int]]:
    """The register files, then less of them: aligned groups don't always fill a file."""
    files = schedulable_registers(program)
    yield files
    yield {**files, "v": files["v"] * 7 // 8}
    yield {**files, "v": files["v"] * 3 // 4}


def _best_allocation(program: Program, machine: Machine, scheduling: bool) -> Allocation:
    """The allocation of the fastest schedule; without spill code if a list schedule allows that."""
    if not scheduling:
        return allocate(program, machine.vlen)
    best: Allocation | None = None
    cycles = 0.0
    joined = _prepared(program, machine, shared=False)
    for limits in _limits(program):
        ordered = program if limits is None else schedule(joined, machine, limits=limits)
        allocation = allocate(ordered, machine.vlen)
        if limits is not None and not allocation.spills and not allocation.reloads:
            return allocation
        estimate = estimated_cycles(allocation.program, machine)
        if best is None or estimate < cycles:
            best, cycles = allocation, estimate
    assert best is not None
    return best


def predicted_cycles(code: MachineCode, machine: Machine) -> float:
    """What the scheduler's machine model makes of the instructions that were emitted."""
    return estimated_cycles(
        replace(code.program, body=_executed(code.program.body, code.homes)), machine
    )


def _executed(body: Body, homes: Mapping[Register, int]) -> list[Operation | Loop]:
    """Without moves from a hardware register to itself, which are not emitted."""
    return [
        replace(item, body=_executed(item.body, homes)) if isinstance(item, Loop) else item
        for item in body
        if isinstance(item, Loop) or not is_idle_move(item, homes)
    ]


def _limits(program: Program) -> Iterator[Mapping[Bank, int] | None]:
    """Pressure limits for the scheduler, from generous to tight; ``None``: don't schedule."""
    files = schedulable_registers(program)
    yield files
    yield {bank: size * 3 // 4 for bank, size in files.items()}
    yield None


def schedulable_registers(program: Program) -> dict[Bank, int]:
    """Registers of each bank that a schedule of ``program`` may fill."""
    files: dict[Bank, int] = {bank: len(registers) for bank, registers in FILES.items()}
    if any(effects(operation).mask is not None for operation in operations(program.body)):
        files["v"] -= 1
    # Constants for vector lengths and addresses of spill slots come later.
    files["x"] -= 2
    return files


def _finish(
    allocation: Allocation,
    machine: Machine,
    schedules: Mapping[str, LoopSchedule] = MappingProxyType({}),
) -> MachineCode:
    """Frame, encoding and statistics."""
    program, homes = allocation.program, allocation.homes
    used = _written(program, homes)
    stack_homes = tuple(homes[argument] for argument in allocation.stack_arguments)
    around = frame(used, allocation.stack_bytes, stack_homes)
    items = list(_function(program, homes, around, schedules))
    heading = f"{program.name} for {machine.name}"
    assembled = assemble(program.name, items, program.constants, heading)
    statistics = Statistics(
        assembled.instructions,
        sum(isinstance(item, Line) and item.name.startswith("vset") for item in items),
        allocation.spills,
        allocation.reloads,
        allocation.rematerialized,
        used,
        around.size,
    )
    reports = tuple(
        LoopReport(loop.label, _count(loop, homes), loop.trips, schedules.get(loop.label))
        for loop in loops(program.body)
    )
    return MachineCode(
        program.name,
        assembled.code,
        assembled.text,
        assembled.labels,
        reports,
        statistics,
        extensions(items),
        program.arguments,
        allocation,
    )


def _written(program: Program, homes: Mapping[Register, int]) -> dict[Bank, frozenset[int]]:
    written: dict[Bank, set[int]] = {"x": set(), "f": set(), "v": set()}
    results = [r for operation in operations(program.body) for r in effects(operation).writes]
    for register in (*program.arguments, *results):
        written[register.bank].update(range(homes[register], homes[register] + register.group))
    return {bank: frozenset(numbers) for bank, numbers in written.items()}


def _function(
    program: Program,
    homes: Mapping[Register, int],
    around: Frame,
    schedules: Mapping[str, LoopSchedule],
) -> Iterator[Line | Label]:
    hardware = {r: r.number for op in (*around.prologue, *around.epilogue) for r in _registers(op)}
    hardware.update((register, home) for register, home in homes.items() if register.number <= 0)
    for operation in around.prologue:
        yield from lines_of(operation, hardware)
    yield from _lines(program.body, homes, schedules)
    for operation in around.epilogue:
        yield from lines_of(operation, hardware)
    yield Line("jalr", (0, 0, 1), "return")


def _registers(operation: Operation) -> list[Register]:
    return [value for value in operation.operands if isinstance(value, Register)]


def _lines(
    body: Body,
    homes: Mapping[Register, int],
    schedules: Mapping[str, LoopSchedule] = MappingProxyType({}),
) -> Iterator[Line | Label]:
    for item in body:
        if isinstance(item, Loop):
            count = _count(item, homes)
            comment = f"loop {item.label}: {count} instructions, {item.trips} trips"
            if item.label in schedules:
                comment += f", {schedules[item.label]}"
            yield Label(item.label, comment)
            yield from _lines(item.body, homes, schedules)
        elif not is_idle_move(item, homes):
            yield from lines_of(item, homes)


def _count(loop: Loop, homes: Mapping[Register, int]) -> int:
    return sum(isinstance(item, Line) for item in _lines(loop.body, homes))
