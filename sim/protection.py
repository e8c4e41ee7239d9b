"""Physical memory protection: which physical addresses the modes below machine mode may access.

"The RISC-V Instruction Set Manual, Volume II", section "Physical Memory Protection": sixteen
entries with a granularity of 4 bytes. An access belongs to the first entry that matches any byte of
it, which has to match all of them. Machine mode is bound by locked entries only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oxegg.sim.faults import Kind

ENTRIES = 16
PER_CONFIG = 8
"""Entries that one 64-bit configuration register describes."""
ADDRESS_SHIFT, ADDRESS_BITS = 2, 54
EVERYWHERE = 1 << ADDRESS_SHIFT + ADDRESS_BITS
READ, WRITE, EXECUTE, LOCKED = 1, 2, 4, 0x80
ALL = READ | WRITE | EXECUTE
WANTED: Mapping[Kind, int] = {"fetch": EXECUTE, "load": READ, "store": WRITE}
MATCHING_SHIFT = 3
OFF, TOP_OF_RANGE, FOUR_BYTES, POWER_OF_TWO = range(4)
IMPLEMENTED = LOCKED | 3 << MATCHING_SHIFT | ALL
CONFIGS = tuple(f"pmpcfg{number}" for number in range(0, ENTRIES // 4, 2))
ADDRESSES = tuple(f"pmpaddr{number}" for number in range(ENTRIES))


@dataclass(frozen=True)
class Entry:
    """Bytes ``[start, stop)`` and what is allowed there."""

    start: int
    stop: int
    permissions: int
    locked: bool


@dataclass(frozen=True)
class Protection:
    """The entries as one class of modes sees them: machine mode, or the others."""

    entries: tuple[Entry, ...]
    machine: bool

    @property
    def permits_all(self) -> bool:
        """Whether no aligned access of at most 8 bytes can be refused."""
        if self.machine:
            edges = [edge for entry in self.entries for edge in (entry.start, entry.stop)]
            return not any(edge % 8 for edge in edges) and not any(
                entry.locked for entry in self.entries
            )
        first = next(iter(self.entries), None)
        whole = first is not None and (first.start, first.stop) == (0, EVERYWHERE)
        return whole and first is not None and first.permissions == ALL

    def permits(self, address: int, size: int, kind: Kind) -> bool:
        """Whether an access of ``size`` bytes is allowed."""
        end = address + size
        for entry in self.entries:
            if entry.start < end and address < entry.stop:
                inside = entry.start <= address and end <= entry.stop
                free = self.machine and not entry.locked
                return inside and (free or bool(entry.permissions & WANTED[kind]))
        return self.machine


def protection(registers: Mapping[str, int], *, machine: bool) -> Protection | None:
    """What the registers say for machine mode or for the others; None if they refuse nothing."""
    found = Protection(tuple(_entries(registers)), machine)
    return None if found.permits_all else found


def _entries(registers: Mapping[str, int]) -> Iterator[Entry]:
    """The entries that match anything."""
    below = 0
    for number, name in enumerate(ADDRESSES):
        config, address = config_of(registers, number), registers[name]
        start, stop = {
            OFF: (0, 0),
            TOP_OF_RANGE: (below, address),
            FOUR_BYTES: (address, address + 1),
            POWER_OF_TWO: _power_of_two(address),
        }[config >> MATCHING_SHIFT & 3]
        if start < stop:
            yield Entry(
                start << ADDRESS_SHIFT, stop << ADDRESS_SHIFT, config & ALL, bool(config & LOCKED)
            )
        below = address


def _power_of_two(address: int) -> tuple[int, int]:
    """A naturally aligned range: the ones at an address's end give its size."""
    size = (address ^ address + 1) + 1
    start = address & -size
    return start, min(start + size, 1 << ADDRESS_BITS)


def config_of(registers: Mapping[str, int], number: int) -> int:
    """The configuration byte of an entry."""
    return registers[CONFIGS[number // PER_CONFIG]] >> 8 * (number % PER_CONFIG) & 0xFF


def written_config(old: int, new: int) -> int:
    """A configuration register after a write: locked entries keep theirs, W needs R."""
    result = 0
    for shift in range(0, 8 * PER_CONFIG, 8):
        before, after = old >> shift & 0xFF, new >> shift & IMPLEMENTED
        if not after & READ:
            after &= ~WRITE
        result |= (before if before & LOCKED else after) << shift
    return result


def address_is_locked(registers: Mapping[str, int], number: int) -> bool:
    """Whether an address register can't be written: its entry's, or the next range's start."""
    if config_of(registers, number) & LOCKED:
        return True
    following = config_of(registers, number + 1) if number + 1 < ENTRIES else 0
    range_above = following >> MATCHING_SHIFT & 3 == TOP_OF_RANGE
    return bool(following & LOCKED) and range_above
