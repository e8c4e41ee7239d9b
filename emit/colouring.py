"""Giving hardware registers to live ranges: interval colouring with aligned groups.

A :class:`Unit` is what gets its place in one piece: a register group, a tuple of groups that a
segment access wants consecutive, or registers that a move joins. Per hardware register the points
at which it is taken are the bits of one integer, so a fit is tested with ``&``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from oxegg.emit.program import GROUP_SIZES, Register

OverlapKind = Literal["disjoint", "low", "high"]


@dataclass(frozen=True)
class Overlap:
    """How a result may overlap a source that dies in the same operation.

    ``disjoint``: not at all; ``low``: only in the lowest registers of the source (narrowing);
    ``high``: only in the highest registers of the result (widening).
    """

    result: Register
    source: Register
    kind: OverlapKind

    def allows(self, result_base: int, source_base: int) -> bool:
        """Whether the two groups may be placed at these hardware registers."""
        result_end = result_base + self.result.group
        source_end = source_base + self.source.group
        if result_end <= source_base or source_end <= result_base:
            return True
        if self.kind == "low":
            return result_base == source_base
        return self.kind == "high" and result_end == source_end


@dataclass(frozen=True)
class Unit:
    """Registers at fixed distances; ``rows[k]`` are the points at which base + k is taken."""

    members: tuple[tuple[Register, int], ...]
    rows: tuple[int, ...]
    alignment: int
    fixed: int | None = None

    @cached_property
    def taken(self) -> int:
        """Points at which any part of the unit is live."""
        union = 0
        for row in self.rows:
            union |= row
        return union

    @cached_property
    def start(self) -> int:
        """First point at which the unit is live."""
        return (self.taken & -self.taken).bit_length() - 1

    @cached_property
    def is_plain(self) -> bool:
        """Whether the unit is one aligned group, live as a whole."""
        return self.alignment == len(self.rows) and all(row == self.taken for row in self.rows)


@dataclass(frozen=True)
class Failure:
    """Units (their indices) for which the best attempt found no place."""

    units: tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    """``bases`` are the hardware registers in order of preference."""

    units: tuple[Unit, ...]
    overlaps: tuple[Overlap, ...]
    bases: tuple[int, ...]

    def candidates(self, unit: Unit) -> tuple[int, ...]:
        """Places at which ``unit`` could begin."""
        if unit.fixed is not None:
            return (unit.fixed,)
        return self._candidates[unit.alignment, len(unit.rows)]

    @cached_property
    def _candidates(self) -> Mapping[tuple[int, int], tuple[int, ...]]:
        usable = set(self.bases)
        return {
            (alignment, size): tuple(
                base
                for base in self.bases
                if base % alignment == 0 and usable.issuperset(range(base, base + size))
            )
            for alignment, size in {(unit.alignment, len(unit.rows)) for unit in self.units}
        }

    @cached_property
    def partners(self) -> tuple[tuple["Partner", ...], ...]:
        """Per unit the overlap constraints that it takes part in."""
        home = {
            register: (u, offset)
            for u, unit in enumerate(self.units)
            for register, offset in unit.members
        }
        partners: list[list[Partner]] = [[] for _ in self.units]
        for overlap in self.overlaps:
            result, result_offset = home[overlap.result]
            source, source_offset = home[overlap.source]
            partners[result].append(Partner(overlap, source, result_offset, source_offset, True))
            partners[source].append(Partner(overlap, result, source_offset, result_offset, False))
        return tuple(tuple(mine) for mine in partners)


@dataclass(frozen=True)
class Partner:
    """A constraint seen from one unit: the other unit, and where the registers lie in both."""

    overlap: Overlap
    other: int
    offset: int
    other_offset: int
    is_result: bool

    def allows(self, base: int, bases: Mapping[int, int]) -> bool:
        """Whether ``base`` is possible for this unit next to the units placed so far."""
        if self.other not in bases:
            return True
        mine, theirs = base + self.offset, bases[self.other] + self.other_offset
        if self.is_result:
            return self.overlap.allows(mine, theirs)
        return self.overlap.allows(theirs, mine)


Order = Callable[[Unit], tuple[int, ...]]

ORDERS: Mapping[str, Order] = {
    # Wide groups have the fewest places, so they choose first.
    "wide first": lambda unit: (-len(unit.rows), unit.start),
    "longest first": lambda unit: (-len(unit.rows), -unit.taken.bit_count()),
    "text order": lambda unit: (unit.start, -len(unit.rows)),
    "largest first": lambda unit: (-len(unit.rows) * unit.taken.bit_count(),),
}
RETRIES = 4


def colour(problem: Problem, *, spread: bool, thorough: bool = True) -> list[int] | Failure:
    """A base for every unit, or the units that were left over in the best attempt.

    ``spread`` prefers registers that were free for longest (fewer waits for old readers on a
    machine whose units run ahead of each other), if that works out; otherwise registers are
    packed tightly. Without ``thorough`` only the order that works most often is tried.
    """
    failure: Failure | None = None
    orders = list(ORDERS.values()) if thorough else [ORDERS["wide first"]]
    attempts = [(orders[0], True)] * spread + [(order, False) for order in orders]
    for order, policy in attempts:
        result = _colour_in_order(problem, order, policy)
        if not isinstance(result, Failure):
            return result
        if failure is None or len(result.units) < len(failure.units):
            failure = result
    assert failure is not None
    return failure


def _colour_in_order(problem: Problem, order: Order, spread: bool) -> list[int] | Failure:
    """Try one order; units that find no place go to the front of the next attempt."""
    urgency = [0] * len(problem.units)
    keys = [(unit.fixed is None, order(unit)) for unit in problem.units]
    best: Failure | None = None
    for attempt in range(RETRIES):
        sequence = sorted(
            range(len(problem.units)), key=lambda u: (keys[u][0], -urgency[u], keys[u][1])
        )
        result = _place_all(problem, sequence, spread)
        if not isinstance(result, Failure):
            return result
        if best is None or len(result.units) < len(best.units):
            best = result
        for u in result.units:
            urgency[u] = attempt + 1
    assert best is not None
    return best


def _place_all(problem: Problem, sequence: Sequence[int], spread: bool) -> list[int] | Failure:
    """First (or longest free) fit in the order of ``sequence``."""
    occupied = _Occupied()
    bases: dict[int, int] = {}
    failed: list[int] = []
    for u in sequence:
        unit = problem.units[u]
        fitting = occupied.fitting(unit, problem.candidates(unit))
        if problem.partners[u]:
            fitting = [
                base
                for base in fitting
                if all(partner.allows(base, bases) for partner in problem.partners[u])
            ]
        if not fitting:
            failed.append(u)
            continue
        base = fitting[0]
        if spread and len(fitting) > 1:
            base = occupied.longest_free(unit, fitting)
        bases[u] = base
        occupied.take(unit, base)
    if failed:
        return Failure(tuple(failed))
    return [bases[u] for u in range(len(problem.units))]


FILE_SIZE = 32


class _Occupied:
    """Points at which registers are taken; also per aligned group, so that one ``&`` tests it."""

    def __init__(self) -> None:
        self.groups = {size: [0] * FILE_SIZE for size in GROUP_SIZES}

    def fitting(self, unit: Unit, candidates: Sequence[int]) -> list[int]:
        """The candidates where nothing is in the way of ``unit``."""
        if unit.is_plain:
            taken, groups = unit.taken, self.groups[len(unit.rows)]
            return [base for base in candidates if not groups[base] & taken]
        single = self.groups[1]
        return [
            base
            for base in candidates
            if all(not single[base + k] & row for k, row in enumerate(unit.rows))
        ]

    def longest_free(self, unit: Unit, bases: Sequence[int]) -> int:
        """The place whose last use before the unit begins is longest ago."""
        before = (1 << unit.start) - 1
        if unit.is_plain:
            groups = self.groups[len(unit.rows)]
            return min(bases, key=lambda base: (groups[base] & before).bit_length())
        single, size = self.groups[1], len(unit.rows)
        return min(
            bases,
            key=lambda base: max((single[base + k] & before).bit_length() for k in range(size)),
        )

    def take(self, unit: Unit, base: int) -> None:
        for k, row in enumerate(unit.rows, base):
            for size, groups in self.groups.items():
                groups[k - k % size] |= row
