"""The text of the kernel: operations of one cycle in an order that reads before it overwrites."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from oxegg.emit.modulo.graph import Graph, Schedule


def ordered(graph: Graph, ii: int, times: Sequence[int]) -> Schedule:
    """The schedule with its kernel's text: by cycle; within a cycle dependences, then readers

    that end a web before definitions, the branch last.
    """
    last_readers = _last_readers(graph, ii, times)
    defining = {web.definition for web in graph.webs}
    # What starts a cycle after issue (vector operations) doesn't mind to be last in its cycle, but
    # may hold up what stands behind it.
    late = [any(usage.start for usage in usages) for usages in graph.usages]
    keys = [
        (times[i] % ii, i == graph.branch, late[i], i not in last_readers, i in defining, i)
        for i in range(graph.count)
    ]
    waiting = [0] * graph.count
    followers: list[list[int]] = [[] for _ in range(graph.count)]
    for edge in graph.edges:
        same = times[edge.target] + ii * edge.distance == times[edge.source]
        if same and edge.source != edge.target:
            followers[edge.source].append(edge.target)
            waiting[edge.target] += 1
    by_cycle: dict[int, list[int]] = {}
    for operation in range(graph.count):
        by_cycle.setdefault(times[operation] % ii, []).append(operation)
    order: list[int] = []
    for cycle in sorted(by_cycle):
        ready = [keys[i] for i in by_cycle[cycle] if not waiting[i]]
        heapify(ready)
        while ready:
            operation = heappop(ready)[-1]
            order.append(operation)
            for other in followers[operation]:
                waiting[other] -= 1
                if not waiting[other]:
                    heappush(ready, keys[other])
    return Schedule(ii, tuple(times), tuple(order))


def _last_readers(graph: Graph, ii: int, times: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for web in graph.webs:
        ends = [(times[use.operation] + ii * use.distance, use.operation) for use in web.uses]
        if not web.resident and ends:
            latest = max(ends)[0]
            found.update(operation for end, operation in ends if end == latest)
    return found
