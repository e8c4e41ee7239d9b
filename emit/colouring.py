"""Giving hardware registers to live ranges: interval colouring with aligned groups.

A :class:`Unit` is what gets its place in one piece: a register group, a tuple of groups that a
segment access wants consecutive, or registers that a move joins. Per hardware register the points
at which it is taken are the bits of one integer, so a fit is tested with ``&``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from oxegg.emit.program import Register

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

    @property
    def start(self) -> int:
        """First point at which the unit is live."""
        taken = self.taken
        return (taken & -taken).bit_length() - 1

    @property
    def taken(self) -> int:
        """Points at which any part of the unit is live."""
        union = 0
        for row in self.rows:
            union |= row
        return union


@dataclass(frozen=True)
class Failure:
    """The unit (its index) for which no order found a place."""

    unit: int


@dataclass(frozen=True)
class Problem:
    """``bases`` are the hardware registers in order of preference."""

    units: tuple[Unit, ...]
    overlaps: tuple[Overlap, ...]
    bases: tuple[int, ...]

    def candidates(self, unit: Unit) -> list[int]:
        """Places at which ``unit`` could begin."""
        if unit.fixed is not None:
            return [unit.fixed]
        usable = set(self.bases)
        size = len(unit.rows)
        return [
            base
            for base in self.bases
            if base % unit.alignment == 0 and all(base + k in usable for k in range(size))
        ]


Order = Callable[[Unit], tuple[int, ...]]

ORDERS: Mapping[str, Order] = {
    # Wide groups have the fewest places, so they choose first.
    "wide first": lambda unit: (-len(unit.rows), unit.start),
    "longest first": lambda unit: (-len(unit.rows), -unit.taken.bit_count()),
    "text order": lambda unit: (unit.start, -len(unit.rows)),
    "largest first": lambda unit: (-len(unit.rows) * unit.taken.bit_count(),),
}
RETRIES = 8


def colour(problem: Problem, *, spread: bool) -> list[int] | Failure:
    """A base for every unit, or the unit that failed in every order tried.

    ``spread`` prefers registers that were free for longest (fewer waits for old readers on a
    machine whose units run ahead of each other); otherwise registers are packed tightly.
    """
    failure: Failure | None = None
    for policy in (True, False) if spread else (False,):
        for order in ORDERS.values():
            result = _colour_in_order(problem, order, policy)
            if not isinstance(result, Failure):
                return result
            failure = failure or result
    assert failure is not None
    return failure


def _colour_in_order(problem: Problem, order: Order, spread: bool) -> list[int] | Failure:
    """Try one order; a unit that finds no place goes to the front of the next attempt."""
    urgency = [0] * len(problem.units)
    failed = 0
    for attempt in range(RETRIES):
        sequence = sorted(
            range(len(problem.units)),
            key=lambda u: (
                problem.units[u].fixed is None,
                -urgency[u],
                *order(problem.units[u]),
            ),
        )
        result = _place_all(problem, sequence, spread)
        if not isinstance(result, Failure):
            return result
        failed = result.unit
        urgency[failed] = attempt + 1
    return Failure(failed)


def _place_all(problem: Problem, sequence: Sequence[int], spread: bool) -> list[int] | Failure:
    """First (or longest free) fit in the order of ``sequence``."""
    occupied: dict[int, int] = dict.fromkeys(range(max(problem.bases, default=0) + 1), 0)
    bases: dict[int, int] = {}
    partners = _partners(problem)
    for u in sequence:
        unit = problem.units[u]
        fitting = [
            base
            for base in problem.candidates(unit)
            if all(not occupied[base + k] & row for k, row in enumerate(unit.rows))
            and all(rule(base, bases) for rule in partners[u])
        ]
        if not fitting:
            return Failure(u)
        base = min(fitting, key=lambda b: _last_use(unit, b, occupied)) if spread else fitting[0]
        bases[u] = base
        for k, row in enumerate(unit.rows):
            occupied[base + k] |= row
    return [bases[u] for u in range(len(problem.units))]


def _last_use(unit: Unit, base: int, occupied: Mapping[int, int]) -> int:
    """The last point before ``unit`` begins at which its place was taken."""
    before = (1 << unit.start) - 1
    return max((occupied[base + k] & before).bit_length() for k in range(len(unit.rows)))


Rule = Callable[[int, Mapping[int, int]], bool]


def _partners(problem: Problem) -> list[list[Rule]]:
    """Per unit: tests of a base for it against the bases given so far."""
    home = {
        register: (u, offset)
        for u, unit in enumerate(problem.units)
        for register, offset in unit.members
    }
    rules: list[list[Rule]] = [[] for _ in problem.units]
    for overlap in problem.overlaps:
        result, result_offset = home[overlap.result]
        source, source_offset = home[overlap.source]
        rules[result].append(_as_result(overlap, result_offset, source, source_offset))
        rules[source].append(_as_source(overlap, source_offset, result, result_offset))
    return rules


def _as_result(overlap: Overlap, offset: int, source: int, source_offset: int) -> Rule:
    def test(base: int, bases: Mapping[int, int]) -> bool:
        other = bases.get(source)
        return other is None or overlap.allows(base + offset, other + source_offset)

    return test


def _as_source(overlap: Overlap, offset: int, result: int, result_offset: int) -> Rule:
    def test(base: int, bases: Mapping[int, int]) -> bool:
        other = bases.get(result)
        return other is None or overlap.allows(other + result_offset, base + offset)

    return test
