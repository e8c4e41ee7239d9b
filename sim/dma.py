"""The copy engine (ISA manual, "Xoxd").

A transfer happens when the program waits for it: until then the destination keeps its old bytes,
so that a program which forgets to wait, or overwrites the source too early, computes a wrong result
here as it may on a machine. Transfers of one queue happen in order.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

from oxegg.costmodels.machine import Dma
from oxegg.sim.events import CopyEvent, Event, WaitEvent
from oxegg.sim.faults import StateFault
from oxegg.sim.memory import Memory, MemoryFault, Region

DESCRIPTOR_BYTES = 64
ELEMENT_SIZES = (0, 1, 2, 4, 8)
THIS_CORE = 1
"""Bit of the core that the simulator simulates in a multicast mask."""
U64 = (1 << 64) - 1


@dataclass(frozen=True)
class Descriptor:
    """``rows`` rows of ``row_bytes`` bytes; strides in bytes, two's complement.

    ``element`` is 0 or the size of an element: then row r, element c goes to row c, element r.
    ``cores`` is 0 or the mask of the cores whose scratchpads get a copy.
    """

    source: int
    target: int
    row_bytes: int
    rows: int
    source_stride: int
    target_stride: int
    element: int
    cores: int

    @classmethod
    def decode(cls, data: bytes) -> "Descriptor":
        """Eight 64-bit words: source, target, row bytes, rows, strides, flags, zero.

        Flags: bits 7..0 element size of a transposition, 63..32 the multicast mask. Raises
        ``StateFault`` for what is not a descriptor.
        """
        words: tuple[int, ...] = struct.unpack("<8Q", data)
        source, target, row_bytes, rows, source_stride, target_stride, flags, reserved = words
        element, cores = flags & 0xFF, flags >> 32
        if reserved or flags & 0xFFFF_FF00:
            raise StateFault("reserved bits of a DMA descriptor are not zero")
        if element not in ELEMENT_SIZES or (element and row_bytes % element):
            raise StateFault(f"DMA can't transpose rows of {row_bytes} bytes by {element}")
        return cls(
            source, target, row_bytes, rows, source_stride, target_stride, element, cores
        )  # fmt: skip

    @property
    def size(self) -> int:
        return self.rows * self.row_bytes

    @property
    def target_rows(self) -> tuple[int, int]:
        """Rows of the target and their bytes."""
        if not self.element:
            return self.rows, self.row_bytes
        return self.row_bytes // self.element, self.rows * self.element


@dataclass
class DmaEngine:
    """Transfers by handle, the numbers from 1 on in the order of their starts."""

    machine: Dma
    memory: Memory
    started: int = 0
    dram_bytes: int = 0
    """Bytes of all transfers that crossed the DRAM interface."""
    pending: dict[int, tuple[int, Descriptor]] = field(
        default_factory=dict[int, tuple[int, Descriptor]]
    )

    def start(self, address: int, queue: int) -> tuple[int, Event]:
        """Take the descriptor at ``address``; gives the handle and what the clock has to know."""
        if queue >= self.machine.queues:
            raise StateFault(f"DMA queue {queue} is not from 0 to {self.machine.queues - 1}")
        if address % DESCRIPTOR_BYTES:
            raise MemoryFault(f"misaligned DMA descriptor at {address:#x}")
        if self.memory.region(address, DESCRIPTOR_BYTES, write=False).place != "spm":
            raise MemoryFault(f"the DMA descriptor at {address:#x} is not in the scratchpad")
        descriptor = Descriptor.decode(self.memory.read(address, DESCRIPTOR_BYTES))
        source, target = self._check(descriptor)
        self.started += 1
        self.pending[self.started] = queue, descriptor
        burst = self.machine.burst_bytes
        outside = sum(place not in (None, "spm") for place in (source, target))
        self.dram_bytes += descriptor.size * outside
        event = CopyEvent(
            queue=queue,
            bytes=descriptor.size,
            bursts=descriptor.rows * -(-descriptor.row_bytes // burst),
            dram_bytes=descriptor.size * outside,
        )
        return self.started, event

    def wait(self, handle: int) -> Event:
        """Complete a transfer, and those before it in its queue."""
        if not 1 <= handle <= self.started:
            raise StateFault(f"{handle} is no handle of a DMA transfer")
        event = WaitEvent(self.started - handle)
        if handle in self.pending:
            queue = self.pending[handle][0]
            for number in [n for n, (q, _) in self.pending.items() if q == queue and n <= handle]:
                self._copy(self.pending.pop(number)[1])
        return event

    def fence(self) -> None:
        """Complete all transfers."""
        for _, descriptor in self.pending.values():
            self._copy(descriptor)
        self.pending.clear()

    def _check(self, descriptor: Descriptor) -> tuple[str | None, str | None]:
        """Kinds of memory of source and target; raises ``MemoryFault`` for rows outside."""
        rows, row_bytes = descriptor.target_rows
        source = self._place(
            descriptor.source, descriptor.source_stride, descriptor.rows, descriptor.row_bytes,
            write=False,
        )  # fmt: skip
        target = self._place(
            descriptor.target, descriptor.target_stride, rows, row_bytes, write=True
        )
        if descriptor.cores and target not in (None, "spm"):
            raise StateFault("a DMA multicast goes to scratchpads")
        return source, target

    def _place(
        self, address: int, stride: int, rows: int, row_bytes: int, *, write: bool
    ) -> str | None:
        region: Region | None = None
        for row in range(rows if row_bytes else 0):
            start = address + row * stride & U64
            region = self.memory.region(start, row_bytes, write=write)
        return region.place if region else None

    def _copy(self, descriptor: Descriptor) -> None:
        if (descriptor.cores and not descriptor.cores & THIS_CORE) or not descriptor.size:
            return
        memory = self.memory.bytes
        rows = [
            memory[start : start + descriptor.row_bytes]
            for row in range(descriptor.rows)
            for start in [descriptor.source + row * descriptor.source_stride & U64]
        ]
        data = np.stack(rows)
        count, row_bytes = descriptor.target_rows
        if descriptor.element:
            elements = data.reshape(descriptor.rows, count, descriptor.element)
            data = np.ascontiguousarray(elements.transpose(1, 0, 2)).reshape(count, row_bytes)
        for row in range(count):
            start = descriptor.target + row * descriptor.target_stride & U64
            memory[start : start + row_bytes] = data[row]
