"""Call a kernel: machine code, buffers and scalars in; arrays, cycles and counts out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.costmodels import Machine
from oxegg.errors import SimulationError, UsageError
from oxegg.sim.accelerators import accelerators
from oxegg.sim.banks import (
    Turns,
    bank_count,
    banks_end,
    in_turns,
    map_turns,
    place_in_banks,
    read_from_banks,
)
from oxegg.sim.clock import Clock
from oxegg.sim.domain import Domain
from oxegg.sim.engine import MAX_INSTRUCTIONS, Engine
from oxegg.sim.memory import (
    DRAM_BASE,
    LINE,
    NEAR_MEMORY_BASE,
    SPM_BASE,
    STACK_BYTES,
    TEXT_BASE,
    Memory,
    Place,
)
from oxegg.sim.recording import Recording
from oxegg.sim.state import State

Array = npt.NDArray[Any]
RETURN_ADDRESS = TEXT_BASE - 4
SPACE_STEP = 1 << 20
A0, FA0, RA, SP = 10, 10, 1, 2
ARGUMENT_REGISTERS = 8
STACK_ALIGNMENT = 16
CALLEE_SAVED_X = (2, 3, 4, 8, 9, *range(18, 28))
CALLEE_SAVED_F = (8, 9, *range(18, 28))


UNDEFINED = 0xA5
"""Bytes that a callee may not rely on: of temporary registers, results and scratch memory."""
TEMPORARIES = (5, 6, 7, *range(28, 32))


@dataclass(frozen=True)
class Buffer:
    """Memory that a kernel gets a pointer to.

    ``data`` is an array (copied in, and out again) or a size in bytes (each ``UNDEFINED``).
    ``place`` says in which memory it lies; of a buffer in ``near_memory`` each bank holds an equal
    part, in one piece or in ``turns`` with others, and the pointer is to the part in bank 0.
    ``align`` and ``offset``: the address is ``offset`` bytes after a multiple of ``align``.
    """

    data: Array | int
    place: Place = "spm"
    align: int = LINE
    offset: int = 0
    turns: Turns | None = None

    @property
    def size(self) -> int:
        return self.data if isinstance(self.data, int) else self.data.nbytes


Argument = Buffer | int | float | np.generic


@dataclass(frozen=True)
class CallResult:
    """What a call did.

    ``arrays`` are the buffers' final contents, shaped like their data (bytes for sizes). ``cycles``
    counts from the first issue until everything has completed (None without timing); ``units``
    gives each unit's share of them, ``stalls`` the cycles without issue by cause. ``executed`` and
    ``cycles_by_pc`` are per instruction, by byte offset in the code; ``returned`` is a0.
    ``recording`` is the timeline that was asked for; its addresses begin at ``TEXT_BASE``.
    """

    cycles: int | None
    instructions: int
    arrays: tuple[Array, ...]
    units: Mapping[str, float] = field(default_factory=dict[str, float])
    stalls: Mapping[str, float] = field(default_factory=dict[str, float])
    executed: Mapping[int, int] = field(default_factory=dict[int, int])
    cycles_by_pc: Mapping[int, float] = field(default_factory=dict[int, float])
    returned: int = 0
    recording: Recording | None = None


def call(
    code: bytes,
    machine: Machine,
    arguments: Sequence[Argument] = (),
    *,
    timing: bool = True,
    entry: int = 0,
    max_instructions: int = MAX_INSTRUCTIONS,
    domain: Domain | None = None,
    record: bool = False,
) -> CallResult:
    """Run the function at offset ``entry`` of ``code`` by the LP64D calling convention.

    Pointers to buffers and integers are passed in a0-a7, in the order of ``arguments``, then on the
    stack; floats (Python floats as binary64, NumPy floats in their format) in fa0-fa7. Buffers lie
    on 64-byte lines with an inaccessible line between them. With ``domain`` floats are elements of
    a field or rationals, and buffers hold them as ``oxegg.sim.domains`` says. ``record`` keeps a
    timeline. Raises
    ``SimulationError`` for a fault, and for a function that breaks the convention (callee-saved
    registers).
    """
    buffers = [argument for argument in arguments if isinstance(argument, Buffer)]
    memory = Memory(_space(machine, buffers))
    memory.map(TEXT_BASE, len(code), "spm", "code", writable=False, executable=True)
    memory.write(TEXT_BASE, code)
    stack = _place_stack(memory)
    # What the convention doesn't define holds anything (over a domain it must be a number).
    anything = 0 if domain else UNDEFINED
    addresses = _place_buffers(memory, machine, buffers, anything)
    state = State(memory, machine.vlen, accelerators(machine, memory, domain), domain=domain)
    state.v[:] = anything
    for register in TEMPORARIES:
        state.x[register] = anything * 0x0101_0101_0101_0101
    state.x[RA] = RETURN_ADDRESS
    state.x[SP] = _pass_arguments(state, stack, arguments, addresses)
    clock = Clock(machine, recording=record) if timing else None
    engine = Engine(state, clock)
    saved = _saved_registers(state)
    engine.run(TEXT_BASE + entry, RETURN_ADDRESS, max_instructions)
    _check_convention(saved, _saved_registers(state))
    arrays = tuple(
        _array(memory, machine, buffer, address)
        for buffer, address in zip(buffers, addresses, strict=True)
    )
    executed = {pc - TEXT_BASE: count for pc, count in sorted(engine.executed().items())}
    if clock is None:
        return CallResult(None, state.instructions, arrays, executed=executed, returned=state.x[A0])
    cycles = clock.finished
    return CallResult(
        cycles,
        state.instructions,
        arrays,
        units={unit: busy / max(1, cycles) for unit, busy in clock.busy().items()},
        stalls=clock.stalls(),
        executed=executed,
        cycles_by_pc={pc - TEXT_BASE: spent for pc, spent in clock.cycles_by_pc().items()},
        returned=state.x[A0],
        recording=clock.record() if record else None,
    )


def _space(machine: Machine, buffers: Sequence[Buffer]) -> int:
    """Bytes of address space up to the end of the DRAM buffers, and of the banks if there are any.

    What is never touched takes no memory.
    """
    needed = DRAM_BASE + STACK_BYTES + sum(b.size + b.align + 4 * LINE for b in buffers)
    return -(-max(needed, banks_end(machine)) // SPACE_STEP) * SPACE_STEP


def _place_stack(memory: Memory) -> int:
    """Map the stack; gives the initial stack pointer."""
    # A kernel's few spills belong to the nearest memory, as its buffers do.
    start = SPM_BASE - STACK_BYTES - LINE
    memory.map(start, STACK_BYTES, "spm", "the stack")
    return start + STACK_BYTES


def _place_buffers(
    memory: Memory, machine: Machine, buffers: Sequence[Buffer], anything: int
) -> list[int]:
    """Map and fill the buffers, with bytes ``anything`` where no data is given: their addresses."""
    free: dict[Place, int] = {
        "spm": SPM_BASE, "dram": DRAM_BASE, "near_memory": NEAR_MEMORY_BASE
    }  # fmt: skip
    taking_turns = [(b.turns, b.size) for b in buffers if b.turns is not None]
    if taking_turns:
        free["near_memory"] += map_turns(memory, machine, taking_turns)
    addresses: list[int] = []
    for number, buffer in enumerate(buffers):
        if buffer.turns is not None:
            addresses.append(_place_in_turns(memory, machine, buffer.turns, buffer, anything))
            continue
        start = -(-free[buffer.place] // buffer.align) * buffer.align + buffer.offset
        size = buffer.size
        given = buffer.data
        data = bytes([anything]) * given if isinstance(given, int) else given.tobytes()
        if buffer.place == "near_memory":
            place_in_banks(memory, machine, start, size, f"buffer {number}", data)
            size //= bank_count(machine)
        else:
            memory.map(start, size, buffer.place, f"buffer {number}")
            memory.write(start, data)
        addresses.append(start)
        free[buffer.place] = -(-(start + size) // LINE) * LINE + LINE
    used = sum(-(-b.size // LINE) * LINE for b in buffers if b.place == "spm")
    if used > machine.spm_bytes:
        raise UsageError(
            f"buffers need {used} bytes of scratchpad, {machine.name} has {machine.spm_bytes}",
            hint='place large buffers in "dram"',
        )
    return addresses


def _place_in_turns(
    memory: Memory, machine: Machine, turns: Turns, buffer: Buffer, anything: int
) -> int:
    """Fill chunks in mapped banks; gives the address of the first."""
    view = in_turns(memory, machine, turns, buffer.size)
    given = buffer.data
    view[...] = anything if isinstance(given, int) else given.view(np.uint8).reshape(view.shape)
    return NEAR_MEMORY_BASE + turns.offset


def _pass_arguments(
    state: State, stack: int, arguments: Sequence[Argument], addresses: Sequence[int]
) -> int:
    """Put the arguments into registers and below ``stack``; gives the stack pointer."""
    integers: list[int] = []
    floats: list[float | np.generic] = []
    places = iter(addresses)
    for argument in arguments:
        if isinstance(argument, Buffer):
            integers.append(next(places))
        elif np.asarray(argument).dtype.kind in "biu":
            integers.append(int(np.asarray(argument)))
        else:
            floats.append(argument)
    if len(floats) > ARGUMENT_REGISTERS:
        raise UsageError(
            f"more than {ARGUMENT_REGISTERS} floating-point scalars",
            hint="pass the scalars in an array",
        )
    words = [value & (1 << 64) - 1 for value in integers]
    for i, word in enumerate(words[:ARGUMENT_REGISTERS]):
        state.x[A0 + i] = word
    for i, value in enumerate(floats):
        state.f_u64[FA0 + i] = _float_bits(value)
    rest = b"".join(word.to_bytes(8, "little") for word in words[ARGUMENT_REGISTERS:])
    pointer = stack - -(-len(rest) // STACK_ALIGNMENT) * STACK_ALIGNMENT
    state.memory.write(pointer, rest)
    return pointer


def _float_bits(value: float | np.generic) -> int:
    """A float as a register holds it, NaN-boxed."""
    array: Array = np.array([value])
    bits = int(array.view(f"u{array.dtype.itemsize}")[0])
    return bits | (1 << 64) - (1 << 8 * array.dtype.itemsize)


def _saved_registers(state: State) -> dict[str, int]:
    integers = {f"x{r}": state.x[r] for r in CALLEE_SAVED_X}
    return integers | {f"f{r}": state.f_u64[r] for r in CALLEE_SAVED_F}


def _check_convention(before: Mapping[str, int], after: Mapping[str, int]) -> None:
    changed = [name for name, value in before.items() if after[name] != value]
    if changed:
        raise SimulationError(
            f"the function returned with changed callee-saved registers: {', '.join(changed)}"
        )


def _array(memory: Memory, machine: Machine, buffer: Buffer, address: int) -> Array:
    if buffer.turns is not None:
        raw = in_turns(memory, machine, buffer.turns, buffer.size).reshape(-1).copy()
    elif buffer.place == "near_memory":
        data = read_from_banks(memory, machine, address, buffer.size)
        raw = np.frombuffer(data, np.uint8).copy()
    else:
        raw = np.frombuffer(memory.read(address, buffer.size), np.uint8).copy()
    if isinstance(buffer.data, int):
        return raw
    return raw.view(buffer.data.dtype).reshape(buffer.data.shape)
