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
    spans: tuple[tuple[int, int], ...] = ()  # offsets known to be mapped in all selected banks
    chosen: slice | list[int] = field(default_factory=list[int])
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
        self.spans = self._common_spans()
        first, last = self.selected[0], self.selected[-1] + 1
        whole = last - first == len(self.selected)
        self.chosen = slice(first, last) if whole else list(self.selected)
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
        """The bytes of all banks, (channels, units of a channel, bytes of a bank)."""
        timing = self.timing
        shape = (self.channels, timing.units_per_channel, timing.bank_bytes)
        start, stop = NEAR_MEMORY_BASE, self.channel_range(self.channels - 1)[1]
        return self.memory.bytes[start:stop].reshape(shape)

    # Banks

    def offset(self, address: int, repeat: int) -> int:
        """Offset in a bank of ``repeat`` accesses from ``address``, the address in bank 0.

        Raises ``MemoryFault`` when the address is misaligned, or not mapped in every selected bank.
        """
        if address % self.width:
            raise MemoryFault(
                f"misaligned near-memory access of {self.width} bytes at {address:#x}"
            )
        size = repeat * self.width
        offset = address - NEAR_MEMORY_BASE
        if not 0 <= offset <= self.timing.bank_bytes - size:
            raise MemoryFault(f"near-memory access of {size} bytes at {address:#x} outside bank 0")
        if not any(start <= offset and offset + size <= stop for start, stop in self.spans):
            for start in self._starts():
                self.memory.locked_region(start + offset, size)
            self.spans = (*self.spans, (offset, offset + size))
        return offset

    def _starts(self) -> list[int]:
        """Addresses of the selected banks."""
        banks = range(self.timing.units_per_channel)
        return [self.channel_range(c)[0] + b * self.timing.bank_bytes
                for c in self.selected for b in banks]  # fmt: skip

    def _common_spans(self) -> tuple[tuple[int, int], ...]:
        """Offsets that are mapped alike in every selected bank."""
        found: list[frozenset[tuple[int, int]]] = []
        for start in self._starts():
            stop = start + self.timing.bank_bytes
            inside = self.memory.locked_regions(start, stop)
            found.append(frozenset((r.start - start, r.stop - start) for r in inside))
        return tuple(sorted(found[0].intersection(*found[1:])))

    def _bytes(self, offset: int, repeat: int) -> Array:
        """The bytes of ``repeat`` accesses, (channels, units of a channel, bytes)."""
        return self.banks[self.chosen, :, offset : offset + repeat * self.width]

    def load(self, offset: int, repeat: int) -> Array:
        """What ``repeat`` accesses bring from every bank, as values (units, accesses, lanes)."""
        data = np.ascontiguousarray(self._bytes(offset, repeat))
        return self.active().read(data.reshape(self.units, repeat, self.width))

    def store(self, offset: int, values: Array) -> None:
        """Values (units, accesses, lanes) to every bank."""
        data = self.active().write(np.ascontiguousarray(values))
        repeat = values.shape[1]
        shape = (len(self.selected), self.timing.units_per_channel, repeat * self.width)
        self.banks[self.chosen, :, offset : offset + shape[2]] = data.reshape(shape)

    def visit(self, offset: int, repeat: int) -> NearMemoryEvent:
        """Open the rows of an access; says what the clock has to know."""
        if self.timing.kind != "dram":
            return NearMemoryEvent(repeat, 0, 0)
        row = offset // self.timing.row_bytes
        last = (offset + (repeat - 1) * self.width) // self.timing.row_bytes
        activates = last - row + (row != self.open_row)
        precharges = activates - (self.open_row is None)
        self.open_row = last
        return NearMemoryEvent(repeat, precharges, activates)
