"""Timing of one instruction on one machine: the one source for scheduler, costs and simulator.

How to read a ``Timing``: an instruction that starts in cycle ``t`` keeps its unit until
``t + occupancy``. Its result can be read from ``t + latency`` on: all of it, or, when it
``chains``, its first element group, the others following at the producer's pace; a chained
consumer therefore starts no earlier than
``t + latency + max(0, occupancy - consumer's occupancy)``.

Where several arithmetic pipes take turns, an instruction keeps one of them ``pace`` cycles, and the
pace of chaining is that; one that only the first pipe executes takes ``share`` of the sequencer.
Memory operands are taken to lie in the scratchpad.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import lru_cache

from oxegg.costmodels.formulas import compile_formula
from oxegg.costmodels.machine import Machine, Override
from oxegg.costmodels.quantities import (
    TileShape,
    near_memory_quantities,
    scalar_quantities,
    tensor_quantities,
    vector_quantities,
)
from oxegg.costmodels.timing_classes import (
    ARITHMETIC_UNITS,
    CLASSES,
    ELEMENT_MOVES,
    TimingClass,
)
from oxegg.errors import MachineError, UsageError
from oxegg.isa import TABLE, Instruction

ENGINE_NAMES: Mapping[str, str] = {
    "tensor": "tensor engine",
    "near_memory": "near-memory units",
    "dma": "DMA engine",
    "simt": "SIMT mode",
}


@dataclass(frozen=True, slots=True)
class Timing:
    """Unit, cycles that the unit is kept, cycles to the result, and chaining; see above.

    ``pipes`` and ``turns`` are 1 but on machines with several arithmetic pipes: ``pipes`` is their
    number if the instruction waits for the first of them, ``turns`` if any of them executes it.
    """

    unit: str
    occupancy: int
    latency: int
    chains: bool
    pipes: int = 1
    turns: int = 1

    @property
    def share(self) -> int:
        """Cycles of the unit's time that the instruction takes from others."""
        return -(-self.occupancy // self.pipes)

    @property
    def pace(self) -> int:
        """Cycles in which its pipe takes the operands and delivers the result."""
        return self.occupancy * self.turns


@dataclass(frozen=True)
class _Row:
    """A timing class as one machine has it, formulas compiled."""

    unit: str
    engine: str
    occupancy: Callable[[Mapping[str, int]], int]
    latency: Callable[[Mapping[str, int]], int]
    chains: bool
    one_pipe: Callable[[Mapping[str, int]], int]
    where: str | None


def timing(
    machine: Machine,
    instruction_name: str,
    *,
    vl: int | None = None,
    sew: int | None = None,
    lmul: Fraction | int = 1,
    tile: TileShape | None = None,
    repeat: int = 1,
    subcycles: int = 1,
) -> Timing:
    """Timing of an instruction under a vector state, a tile shape or a repeat count.

    ``vl`` (elements), ``sew`` (bits) and ``lmul`` matter to vector instructions only and are
    required there; ``tile`` defaults to the full tile, ``repeat`` is the count of a near-memory
    command. Near-memory commands take times of the memory's own clock: ``subcycles`` gives theirs
    in fractions of a core cycle, rounded up. Raises ``MachineError`` when the machine has no engine
    for the instruction and ``UsageError`` for an unknown instruction or a missing vector state.
    """
    return _timing(machine, instruction_name, vl, sew, lmul, tile, repeat, subcycles)


@lru_cache(maxsize=1 << 16)
def _timing(
    machine: Machine,
    name: str,
    vl: int | None,
    sew: int | None,
    lmul: Fraction | int,
    tile: TileShape | None,
    repeat: int,
    subcycles: int,
) -> Timing:
    instruction = _instruction(name)
    row = _row(machine, instruction)
    if row.engine not in machine.engines:
        raise MachineError(
            f"{name} needs the {ENGINE_NAMES[row.engine]}, which {machine.name} doesn't have",
            hint="choose a machine that has it: oxegg machines list",
        )
    if row.engine == "vector":
        if vl is None or sew is None:
            raise UsageError(f"timing of {name} depends on vl and sew", hint="pass vl= and sew=")
        quantities = vector_quantities(machine, instruction, vl, sew, Fraction(lmul))
    elif row.engine == "tensor":
        quantities = tensor_quantities(machine, instruction, tile or full_tile(machine))
    elif row.engine == "near_memory":
        quantities = near_memory_quantities(machine, repeat, subcycles)
    else:
        quantities = scalar_quantities(machine, instruction)
    try:
        occupancy, latency = row.occupancy(quantities), row.latency(quantities)
        one_pipe = row.one_pipe(quantities)
    except (ArithmeticError, LookupError, TypeError) as error:
        raise MachineError(
            f"the timing of {name} can't be computed: {error!r}", where=row.where
        ) from error
    unit = _unit(machine, instruction, row.unit)
    pipes = machine.pipes if one_pipe else 1
    one_of_several = machine.vector.pipes_take_turns and unit in ARITHMETIC_UNITS
    turns = machine.pipes // pipes if one_of_several else 1
    return Timing(unit, max(1, occupancy), max(1, latency), row.chains, pipes, turns)


def _unit(machine: Machine, instruction: Instruction, unit: str) -> str:
    """The unit that ``machine`` has in place of the table's."""
    moves = instruction.timing in ELEMENT_MOVES
    if unit == "VA" and machine.vector.float_sequencer and instruction.is_float and not moves:
        return "VF"
    return "VL" if unit == "VS" and machine.vector.one_memory_port else unit


def timing_class(instruction_name: str) -> TimingClass:
    """OXM-1's own row of the timing table for an instruction."""
    return CLASSES[_instruction(instruction_name).timing]


def _instruction(name: str) -> Instruction:
    if name not in TABLE:
        raise UsageError(f'there is no instruction "{name}"', hint="oxegg isa list")
    return TABLE[name]


def full_tile(machine: Machine) -> TileShape:
    """The largest tile: R x R accumulators, 4R bytes to a row."""
    rows = machine.tensor.rows if machine.tensor else 0
    return TileShape(rows, rows, 4 * rows)


@lru_cache(maxsize=1 << 14)
def _row(machine: Machine, instruction: Instruction) -> _Row:
    default = CLASSES[instruction.timing]
    own = Override(instruction.timing, None, None, default.chains, False, None)
    for override in machine.timing:
        if override.name == instruction.timing:
            own = _replaced(own, override)
    for override in machine.timing:
        if override.name not in CLASSES and fnmatchcase(instruction.name, override.name):
            own = _replaced(own, override)
    return _Row(
        unit=default.unit,
        engine=default.engine,
        occupancy=compile_formula(own.occupancy or default.occupancy)[0],
        latency=compile_formula(own.latency or default.latency)[0],
        chains=bool(own.chains),
        one_pipe=compile_formula(_condition(own.one_pipe))[0],
        where=own.where,
    )


def _condition(value: bool | str | None) -> str:
    """A truth value of a machine file as a formula; formulas are themselves."""
    return value if isinstance(value, str) else str(int(bool(value)))


def _replaced(old: Override, new: Override) -> Override:
    """What ``new`` says, and what ``old`` says where it says nothing."""
    return Override(
        new.name,
        new.occupancy or old.occupancy,
        new.latency or old.latency,
        old.chains if new.chains is None else new.chains,
        old.one_pipe if new.one_pipe is None else new.one_pipe,
        new.where,
    )


def unit_copies(machine: Machine, unit: str) -> int:
    """How many of a unit the machine has: instructions on it may overlap that often.

    Vector pipes don't count: they share one instruction, and ``occupancy`` knows about them.
    """
    return {"ALU": machine.issue_width, "LSU": machine.scalar.load_ports}.get(unit, 1)
