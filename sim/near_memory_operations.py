"""Near-memory commands on NumPy arrays: one row of the array per unit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from oxegg.isa import Instruction
from oxegg.sim.events import Event, NearMemoryEvent
from oxegg.sim.faults import StateFault
from oxegg.sim.lanes import BYTES, Array
from oxegg.sim.memory import MemoryFault
from oxegg.sim.near_memory import ACCUMULATOR, MAX_REPEAT, REGISTERS, NearMemoryUnits
from oxegg.sim.vector_memory import Access

Operation = Callable[..., int | None]


@dataclass(frozen=True)
class Command:
    """One near-memory instruction; ``register`` is the number in its rd field."""

    record: Instruction
    register: int
    units: NearMemoryUnits
    access: Access
    note: Callable[[Event], None]

    def numbers(self, repeat: int) -> slice | list[int]:
        """Register numbers of ``repeat`` steps; raises ``StateFault`` for a bad count."""
        self.units.active()
        if not 1 <= repeat <= MAX_REPEAT:
            raise StateFault(f"repeat count {repeat} is not from 1 to {MAX_REPEAT}")
        first = self.register
        if first + repeat <= REGISTERS:
            return slice(first, first + repeat)
        return [(first + i) % REGISTERS for i in range(repeat)]

    def bank(self, address: int, repeat: int) -> int:
        """Offset in the banks, rows opened, the clock told."""
        offset = self.units.offset(address, repeat)
        self.note(self.units.visit(offset, repeat))
        return offset

    def scratchpad(self, address: int, size: int, alignment: int, *, write: bool) -> slice:
        """The bytes of a scratchpad access; raises ``MemoryFault`` unless they are there."""
        region = self.access.memory.region(address, size, write=write)
        if region.place != "spm":
            raise MemoryFault(f"{self.record.name} at {address:#x}: not in the scratchpad")
        self.access.block(address, size, alignment, write=write)
        return slice(address, address + size)


def compile_near_memory(
    record: Instruction,
    values: tuple[int | bool, ...],
    units: NearMemoryUnits,
    access: Access,
    note: Callable[[Event], None],
) -> Operation:
    """The function of a near-memory instruction; it takes its x sources, the address first."""
    numbers = {o.name: int(v) for o, v in zip(record.operands, values, strict=True)}
    command = Command(record, numbers.get("rd", 0), units, access, note)
    return BUILDERS[record.name](command)


# Mode


def _on(command: Command) -> Operation:
    return command.units.turn_on


def _off(command: Command) -> Operation:
    return command.units.turn_off


def _wait(command: Command) -> Operation:
    def wait() -> int:
        command.units.active()
        return 0

    return wait


# Between scratchpad and registers


def _broadcast_vector(command: Command) -> Operation:
    units, memory = command.units, command.access.memory.bytes

    def broadcast(address: int, repeat: int) -> None:
        numbers, width = command.numbers(repeat), units.width
        data = memory[command.scratchpad(address, repeat * width, width, write=False)]
        units.g[:, numbers] = units.active().read(data.reshape(repeat, width))
        command.note(NearMemoryEvent(repeat, 0, 0))

    return broadcast


def _broadcast_scalars(command: Command) -> Operation:
    units, memory = command.units, command.access.memory.bytes

    def broadcast(address: int, repeat: int) -> None:
        numbers, lanes = command.numbers(repeat), units.active()
        place = command.scratchpad(address, repeat * lanes.size, lanes.size, write=False)
        units.s[numbers] = lanes.read(memory[place])
        command.note(NearMemoryEvent(repeat, 0, 0))

    return broadcast


def _read(command: Command) -> Operation:
    units, memory = command.units, command.access.memory.bytes

    def read(address: int, repeat: int) -> None:
        numbers, width = command.numbers(repeat), units.width
        size = units.units * repeat * width
        place = command.scratchpad(address, size, width, write=True)
        memory[place] = units.active().write(units.h[:, numbers]).reshape(size)
        command.note(NearMemoryEvent(repeat, 0, 0))

    return read


def _read_sums(command: Command) -> Operation:
    units, memory = command.units, command.access.memory.bytes

    def read(address: int, repeat: int) -> None:
        numbers = command.numbers(repeat)
        size = 4 * units.units * repeat
        place = command.scratchpad(address, size, 4, write=True)
        sums = units.active().total(units.h[:, numbers])
        memory[place] = np.ascontiguousarray(sums).view(np.uint8).reshape(size)
        command.note(NearMemoryEvent(repeat, 0, 0))

    return read


# Between banks and registers


def _load(command: Command) -> Operation:
    units = command.units

    def load(address: int, repeat: int) -> None:
        numbers = command.numbers(repeat)
        units.g[:, numbers] = units.load(command.bank(address, repeat), repeat)

    return load


def _store(command: Command) -> Operation:
    units, relu = command.units, command.record.name.endswith("relu")

    def store(address: int, repeat: int) -> None:
        numbers, lanes = command.numbers(repeat), units.active()
        offset, values = command.bank(address, repeat), units.h[:, numbers]
        if relu:
            values = lanes.largest(values, np.zeros_like(values))
        units.store(offset, values)

    return store


def _zero(command: Command) -> Operation:
    def zero(repeat: int) -> None:
        command.units.active()
        command.units.h[:, command.numbers(repeat)] = 0
        command.note(NearMemoryEvent(repeat, 0, 0))

    return zero


COMBINING = {"ox.nm.add": "add", "ox.nm.mul": "multiply", "ox.nm.max": "largest"}
"""Fields of ``Lanes``."""


def _combine(command: Command) -> Operation:
    units, name = command.units, command.record.name

    def combine(address: int, repeat: int) -> None:
        numbers, lanes = command.numbers(repeat), units.active()
        operation = getattr(lanes, COMBINING[name])
        data = units.load(command.bank(address, repeat), repeat)
        units.h[:, numbers] = operation(units.g[:, numbers], data)

    return combine


def _accumulate(command: Command) -> Operation:
    units, scalar = command.units, command.record.name == "ox.nm.macs"

    def accumulate(address: int, repeat: int) -> None:
        command.numbers(repeat)
        lanes, first = units.active(), command.register
        total = _sums(command)
        data = units.load(command.bank(address, repeat), repeat)
        for i in range(repeat):
            factor = units.s[i] if scalar else units.g[:, i]
            total = lanes.accumulate(data[:, i], factor, total)
        if lanes is BYTES:
            shape = (units.units, ACCUMULATOR, units.width)
            data = total.view(np.int8).reshape(shape)
            units.h[:, first : first + ACCUMULATOR] = data
        else:
            units.h[:, first] = total

    return accumulate


def _sums(command: Command) -> Array:
    """The present values of the accumulator (units, lanes)."""
    units, first = command.units, command.register
    if units.active() is not BYTES:
        return units.h[:, first]
    if first % ACCUMULATOR:
        raise StateFault(f"h{first} doesn't start a group of {ACCUMULATOR}: sums of 8-bit products")
    data = np.ascontiguousarray(units.h[:, first : first + ACCUMULATOR])
    return data.reshape(units.units, -1).view(np.int32)


BUILDERS: Mapping[str, Callable[[Command], Operation]] = {
    "ox.nm.on": _on, "ox.nm.off": _off, "ox.nm.wait": _wait,
    "ox.nm.bcv": _broadcast_vector, "ox.nm.bcs": _broadcast_scalars,
    "ox.nm.ld": _load, "ox.nm.st": _store, "ox.nm.st.relu": _store,
    "ox.nm.rd": _read, "ox.nm.rdsum": _read_sums, "ox.nm.zero": _zero,
    "ox.nm.add": _combine, "ox.nm.mul": _combine, "ox.nm.max": _combine,
    "ox.nm.mac": _accumulate, "ox.nm.macs": _accumulate,
}  # fmt: skip
