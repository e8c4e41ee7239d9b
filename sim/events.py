"""What the execution of an instruction tells the clock: all that its time depends on at run time.

An instruction without an event takes the time that its record, the vector configuration and the
machine fix. Events are hashable and relative, so that equal rounds of a loop are equal keys.
"""

from typing import NamedTuple


class TileEvent(NamedTuple):
    """The shape CSRs of a tile instruction, where they aren't those of a full tile."""

    m: int
    n: int
    k: int


class NearMemoryEvent(NamedTuple):
    """A near-memory command: steps, banks' rows closed and opened on the way."""

    repeat: int
    precharges: int
    activates: int


class CopyEvent(NamedTuple):
    """A DMA transfer: its queue, bytes, requests, and the lines it moves from or to DRAM."""

    queue: int
    bytes: int
    bursts: int
    dram_bytes: int


class WaitEvent(NamedTuple):
    """A wait for the transfer that was started ``age`` transfers before the latest one."""

    age: int


Event = int | TileEvent | NearMemoryEvent | CopyEvent | WaitEvent
"""An ``int`` counts the DRAM lines that an access touched first."""
