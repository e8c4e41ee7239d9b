"""The modulo reservation table: who holds which resource in which cycle of the kernel."""

from collections.abc import Iterator

from oxegg.emit.modulo.graph import Graph

ISSUE = "issue"
"""The name of the issue slots among the resources."""


class Reservations:
    """Resources taken per cycle of the kernel, by operation."""

    def __init__(self, graph: Graph, ii: int) -> None:
        self.graph = graph
        self.ii = ii
        self.capacity = {**graph.capacity, ISSUE: graph.width}
        self.taken: dict[tuple[str, int], dict[int, int]] = {}

    def cells(self, operation: int, time: int) -> Iterator[tuple[str, int, int]]:
        """Resource, cycle of the kernel and copies that the operation takes when issued then."""
        if operation not in self.graph.free:
            yield ISSUE, time % self.ii, 1
        for usage in self.graph.usages[operation]:
            for cycle in range(usage.start, usage.start + usage.length):
                yield usage.resource, (time + cycle) % self.ii, usage.amount

    def allowed(self, operation: int, time: int) -> bool:
        """Whether the operation may issue in that cycle of the kernel whatever else is there."""
        last = self.ii - 1 - self.graph.dead
        cycle = time % self.ii
        return cycle == last if operation == self.graph.branch else cycle <= last

    def fits(self, operation: int, time: int) -> bool:
        """Whether everything that the operation needs is free."""
        if not self.allowed(operation, time):
            return False
        wanted: dict[tuple[str, int], int] = {}
        for resource, cycle, amount in self.cells(operation, time):
            wanted[resource, cycle] = wanted.get((resource, cycle), 0) + amount
        return all(
            amount + sum(self.taken.get(cell, {}).values()) <= self.capacity[cell[0]]
            for cell, amount in wanted.items()
        )

    def take(self, operation: int, time: int) -> None:
        for resource, cycle, amount in self.cells(operation, time):
            holders = self.taken.setdefault((resource, cycle), {})
            holders[operation] = holders.get(operation, 0) + amount

    def release(self, operation: int, time: int) -> None:
        for resource, cycle, _ in self.cells(operation, time):
            self.taken[resource, cycle].pop(operation, None)

    def rivals(self, operation: int, time: int) -> set[int]:
        """Operations that must go for this one to be issued in that cycle."""
        found: set[int] = set()
        for resource, cycle, amount in self.cells(operation, time):
            holders = self.taken.get((resource, cycle), {})
            if sum(holders.values()) + amount > self.capacity[resource]:
                found.update(holders)
        return found
