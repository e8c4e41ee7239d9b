"""The near-memory units of one core: mode, registers, banks (ISA manual, "Xoxn").

All units of the selected channels work in lock step on the same offset of their banks. The
near-memory region is one bank after the other; commands name an offset by its address in bank 0.
"""

from dataclasses import dataclass, field

import numpy as np

from oxegg.costmodels.machine import NearMemory
from oxegg.sim.events import NearMemoryEvent
from oxegg.sim.faults import StateFault
from oxegg.sim.lanes import BY_NUMBER, Array, Lanes
from oxegg.sim.memory import NEAR_MEMORY_BASE, Memory, MemoryFault

REGISTERS, MAX_REPEAT = 8, 8
ACCUMULATOR = 4
"""h registers that hold the 32-bit sums of one register of 8-bit products."""


@dataclass
class NearMemoryUnits:
    """``channels`` are this core's; ``lanes`` is None outside near-memory mode."""

    timing: NearMemory
    channels: int
    memory: Memory
    kinds: tuple[Lanes, ...] = BY_NUMBER
    lanes: Lanes | None = None
    selected: tuple[int, ...] = ()
    open_row: int | None = None
    banks: Array = field(init=False)
    g: Array = field(init=False)
    h: Array = field(init=False)
    s: Array = field(init=False)

    @property
    def width(self) -> int:
        """W: bytes of a register and of one access to a bank."""
        return self.timing.width_bytes

    @property
    def units(self) -> int:
        """Units that take part."""
        return len(self.selected) * self.timing.units_per_channel

    # Mode

    def turn_on(self, mask: int, kind: int) -> int:
        """Select the channels of ``mask`` and element type ``kind``; gives the number of units.

        All registers become zero, and ordinary accesses to these channels are refused.
        """
        if self.lanes is not None:
            raise StateFault("near-memory mode is on already")
        if not 0 < mask < 1 << self.channels:
            raise StateFault(
                f"channel mask {mask:#x}: this core has channels 0 to {self.channels - 1}"
            )
        if kind >= len(self.kinds):
            raise StateFault(f"element type {kind} is not from 0 to {len(self.kinds) - 1}")
        self.lanes = lanes = self.kinds[kind]
        self.selected = tuple(c for c in range(self.channels) if mask >> c & 1)
        self.open_row = None
        count = self.width // lanes.size
        self.g = np.zeros((self.units, REGISTERS, count), lanes.kind)
        self.h = np.zeros_like(self.g)
        self.s = np.zeros(REGISTERS, lanes.kind)
        for channel in self.selected:
            self.memory.lock(*self.channel_range(channel))
        self.banks = self._bank_bytes()
        return self.units

    def turn_off(self) -> None:
        """Back to ordinary accesses."""
        self.active()
        for channel in self.selected:
            self.memory.unlock(*self.channel_range(channel))
        self.lanes, self.selected = None, ()

    def active(self) -> Lanes:
        """The element type; raises ``StateFault`` outside near-memory mode."""
        if self.lanes is None:
            raise StateFault("near-memory mode is off")
        return self.lanes

    def channel_range(self, channel: int) -> tuple[int, int]:
        """Addresses of a channel's banks: first, and the one after the last."""
        size = self.timing.units_per_channel * self.timing.bank_bytes
        return NEAR_MEMORY_BASE + channel * size, NEAR_MEMORY_BASE + (channel + 1) * size

    def _bank_bytes(self) -> Array:
        """The bytes of the selected banks, (channels, units of a channel, bytes of a bank)."""
        timing = self.timing
        shape = (self.channels, timing.units_per_channel, timing.bank_bytes)
        start, stop = NEAR_MEMORY_BASE, self.channel_range(self.channels - 1)[1]
        return self.memory.bytes[start:stop].reshape(shape)

    # Banks

    def offsets(self, address: int, repeat: int) -> list[int]:
        """Offsets in a bank of ``repeat`` accesses from ``address``, the address in bank 0.

        Raises ``MemoryFault`` when the address is misaligned, or not mapped in every selected bank.
        """
        if address % self.width:
            raise MemoryFault(
                f"misaligned near-memory access of {self.width} bytes at {address:#x}"
            )
        size, bank = repeat * self.width, self.timing.bank_bytes
        offset = address - NEAR_MEMORY_BASE
        if not 0 <= offset <= bank - size:
            raise MemoryFault(f"near-memory access of {size} bytes at {address:#x} outside bank 0")
        for channel in self.selected:
            start = self.channel_range(channel)[0]
            for unit in range(self.timing.units_per_channel):
                self.memory.locked_region(start + unit * bank + offset, size)
        return [offset + i * self.width for i in range(repeat)]

    def load(self, offset: int) -> Array:
        """The W bytes at ``offset`` of every bank, as values (units, lanes)."""
        data = self.banks[list(self.selected), :, offset : offset + self.width]
        return self.active().read(np.ascontiguousarray(data).reshape(self.units, self.width))

    def store(self, offset: int, values: Array) -> None:
        """Values (units, lanes) to the W bytes at ``offset`` of every bank."""
        data = self.active().write(np.ascontiguousarray(values))
        shape = (len(self.selected), self.timing.units_per_channel, self.width)
        self.banks[list(self.selected), :, offset : offset + self.width] = data.reshape(shape)

    def visit(self, offsets: list[int]) -> NearMemoryEvent:
        """Open the rows of an access; says what the clock has to know."""
        precharges = activates = 0
        if self.timing.kind == "dram":
            for offset in offsets:
                row = offset // self.timing.row_bytes
                if row != self.open_row:
                    activates += 1
                    precharges += self.open_row is not None
                    self.open_row = row
        return NearMemoryEvent(len(offsets), precharges, activates)
