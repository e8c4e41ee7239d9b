"""Vector loads and stores through virtual memory or protected addresses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oxegg.sim.faults import MemoryFault
from oxegg.sim.integers import Array
from oxegg.sim.paging import VirtualMemory
from oxegg.sim.vector_memory import Access, refuse_misaligned


@dataclass(frozen=True)
class VirtualAccess(Access):
    """Accesses whose elements are translated one by one: aligned, so that each is in one page.

    A fault leaves memory and registers as they were.
    """

    virtual: VirtualMemory

    def block(self, address: int, size: int, alignment: int, *, write: bool) -> Array:
        """As in ``Access``."""
        starts = np.uint64(address) + np.arange(0, size, alignment, dtype=np.uint64)
        places = self.scattered(starts.view(np.int64), alignment, write=write)
        return (places[:, None] + np.arange(alignment)).ravel()

    def certain(self, start: int, stop: int) -> bool:
        """As in ``Access``."""
        return False

    def reachable(self, address: int, size: int) -> bool:
        """As in ``Access``."""
        try:
            pieces = list(self.virtual.pieces(address, size, write=False))
        except MemoryFault:
            return False
        return all(self.memory.holder(place, length) is not None for place, length in pieces)

    def scattered(self, addresses: Array, size: int, *, write: bool) -> Array:
        """As in ``Access``, for virtual addresses."""
        refuse_misaligned(addresses.view(np.uint64), size, write=write)
        starts: Sequence[int] = addresses.view(np.uint64).tolist()
        places = [
            place for start in starts for place, _ in self.virtual.pieces(start, size, write=write)
        ]
        try:
            unsigned = np.array(places, np.uint64)
            return super().scattered(unsigned.view(np.int64), size, write=write)
        except MemoryFault as fault:
            start = starts[places.index(fault.value)]
            raise MemoryFault(str(fault), fault.cause, start) from fault
