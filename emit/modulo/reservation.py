"""The modulo reservation table: who holds which resource in which cycle of the kernel.

Sets of cycles are integers, a bit for each cycle of the kernel: all cycles in which an operation
could issue are found at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from oxegg.emit.modulo.graph import Graph

ISSUE = "issue"
"""The name of the issue slots among the resources."""


def packed_resources(graph: Graph, ii: int) -> dict[str, int]:
    """Resources without an idle cycle in ``ii`` whose users all take them equally long: how long.

    Their users start at multiples of that from each other: any other distance would leave a gap.
    """
    lengths: dict[str, set[int]] = {}
    for usages in graph.usages:
        for usage in usages:
            whole = usage.length if usage.amount == graph.capacity[usage.resource] else 0
            lengths.setdefault(usage.resource, set()).add(whole)
    return {
        resource: length
        for resource, found in lengths.items()
        if len(found) == 1 and (length := next(iter(found))) > 1
        if graph.demand[resource] == ii * graph.capacity[resource]
    }


@dataclass(frozen=True)
class _Need:
    """``amount`` of a resource in ``length`` successive cycles (at most ii) from ``start`` on."""

    resource: str
    amount: int
    start: int
    length: int


class Reservations:
    """Resources taken per cycle of the kernel, by operation.

    The first user of a packed resource says where all others start, see ``packed_resources``.
    """

    def __init__(self, graph: Graph, ii: int) -> None:
        self.ii = ii
        self.capacity = {**graph.capacity, ISSUE: graph.width}
        self.every = (1 << ii) - 1
        self.needs = [tuple(_needs(graph, operation, ii)) for operation in range(graph.count)]
        self.taken = {name: [0] * ii for name in self.capacity}
        self.holders: dict[tuple[str, int], set[int]] = {}
        # Per resource and amount the cycles in which so much is not left.
        self.full = {
            (need.resource, need.amount): self.every * (need.amount > self.capacity[need.resource])
            for needs in self.needs
            for need in needs
        }
        self.amounts: dict[str, list[int]] = {}
        for resource, amount in self.full:
            self.amounts.setdefault(resource, []).append(amount)
        self.possible = [_possible(graph, operation, ii) for operation in range(graph.count)]
        periods = packed_resources(graph, ii)
        self.packed = [
            [(u.resource, u.start, periods[u.resource]) for u in usages if u.resource in periods]
            for usages in graph.usages
        ]
        self.starts: dict[str, dict[int, int]] = {resource: {} for resource in periods}

    def free(self, operation: int) -> int:
        """Cycles of the kernel in which everything that the operation needs is there."""
        blocked = 0
        for need in self.needs[operation]:
            if full := self.full[need.resource, need.amount]:
                blocked |= self._blocked(full, need)
        return self._in_step(operation) & ~blocked

    def first(self, operation: int, window: range) -> int | None:
        """The first cycle of ``window`` (steps of 1 or -1, at most ii long) that is free."""
        length = min(len(window), self.ii)
        if not length:
            return None
        lowest = window[0] if window.step > 0 else window[length - 1]
        free = self._turned(self.free(operation), lowest % self.ii) & ((1 << length) - 1)
        if not free:
            return None
        place = (free & -free).bit_length() if window.step > 0 else free.bit_length()
        return lowest + place - 1

    def fits(self, operation: int, time: int) -> bool:
        """Whether everything that the operation needs is free."""
        return bool(self.free(operation) >> time % self.ii & 1)

    def next_allowed(self, operation: int, earliest: int) -> int:
        """The first cycle from ``earliest`` on in which it may issue if others make way."""
        cycles = self._in_step(operation) or self.possible[operation]
        behind = self._turned(cycles, earliest % self.ii)
        return earliest + (behind & -behind).bit_length() - 1

    def take(self, operation: int, time: int) -> None:
        for resource, cycle, amount in self._cells(operation, time):
            self.holders.setdefault((resource, cycle), set()).add(operation)
            self._change(resource, cycle, amount)
        for resource, start, _ in self.packed[operation]:
            self.starts[resource][operation] = time + start

    def release(self, operation: int, time: int) -> None:
        for resource, cycle, amount in self._cells(operation, time):
            self.holders[resource, cycle].discard(operation)
            self._change(resource, cycle, -amount)
        for resource, *_ in self.packed[operation]:
            del self.starts[resource][operation]

    def rivals(self, operation: int, time: int) -> set[int]:
        """Operations that must go for this one to be issued in that cycle."""
        found: set[int] = set()
        for resource, cycle, amount in self._cells(operation, time):
            if self.taken[resource][cycle] + amount > self.capacity[resource]:
                found |= self.holders[resource, cycle]
        for resource, start, period in self.packed[operation]:
            placed = self.starts[resource]
            if any((time + start - other) % period for other in placed.values()):
                found.update(placed)
        return found

    def _cells(self, operation: int, time: int) -> Iterator[tuple[str, int, int]]:
        for need in self.needs[operation]:
            first = time + need.start
            for cycle in range(first, first + need.length):
                yield need.resource, cycle % self.ii, need.amount

    def _change(self, resource: str, cycle: int, amount: int) -> None:
        row = self.taken[resource]
        row[cycle] += amount
        left = self.capacity[resource] - row[cycle]
        for wanted in self.amounts[resource]:
            if wanted > left:
                self.full[resource, wanted] |= 1 << cycle
            else:
                self.full[resource, wanted] &= ~(1 << cycle)

    def _in_step(self, operation: int) -> int:
        """Cycles in which the operation may issue with those users of packed resources."""
        cycles = self.possible[operation]
        for resource, start, period in self.packed[operation]:
            if placed := self.starts[resource]:
                first = (next(iter(placed.values())) - start) % period
                cycles &= self.every // ((1 << period) - 1) << first
        return cycles

    def _blocked(self, full: int, need: _Need) -> int:
        """Issue cycles for which the need meets a cycle of ``full``."""
        blocked = self._turned(full, need.start % self.ii)
        reach = 1
        while reach < need.length:
            step = min(reach, need.length - reach)
            blocked |= self._turned(blocked, step)
            reach += step
        return blocked

    def _turned(self, cycles: int, by: int) -> int:
        """The set with every cycle ``by`` cycles earlier (0 <= by < ii)."""
        return cycles >> by | (cycles << self.ii - by & self.every)


def _needs(graph: Graph, operation: int, ii: int) -> Iterator[_Need]:
    """What the operation takes, folded into one kernel."""
    wanted: dict[str, dict[int, int]] = {}
    if operation not in graph.free:
        wanted[ISSUE] = {0: 1}
    for usage in graph.usages[operation]:
        row = wanted.setdefault(usage.resource, {})
        for cycle in range(usage.start, usage.start + usage.length):
            row[cycle % ii] = row.get(cycle % ii, 0) + usage.amount
    for resource, row in wanted.items():
        start = length = amount = 0
        for cycle in sorted(row):
            if length and cycle == start + length and row[cycle] == amount:
                length += 1
                continue
            if length:
                yield _Need(resource, amount, start, length)
            start, length, amount = cycle, 1, row[cycle]
        if length:
            yield _Need(resource, amount, start, length)


def _possible(graph: Graph, operation: int, ii: int) -> int:
    """Cycles in which the operation may issue whatever else is there."""
    last = ii - 1 - graph.dead
    return 1 << last if operation == graph.branch else (1 << last + 1) - 1
