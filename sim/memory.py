"""Guest memory: one flat address space with named regions, checked by 64-byte line.

Two byte tables with one entry per line keep the check of the common access to one index: an entry
is 1 where a line may be read and written without further thought. ``functional`` is for runs
without a clock; ``timed`` has 1 for scratchpad lines only, because other lines must be counted.
Lines of near-memory banks are always looked at: their channel may be locked.
"""

import mmap
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from oxegg.errors import SimulationError
from oxegg.sim.faults import Cause, MemoryFault

LINE_SHIFT = 6
LINE = 1 << LINE_SHIFT

TEXT_BASE = 0x0001_0000
SPM_BASE = 0x0800_0000
DRAM_BASE = 0x1000_0000
NEAR_MEMORY_BASE = 0x4000_0000
STACK_BYTES = 1 << 20
DEFAULT_SPACE = 1 << 31

Place = Literal["spm", "dram", "near_memory", "device"]


class LineTable(mmap.mmap):
    """One byte per line, zeros at first; unlike a bytearray's, pages come into being by use."""

    def count(self, value: int, first: int = 0, last: int | None = None) -> int:
        """How many entries in a range have a value."""
        return self[first:last].count(value)


@dataclass(frozen=True)
class Region:
    """Bytes ``[start, stop)`` of one kind of memory."""

    start: int
    stop: int
    place: Place
    writable: bool
    executable: bool
    name: str


class Memory:
    """``space`` bytes of address space of which nothing is mapped at first.

    ``misaligned``: whether scalar loads and stores may be misaligned, slowly, as applications
    expect; kernels on bare buffers that do it are taken to have an error.
    """

    def __init__(self, space: int = DEFAULT_SPACE, *, misaligned: bool = False) -> None:
        self.space = space
        self.misaligned = misaligned
        self._devices: dict[int, Callable[[], None]] = {}
        self._map = mmap.mmap(-1, space)
        view = memoryview(self._map)
        self.u8 = view
        self.u16 = view.cast("H")
        self.u32 = view.cast("I")
        self.u64 = view.cast("Q")
        self.bytes = np.frombuffer(self._map, np.uint8)
        self.functional = LineTable(-1, space >> LINE_SHIFT)
        self.timed = LineTable(-1, space >> LINE_SHIFT)
        # Native code takes eight entries at once.
        self.touched = LineTable(-1, (space >> LINE_SHIFT) + 8)
        self.functional_lines = np.frombuffer(self.functional, np.uint8)
        self.timed_lines = np.frombuffer(self.timed, np.uint8)
        self.touched_lines = np.frombuffer(self.touched, np.uint8)
        self._regions: list[Region] = []
        self._starts: list[int] = []
        self._locked: list[Region] = []

    def map(
        self,
        start: int,
        size: int,
        place: Place,
        name: str,
        *,
        writable: bool = True,
        executable: bool = False,
    ) -> None:
        """Make ``size`` bytes at ``start`` accessible, zeroed."""
        stop = start + size
        if stop > self.space or size < 0:
            raise SimulationError(
                f"{name}: {start:#x}..{stop:#x} lies outside the {self.space:#x}-byte address space"
            )
        self._insert(Region(start, stop, place, writable, executable, name))

    def _insert(self, region: Region) -> None:
        index = bisect_right(self._starts, region.start)
        self._regions.insert(index, region)
        self._starts.insert(index, region.start)
        first, last = (region.start + LINE - 1) >> LINE_SHIFT, region.stop >> LINE_SHIFT
        if region.writable and last > first and region.place in ("spm", "dram"):
            ones = b"\x01" * (last - first)
            self.functional[first:last] = ones
            if region.place == "spm":
                self.timed[first:last] = ones

    def touched_dram_lines(self) -> int:
        """How many lines of DRAM timed accesses have touched."""
        total = counted = 0
        for region in self._regions:
            if region.place == "dram":
                first, last = region.start >> LINE_SHIFT, (region.stop + LINE - 1) >> LINE_SHIFT
                # Two regions may meet within a line.
                total += int(np.count_nonzero(self.touched_lines[max(first, counted) : last]))
                counted = last
        return total

    def watch(self, address: int, written: Callable[[], None]) -> None:
        """Call ``written`` after each scalar store into the mapped 8 bytes at ``address``."""
        self._devices[address >> 3] = written
        whole = self.region(address, 8, write=True)
        index = self._regions.index(whole)
        del self._regions[index], self._starts[index]
        start, stop = address & -LINE, (address & -LINE) + LINE
        self.functional[start >> LINE_SHIFT] = self.timed[start >> LINE_SHIFT] = 0
        parts = ((whole.start, start, whole.place), (start, stop, "device"),
                 (stop, whole.stop, whole.place))  # fmt: skip
        for first, last, place in parts:
            first, last = max(first, whole.start), min(last, whole.stop)
            if first < last:
                self._insert(replace(whole, start=first, stop=last, place=place))

    def needs_bytes(self, address: int, size: int, *, write: bool) -> bool:
        """Whether a scalar access goes to a device or is misaligned, and allowed to."""
        if address & (size - 1):
            return self.misaligned
        return write and address >> 3 in self._devices

    def load_bytes(self, address: int, size: int) -> int:
        """A scalar load that may be misaligned; checked before."""
        return int.from_bytes(self._map[address : address + size], "little")

    def store_bytes(self, address: int, size: int, value: int) -> None:
        """A scalar store that may be misaligned or go to a device; checked before."""
        mask = (1 << 8 * size) - 1
        self._map[address : address + size] = (value & mask).to_bytes(size, "little")
        written = self._devices.get(address >> 3)
        if written is not None:
            written()

    def lock(self, start: int, stop: int) -> None:
        """Refuse ordinary accesses to the banks in ``[start, stop)`` until ``unlock``."""
        inside = [r for r in self._regions if start <= r.start < stop]
        self._locked += inside
        self._regions = [region for region in self._regions if region not in inside]
        self._starts = [region.start for region in self._regions]

    def unlock(self, start: int, stop: int) -> None:
        """Allow ordinary accesses again to what ``lock`` took."""
        for region in [r for r in self._locked if start <= r.start < stop]:
            self._locked.remove(region)
            self._insert(region)

    def locked_regions(self, start: int, stop: int) -> list[Region]:
        """The locked regions inside ``[start, stop)``."""
        return [r for r in self._locked if start <= r.start and r.stop <= stop]

    def locked_region(self, address: int, size: int) -> Region:
        """The locked region that holds the access; raises ``MemoryFault`` when there is none."""
        for region in self._locked:
            if region.start <= address and address + size <= region.stop:
                return region
        raise MemoryFault(f"near-memory access of {size} bytes at {address:#x} outside all buffers")

    def is_free(self, start: int, stop: int) -> bool:
        """Whether nothing is mapped in ``[start, stop)`` and the address space reaches there."""
        return stop <= self.space and not any(
            region.start < stop and start < region.stop for region in self._regions
        )

    @property
    def regions(self) -> tuple[Region, ...]:
        """What is mapped and not locked, by address."""
        return tuple(self._regions)

    def write(self, address: int, data: bytes) -> None:
        """Set bytes from outside the simulated program, without any check."""
        self._map[address : address + len(data)] = data

    def read(self, address: int, size: int) -> bytes:
        """Bytes as the simulated program left them, without any check."""
        return self._map[address : address + size]

    def holder(self, address: int, size: int) -> Region | None:
        """The region that holds a whole range of bytes, if there is one."""
        index = bisect_right(self._starts, address) - 1
        region = self._regions[index] if index >= 0 else None
        return None if region is None or address + size > region.stop else region

    def region(self, address: int, size: int, *, write: bool) -> Region:
        """The region that holds the whole access; raises ``MemoryFault`` when there is none."""
        region = self.holder(address, size)
        if region is not None and (region.writable or not write):
            return region
        access = f"{'store' if write else 'load'} of {size} bytes at {address:#x}"
        if region is not None:
            reason = f"{access} into {region.name}"
        elif any(r.start < address + size and address < r.stop for r in self._locked):
            reason = f"{access}, whose channel is in near-memory mode"
        elif address + size > self.space:
            reason = f"{access} outside the address space"
        else:
            reason = f"{access} outside all buffers"
        raise MemoryFault(reason, Cause.STORE_ACCESS if write else Cause.LOAD_ACCESS, address)

    def check(self, address: int, size: int, alignment: int, *, write: bool) -> int:
        """Check an access; gives -1 for scratchpad memory, else the lines it touches first.

        Raises ``MemoryFault`` for an access that is misaligned or outside all regions.
        """
        if address & (alignment - 1):
            verb, cause = (
                ("store", Cause.STORE_MISALIGNED) if write else ("load", Cause.LOAD_MISALIGNED)
            )
            reason = f"misaligned {verb} of {alignment} bytes at {address:#x}"
            raise MemoryFault(reason, cause, address)
        region = self.region(address, size, write=write)
        if region.place == "spm":
            return -1
        first, last = address >> LINE_SHIFT, (address + size - 1 >> LINE_SHIFT) + 1
        new = self.touched.count(0, first, last)
        if new:
            self.touched[first:last] = b"\x01" * (last - first)
        return new
