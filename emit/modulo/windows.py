"""Bounds from the order in which operations leave the queue, and from units between two rounds.

Every operation has its start; one that queues also leaves the queue, in the text's order, when its
unit is free. Between an operation and the same one a round later the operations of a unit that must
lie there do so one after another: Carlier, "The one-machine sequencing problem", 1982.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from oxegg.emit.modulo.graph import Edge, Graph

LARGEST = 150
"""Operations up to which windows are looked at: the time grows with the square."""


@dataclass(frozen=True)
class _Window:
    """An operation of a unit: least start behind, latest leaving of the queue before the anchor.

    In cycles from the anchor's start; it keeps the unit for ``length`` cycles.
    """

    head: int
    deadline: int
    length: int


def unqueued(graph: Graph) -> Graph:
    """The waits of a loop: operations' starts, then when they leave the queue.

    Node ``i`` is the start of operation i, ``count + i`` its leaving; nobody takes any resource.
    """
    count = graph.count
    nodes = replace(graph, usages=((),) * (2 * count), edges=tuple(_waits(graph)))
    return replace(nodes, webs=(), free=frozenset(range(2 * count)), branch=None)


def _waits(graph: Graph) -> Iterator[Edge]:
    count, queued, units = graph.count, graph.queued, _units(graph)
    for i in range(count):
        yield _wait(count + i, i, 0, 0)
        if i not in queued:
            yield _wait(i, count + i, 0, 0)
    for edge in graph.edges:
        s, t = edge.source, edge.target
        if edge.least is not None:
            yield _wait(s, t, edge.least, edge.distance)
        if s not in queued:
            yield _wait(s, count + t, edge.latency, edge.distance)
        elif t in queued and s != t:
            yield _wait(count + s, count + t, graph.apart, edge.distance)
        for unit in units[s].keys() & units[t].keys() if s != t else ():
            yield _wait(s, count + t, units[s][unit], edge.distance)


def _wait(source: int, target: int, latency: int, distance: int) -> Edge:
    return Edge(source, target, latency, distance, latency)


def _units(graph: Graph) -> list[Mapping[str, int]]:
    """Of each operation the resources that it has to itself from its start on, and for how long."""
    return [
        {
            u.resource: u.length
            for u in row
            if u.amount == graph.capacity[u.resource] and (u.held or i not in graph.queued)
        }
        for i, row in enumerate(graph.usages)
    ]


def raised_bound(graph: Graph, bound: int, highest: int) -> int:
    """The first interval from ``bound`` on that windows don't rule out, at most ``highest``."""
    if graph.count > LARGEST:
        return bound
    waits = unqueued(graph)
    while bound < highest and _ruled_out(graph, waits, bound):
        bound += 1
    return bound


def _ruled_out(graph: Graph, waits: Graph, ii: int) -> bool:
    units = _units(graph)
    members: dict[str, list[int]] = {}
    for i, row in enumerate(units):
        for unit in row:
            members.setdefault(unit, []).append(i)
    outgoing, incoming = _arcs(waits, ii)
    for anchor in range(graph.count):
        behind = _longest_from(anchor, outgoing)
        before = _longest_from(anchor, incoming)
        if behind is None or before is None:
            return True
        for unit, operations in members.items():
            windows = [
                _Window(head, -tail, units[i][unit])
                for i in operations
                if i != anchor
                if (head := behind.get(i)) is not None
                if (tail := before.get(graph.count + i)) is not None
            ]
            if _overfull(windows):
                return True
    return False


Arcs = list[list[tuple[int, int]]]


def _arcs(waits: Graph, ii: int) -> tuple[Arcs, Arcs]:
    outgoing: Arcs = [[] for _ in range(waits.count)]
    incoming: Arcs = [[] for _ in range(waits.count)]
    for edge in waits.edges:
        weight = edge.latency - ii * edge.distance
        outgoing[edge.source].append((edge.target, weight))
        incoming[edge.target].append((edge.source, weight))
    return outgoing, incoming


def _longest_from(anchor: int, arcs: Arcs) -> dict[int, int] | None:
    """Longest ways from one node; ``None`` if some cycle never ends."""
    found = {anchor: 0}
    changed = {anchor}
    for _ in range(len(arcs) + 1):
        if not changed:
            return found
        now, changed = sorted(changed), set[int]()
        for node in now:
            length = found[node]
            for target, weight in arcs[node]:
                if length + weight > found.get(target, length + weight - 1):
                    found[target] = length + weight
                    changed.add(target)
    return None


def _overfull(windows: list[_Window]) -> bool:
    """Whether some of the windows together are too small for what has to lie in them."""
    deadlines = sorted({window.deadline for window in windows})
    for head in sorted({window.head for window in windows}):
        late = [window for window in windows if window.head >= head]
        for deadline in deadlines:
            lengths = [window.length for window in late if window.deadline <= deadline]
            if lengths and head + sum(lengths) - max(lengths) > deadline:
                return True
    return False
