"""Virtual memory of supervisor and user mode: Sv39, translated and checked access by access.

"The RISC-V Instruction Set Manual, Volume II", chapter "Supervisor-Level ISA", section Sv39. The
hart remembers no translation of data; code that was translated is dropped at ``sfence.vma`` and at
a write to satp. Accessed and dirty bits are software's (Svade): where they are missing, an access
is a page fault. Svnapot and Svpbmt are absent: their bits are reserved. Physical memory protection
is part of a space, since it sends accesses the same slow way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from oxegg.sim.faults import ACCESS_FAULTS, Cause, Kind, MemoryFault
from oxegg.sim.memory import Memory
from oxegg.sim.protection import Protection

PAGE_SHIFT, LEVEL_BITS, LEVELS, ENTRY_BYTES = 12, 9, 3, 8
PAGE = 1 << PAGE_SHIFT
ADDRESS_BITS = PAGE_SHIFT + LEVELS * LEVEL_BITS
VALID, READ, WRITE, EXECUTE, USER_PAGE = (1 << bit for bit in range(5))
ACCESSED, DIRTY = 1 << 6, 1 << 7
NUMBER_SHIFT, NUMBER_BITS = 10, 44
RESERVED = -1 << NUMBER_SHIFT + NUMBER_BITS

PAGE_FAULTS = {"fetch": Cause.FETCH_PAGE, "load": Cause.LOAD_PAGE, "store": Cause.STORE_PAGE}


@dataclass(frozen=True)
class Space:
    """An address space as one privilege mode sees it.

    ``root``: number of the page that holds the top page table, None where addresses are physical;
    ``user``: whether for user mode; ``user_pages``: whether supervisor mode may access user pages
    (SUM); ``execute_reads``: whether loads may read pages that are only executable (MXR);
    ``protection``: which physical addresses may be accessed, None for all.
    """

    root: int | None
    user: bool
    user_pages: bool
    execute_reads: bool
    protection: Protection | None = None

    def physical(self, memory: Memory, address: int, kind: Kind, size: int = 1) -> int:
        """The physical address of ``size`` bytes in one page; raises ``MemoryFault``."""
        place = address if self.root is None else self._walk(memory, self.root, address, kind)
        self._protect(place, size, kind, kind, address)
        return place

    def _protect(self, place: int, size: int, wanted: Kind, kind: Kind, address: int) -> None:
        """Raise the access fault of a protected place, in terms of the program's own access."""
        if self.protection is not None and not self.protection.permits(place, size, wanted):
            reason = f"{kind} at {address:#x}: {place:#x} is protected (PMP)"
            raise MemoryFault(reason, ACCESS_FAULTS[kind], address)

    def _walk(self, memory: Memory, root: int, address: int, kind: Kind) -> int:
        top = address >> ADDRESS_BITS - 1
        if top not in (0, (1 << 65 - ADDRESS_BITS) - 1):
            raise _page_fault(address, kind)
        table = root << PAGE_SHIFT
        for level in reversed(range(LEVELS)):
            shift = PAGE_SHIFT + level * LEVEL_BITS
            place = table + (address >> shift & (1 << LEVEL_BITS) - 1) * ENTRY_BYTES
            if memory.holder(place, ENTRY_BYTES) is None:
                reason = f"{kind} at {address:#x}: its page table at {place:#x} is no memory"
                raise MemoryFault(reason, ACCESS_FAULTS[kind], address)
            self._protect(place, ENTRY_BYTES, "load", kind, address)
            entry = memory.u64[place >> 3]
            if not entry & VALID or entry & RESERVED or entry & (READ | WRITE) == WRITE:
                break
            number = entry >> NUMBER_SHIFT
            if entry & (READ | EXECUTE):
                inside = (1 << shift) - 1
                if number << PAGE_SHIFT & inside or not self._permits(entry, kind):
                    break
                return number << PAGE_SHIFT | address & inside
            if entry & (ACCESSED | DIRTY | USER_PAGE):
                break
            table = number << PAGE_SHIFT
        raise _page_fault(address, kind)

    def _permits(self, entry: int, kind: Kind) -> bool:
        """Whether a leaf entry allows an access."""
        foreign = bool(entry & USER_PAGE) != self.user
        if foreign and (self.user or kind == "fetch" or not self.user_pages):
            return False
        readable = READ | EXECUTE if self.execute_reads else READ
        wanted = {"fetch": EXECUTE, "load": readable, "store": WRITE}[kind]
        marks = ACCESSED | DIRTY if kind == "store" else ACCESSED
        return bool(entry & wanted) and entry & marks == marks


def _page_fault(address: int, kind: Kind) -> MemoryFault:
    return MemoryFault(f"page fault: {kind} at {address:#x}", PAGE_FAULTS[kind], address)


class Spaces(Protocol):
    """What knows the present address spaces: the hart."""

    def data_space(self) -> Space | None: ...


class NoLines:
    """A table of lines none of which may be accessed without a check."""

    def __getitem__(self, line: int) -> int:
        return 0


@dataclass(frozen=True)
class VirtualMemory:
    """Scalar accesses through the present data space, for translated code."""

    memory: Memory
    spaces: Spaces

    def check(self, address: int, size: int, alignment: int, *, write: bool) -> int:
        """As ``Memory.check``, for a virtual address."""
        if address & (alignment - 1):
            return self.memory.check(address, size, alignment, write=write)
        new: list[int] = []
        for physical, length in self.pieces(address, size, write=write):
            try:
                new.append(self.memory.check(physical, length, 1, write=write))
            except MemoryFault as fault:
                raise MemoryFault(str(fault), fault.cause, address) from fault
        return -1 if -1 in new else sum(new)

    def load_bytes(self, address: int, size: int) -> int:
        """A load that was checked before."""
        parts = self.pieces(address, size, write=False)
        data = b"".join(self.memory.read(physical, length) for physical, length in parts)
        return int.from_bytes(data, "little")

    def store_bytes(self, address: int, size: int, value: int) -> None:
        """A store that was checked before; it may go to a device."""
        for physical, length in self.pieces(address, size, write=True):
            self.memory.store_bytes(physical, length, value)
            value >>= 8 * length

    def pieces(self, address: int, size: int, *, write: bool) -> Iterator[tuple[int, int]]:
        """Physical addresses and lengths of the pieces of an access in different pages."""
        space = self.spaces.data_space()
        assert space is not None, "this code was translated for a virtual data space"
        while size:
            length = min(size, PAGE - address % PAGE)
            kind = "store" if write else "load"
            yield space.physical(self.memory, address, kind, length), length
            address, size = address + length, size - length


@dataclass(frozen=True)
class VirtualView:
    """Memory as an array of words of ``1 << shift`` bytes, by virtual address."""

    memory: VirtualMemory
    shift: int

    def __getitem__(self, index: int) -> int:
        return self.memory.load_bytes(index << self.shift, 1 << self.shift)

    def __setitem__(self, index: int, value: int) -> None:
        self.memory.store_bytes(index << self.shift, 1 << self.shift, value)
