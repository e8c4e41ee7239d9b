"""The order in which a heuristic places operations so that values live short.

Llosa, Gonzalez, Ayguade, Valero, "Swing Modulo Scheduling", PACT 1996:
an operation comes right after those it is connected with, so that it is placed next to them.
"""

from collections.abc import Sequence
from random import Random

from oxegg.emit.modulo.bounds import longest_paths
from oxegg.emit.modulo.graph import Graph


def swing_order(graph: Graph, ii: int, seed: int = 0) -> list[int] | None:
    """All operations, neighbours together, the most urgent first; ``None``: ``ii`` is too small.

    Seeds other than 0 begin somewhere else.
    """
    random = Random(seed)
    earliest = longest_paths(graph, ii)
    heights = longest_paths(graph, ii, backward=True)
    if earliest is None or heights is None:
        return None
    before, behind = _neighbours(graph)
    total = max(e + h for e, h in zip(earliest, heights, strict=True)) if graph.count else 0
    slack = [total - e - h for e, h in zip(earliest, heights, strict=True)]
    left = set(range(graph.count))
    order: list[int] = []
    while left:
        urgent = min(left, key=lambda i: (slack[i], -heights[i], i))
        ready = {random.choice(sorted(left)) if seed else urgent}
        upwards = False
        while ready:
            # Downwards the longest way to the end goes first, upwards the longest from the start.
            depth: Sequence[int] = earliest if upwards else heights
            neighbours = before if upwards else behind
            while ready:
                operation = max(ready, key=lambda i: (depth[i], -slack[i], -i))
                order.append(operation)
                left.discard(operation)
                ready = (ready | neighbours[operation]) & left
            upwards = not upwards
            others = before if upwards else behind
            ready = {i for placed in order for i in others[placed]} & left
    return order


def _neighbours(graph: Graph) -> tuple[list[set[int]], list[set[int]]]:
    before: list[set[int]] = [set() for _ in range(graph.count)]
    behind: list[set[int]] = [set() for _ in range(graph.count)]
    for edge in graph.edges:
        if edge.latency and edge.source != edge.target:
            before[edge.target].add(edge.source)
            behind[edge.source].add(edge.target)
    return before, behind
