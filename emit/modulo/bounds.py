"""Lower bounds of the initiation interval: resources, recurrences, registers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

from oxegg.emit.modulo.graph import Edge, Graph, Web, by_starts
from oxegg.emit.modulo.windows import unqueued
from oxegg.emit.program import Bank

STEPS = 1 << 10
"""Parts of a cycle that averages are told apart by."""
UNBOUNDED = 1 << 30
"""The bound of a loop that no interval can serve."""


@dataclass(frozen=True)
class Bound:
    """The three bounds, in cycles per iteration; no schedule is shorter than their maximum."""

    resources: int
    recurrences: int
    registers: int

    @property
    def cycles(self) -> int:
        return max(self.resources, self.recurrences, self.registers)

    @property
    def limit(self) -> str:
        """What the loop is bound by."""
        named = (
            (self.resources, "units"),
            (self.recurrences, "recurrence"),
            (self.registers, "registers"),
        )
        return max(named, key=lambda pair: pair[0])[1]


def lower_bound(graph: Graph) -> Bound:
    """ResMII, RecMII (with the edges of register reuse) and RegMII of ``graph``.

    Rau, "Iterative Modulo Scheduling", 1994, for the first two; the third is the area of the
    shortest possible lifetimes over the registers there are. All three hold for the machine: what
    has issued may wait for its operands while later instructions overtake it.
    """
    recurrences = _recurrence_bound(unqueued(graph))
    return Bound(_resource_bound(graph), recurrences, _register_bound(by_starts(graph)))


def _resource_bound(graph: Graph) -> int:
    shares = (-(-taken // graph.capacity[name]) for name, taken in graph.demand.items())
    issue = -(-(graph.count - len(graph.free)) // graph.width) + graph.dead
    single = (
        use.length
        for usages in graph.usages
        for use in usages
        if 2 * use.amount > graph.capacity[use.resource]
    )
    return max(1, issue, *shares, *single)


def below_whole(graph: Graph, bound: int, cycles: Fraction) -> Fraction:
    """The bound of a loop that was seen to take ``cycles`` per round, on average of its rounds.

    Bounds are of intervals, whole cycles. A text that takes a little less than one, on average,
    shows that it is a bit too high, unless recurrences allow no less than that.
    """
    if cycles >= bound:
        return Fraction(bound)
    scale = cycles.denominator * STEPS
    slightly_less = int(cycles * scale) - 1
    scaled = tuple(replace(e, latency=e.latency * scale) for e in unqueued(graph).edges)
    waits = replace(unqueued(graph), edges=scaled)
    proven = longest_paths(waits, slightly_less) is None
    return cycles if proven else Fraction(floor(cycles))


def longest_paths(graph: Graph, ii: int, *, backward: bool = False) -> list[int] | None:
    """Earliest issue of every operation by the edges alone; ``None`` if some cycle never ends.

    ``backward``: the longest way from each operation to any other instead.
    """
    count = graph.count
    distance = [0] * count
    arcs = [_arc(edge, ii, backward=backward) for edge in graph.edges]
    for _ in range(count + 1):
        changed = False
        for source, target, weight in arcs:
            if distance[source] + weight > distance[target]:
                distance[target] = distance[source] + weight
                changed = True
        if not changed:
            return distance
    return None


def _arc(edge: Edge, ii: int, *, backward: bool) -> tuple[int, int, int]:
    weight = edge.latency - ii * edge.distance
    if backward:
        return edge.target, edge.source, weight
    return edge.source, edge.target, weight


def _recurrence_bound(graph: Graph) -> int:
    longest = (max((0, *(e.latency for e in out))) for out in _outgoing(graph))
    low, high = 1, 1 + sum(longest)
    if longest_paths(graph, high) is None:
        return UNBOUNDED
    while low < high:
        middle = (low + high) // 2
        if longest_paths(graph, middle) is None:
            low = middle + 1
        else:
            high = middle
    return low


def _outgoing(graph: Graph) -> list[list[Edge]]:
    edges: list[list[Edge]] = [[] for _ in range(graph.count)]
    for edge in graph.edges:
        edges[edge.source].append(edge)
    return edges


def _register_bound(graph: Graph) -> int:
    latency: dict[tuple[int, int, int], int] = {}
    for edge in graph.edges:
        key = (edge.source, edge.target, edge.distance)
        latency[key] = max(latency.get(key, edge.latency), edge.latency)
    worst = 1
    banks: Sequence[Bank] = ("x", "f", "v")
    for bank in banks:
        webs = graph.live_webs(bank)
        free = graph.free_registers(bank)
        if free < 0 or any(web.group > free for web in webs):
            return UNBOUNDED
        area = sum(web.group * _least_life(graph, web, latency) for web in webs)
        if area:
            worst = max(worst, -(-area // (free * graph.width)))
    return worst


def _least_life(graph: Graph, web: Web, latency: dict[tuple[int, int, int], int]) -> int:
    """Slots that the web lives at least: until its slowest reader, or readers one after another.

    Scalar registers are taken over in the text's order, vector registers when their next result
    arrives; readers that wait in a queue free a scalar register when they enter it.
    """
    assert web.definition is not None
    queued = web.definition in graph.queued
    cycles = 0
    readers: dict[tuple[str, int], list[int]] = {}
    for use in web.uses:
        least = max(0, latency.get((web.definition, use.operation, use.distance), 0))
        cycles = max(cycles, least)
        if use.operation in graph.queued and web.bank != "v":
            continue
        for usage in graph.usages[use.operation]:
            if graph.capacity[usage.resource] == usage.amount:
                readers.setdefault((usage.resource, least), []).append(usage.length)
    for (_, least), lengths in readers.items():
        cycles = max(cycles, least + sum(lengths) - max(lengths))
    if web.bank == "v" and queued:
        return graph.width * max(0, cycles - web.ready)
    return max(1, graph.width * cycles - (graph.width - 1)) + web.overhang
