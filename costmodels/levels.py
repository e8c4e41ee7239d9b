"""Steady-state cycles of loop levels.

One iteration of a loop takes at least as long as its busiest unit, its longest dependence cycle,
the instruction issue and the memory traffic each take:

    cycles(level) = max(max over units of sum of occupancy, recurrences, issue, memory)

A list scheduler or a modulo scheduler gets close to that maximum when the body is long enough or
unrolled; the simulator has the last word.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod

from oxegg.costmodels.machine import Machine
from oxegg.costmodels.timing import Timing, unit_copies
from oxegg.costmodels.timing_classes import FIRST_PIPE, VECTOR_UNITS

# Units behind the one port that takes an instruction per cycle from scalar issue.
DISPATCHED = frozenset({*VECTOR_UNITS, "TLS", "TMM", "TEW", "NM", "DMA", "WARP"})


@dataclass(frozen=True)
class Recurrence:
    """A dependence cycle: ``latency`` cycles along it, carried over ``distance`` iterations."""

    latency: int
    distance: int = 1


@dataclass(frozen=True)
class Level:
    """One iteration of a loop, without the loops inside it.

    ``work`` holds how often each timing is issued per iteration, ``dram_bytes`` what crosses the
    DRAM interface per iteration (both directions), ``trips`` the iterations.
    """

    work: tuple[tuple[Timing, int], ...]
    recurrences: tuple[Recurrence, ...] = ()
    dram_bytes: float = 0
    trips: int = 1


@dataclass(frozen=True)
class LevelCycles:
    """Cycles (whole, all trips), the name of the bound that limits, every bound per iteration.

    Bounds are named ``unit VA`` and so on, ``recurrence``, ``issue``, ``dispatch``, ``memory``.
    """

    cycles: int
    limit: str
    bounds: Mapping[str, Fraction]


def level_cycles(machine: Machine, level: Level) -> LevelCycles:
    """Cycles of all trips of one level; 0 cycles for a level without work."""
    bounds = iteration_bounds(machine, level)
    limit = max(bounds, key=lambda name: bounds[name])
    return LevelCycles(ceil(bounds[limit] * level.trips), limit, bounds)


def nest_cycles(machine: Machine, levels: Sequence[Level]) -> int:
    """Cycles of nested loops, outermost first.

    A level runs once per trip of every level around it; work of different levels doesn't overlap.
    """
    total = 0
    for depth, level in enumerate(levels):
        runs = prod(outer.trips for outer in levels[:depth])
        total += runs * level_cycles(machine, level).cycles
    return total


def iteration_bounds(machine: Machine, level: Level) -> Mapping[str, Fraction]:
    """Every lower bound on the cycles of one iteration, by name, in order of reporting."""
    occupied: Counter[str] = Counter()
    dispatched = 0
    for timing, count in level.work:
        occupied[timing.unit] += timing.share * count
        if timing.pipes > 1:
            occupied[FIRST_PIPE] += timing.occupancy * count
        dispatched += count if timing.unit in DISPATCHED else 0
    issued = sum(count for _, count in level.work)
    return {
        **{
            f"unit {unit}": Fraction(cycles, unit_copies(machine, unit))
            for unit, cycles in occupied.items()
        },
        "recurrence": max(
            (Fraction(cycle.latency, cycle.distance) for cycle in level.recurrences),
            default=Fraction(0),
        ),
        "dispatch": Fraction(dispatched, machine.dispatch_width),
        "issue": Fraction(issued, machine.issue_width),
        "memory": Fraction(level.dram_bytes) / Fraction(machine.dram_bytes_per_cycle),
    }
