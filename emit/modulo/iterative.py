"""Iterative modulo scheduling: the fast heuristic.

Rau, "Iterative Modulo Scheduling: An Algorithm For Software Pipelining Loops", MICRO 1994.
Operations are placed by height; one that finds no free cycle displaces whoever is in its way. What
remains is squeezed: operations move towards their readers when that shortens lifetimes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from oxegg.emit.modulo.bounds import longest_paths
from oxegg.emit.modulo.graph import Edge, Graph
from oxegg.emit.modulo.reservation import Reservations
from oxegg.emit.modulo.swing import swing_order

ATTEMPTS_PER_OPERATION = 12
NEAR = 1
"""Iterations within which dependences say where an operation should be."""


@dataclass
class Work:
    """How many placements are ``left``: a limit that doesn't depend on the clock."""

    left: int


def iterative_times(graph: Graph, ii: int, work: Work, seeds: int = 1) -> Iterator[tuple[int, ...]]:
    """Issue cycles for an interval of ``ii`` cycles: one schedule per way of looking for it.

    By height (what the most depends on first, as early as possible), then by neighbourhood (next
    to what has its place, which keeps lifetimes short) from ``seeds`` beginnings.
    """
    for priority, swings in _priorities(graph, ii, seeds):
        times = _Search(graph, ii, priority, swings=swings).run(work)
        if times is not None:
            yield _from_stage_zero(_squeezed(graph, ii, times), ii)
        if work.left <= 0:
            return


def _priorities(graph: Graph, ii: int, seeds: int) -> Iterator[tuple[list[int], bool]]:
    heights = longest_paths(graph, ii, backward=True)
    if heights is None:
        return
    yield heights, False
    for seed in range(seeds):
        rank = [0] * graph.count
        for place, operation in enumerate(swing_order(graph, ii, seed) or ()):
            rank[operation] = graph.count - place
        yield rank, True
    yield heights, True


class _Search:
    """``swings``: what has neighbours behind it only is placed as late as they allow."""

    def __init__(self, graph: Graph, ii: int, priority: Sequence[int], *, swings: bool) -> None:
        self.graph = graph
        self.ii = ii
        self.priority = priority
        self.swings = swings
        self.incoming, self.outgoing = _adjacent(graph)
        self.times: list[int | None] = [None] * graph.count
        self.last: list[int | None] = [None] * graph.count
        self.table = Reservations(graph, ii)

    def run(self, work: Work) -> list[int] | None:
        waiting = [(-priority, operation) for operation, priority in enumerate(self.priority)]
        heapify(waiting)
        attempts = min(ATTEMPTS_PER_OPERATION * self.graph.count, work.left)
        while waiting and attempts:
            _, operation = heappop(waiting)
            for other in self._place(operation):
                heappush(waiting, (-self.priority[other], other))
            attempts -= 1
            work.left -= 1
        if waiting:
            return None
        return [time for time in self.times if time is not None]

    def _window(self, operation: int) -> tuple[int | None, int | None]:
        """Earliest and latest issue next to what has its place.

        What is ordered after many iterations only (memory accesses that meet late) says nothing.
        """
        early = [
            time + edge.latency - self.ii * edge.distance
            for edge in self.incoming[operation]
            if edge.distance <= NEAR and edge.source != operation
            if (time := self.times[edge.source]) is not None
        ]
        late = [
            time - edge.latency + self.ii * edge.distance
            for edge in self.outgoing[operation]
            if edge.distance <= NEAR and edge.target != operation
            if (time := self.times[edge.target]) is not None
        ]
        return max(early, default=None), min(late, default=None)

    def _cycles(self, operation: int) -> range:
        """Cycles to try, the best first."""
        early, late = self._window(operation)
        if self.swings and early is None and late is not None:
            return range(late, late - self.ii, -1)
        start = early if early is not None else 0
        end = start + self.ii
        if self.swings and late is not None:
            end = min(end, late + 1)
        return range(start, end)

    def _place(self, operation: int) -> set[int]:
        """Issue the operation in its best cycle; returns those that lost their place."""
        window = self._cycles(operation)
        time = self.table.first(operation, window)
        displaced: set[int] = set()
        if time is None:
            last = self.last[operation]
            earliest = window.start if last is None else max(window.start, last + 1)
            time = self.table.next_allowed(operation, earliest)
            displaced = self.table.rivals(operation, time)
        displaced |= self._violated(operation, time)
        for other in displaced:
            held = self.times[other]
            assert held is not None
            self.table.release(other, held)
            self.times[other] = None
        self.table.take(operation, time)
        self.times[operation] = self.last[operation] = time
        return displaced

    def _violated(self, operation: int, time: int) -> set[int]:
        """Placed operations whose dependences break when this one issues at ``time``."""
        found: set[int] = set()
        for edge in self.outgoing[operation]:
            other = self.times[edge.target]
            if other is not None and edge.target != operation:
                late = time + edge.latency - self.ii * edge.distance
                found |= {edge.target} if other < late else set()
        for edge in self.incoming[operation]:
            other = self.times[edge.source]
            if other is not None and edge.source != operation:
                late = other + edge.latency - self.ii * edge.distance
                found |= {edge.source} if time < late else set()
        return found


def _adjacent(graph: Graph) -> tuple[list[list[Edge]], list[list[Edge]]]:
    incoming: list[list[Edge]] = [[] for _ in range(graph.count)]
    outgoing: list[list[Edge]] = [[] for _ in range(graph.count)]
    for edge in graph.edges:
        incoming[edge.target].append(edge)
        outgoing[edge.source].append(edge)
    return incoming, outgoing


def _squeezed(graph: Graph, ii: int, times: list[int]) -> list[int]:
    """Move operations that only produce as late as their readers allow: shorter lifetimes."""
    _, outgoing = _adjacent(graph)
    table = Reservations(graph, ii)
    for operation, time in enumerate(times):
        table.take(operation, time)
    produces = {web.definition for web in graph.webs}
    consumes = {use.operation for web in graph.webs for use in web.uses}
    for operation in sorted(range(graph.count), key=lambda i: -times[i]):
        if operation not in produces or operation in consumes or operation == graph.branch:
            continue
        others = [edge for edge in outgoing[operation] if edge.target != operation]
        if not any(edge.distance <= NEAR for edge in others):
            continue
        latest = min(times[e.target] + ii * e.distance - e.latency for e in others)
        table.release(operation, times[operation])
        later = table.first(operation, range(latest, times[operation], -1))
        times[operation] = times[operation] if later is None else later
        table.take(operation, times[operation])
    return times


def _from_stage_zero(times: Sequence[int], ii: int) -> tuple[int, ...]:
    """The same schedule with the earliest operation in stage 0."""
    shift = min(times) // ii * ii
    return tuple(time - shift for time in times)
