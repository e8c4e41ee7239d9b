"""What the scoreboard hands from one block to the next: times relative to the present cycle."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class VectorResult(NamedTuple):
    """When a register's result can be read: its first group, or all of it unless ``chains``."""

    first: int
    occupancy: int
    chains: bool


class Reader(NamedTuple):
    """Latest start and end of the instructions that read a vector register."""

    start: int
    end: int


@dataclass(frozen=True)
class Times:
    """The scoreboard between two blocks; times are ticks after the present cycle, 0 if passed."""

    slot: int = 0
    scalar: tuple[tuple[int, int], ...] = ()
    units: tuple[tuple[str, tuple[int, ...]], ...] = ()
    results: tuple[tuple[int, VectorResult], ...] = ()
    readers: tuple[tuple[int, Reader], ...] = ()
    queue: tuple[int, ...] = ()
    channel: int = 0
    vector_loads: int = 0
    vector_stores: int = 0
    tile_readers: tuple[tuple[int, int], ...] = ()
    near_memory: tuple[int, ...] = ()
    copies: tuple[int, ...] = ()


def complete(result: VectorResult) -> int:
    """The tick at which all of a result can be read."""
    return result.first + (result.occupancy if result.chains else 0)


def pending(ends: list[int], now: int) -> tuple[int, ...]:
    """Ends after ``now`` in the order of starts; 0 for what ended before an older one."""
    left = [max(0, tick - now) for tick in ends]
    while left and not left[0]:
        left.pop(0)
    return tuple(left)


def after(ticks: Mapping[int, int], now: int) -> tuple[tuple[int, int], ...]:
    """What of ``ticks`` lies after ``now``, relative to it."""
    return tuple(sorted((key, tick - now) for key, tick in ticks.items() if tick > now))
