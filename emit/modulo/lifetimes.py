"""How long webs live in a schedule, counted in operations of the kernel's text."""

from collections.abc import Mapping
from dataclasses import dataclass

from oxegg.emit.modulo.graph import Graph, Schedule, Web
from oxegg.emit.program import Bank


@dataclass(frozen=True)
class Lifetime:
    """Positions ``start`` (in the kernel) to ``start + length``, circular; lengths from 1."""

    web: int
    start: int
    length: int


def lifetimes(graph: Graph, schedule: Schedule) -> tuple[Lifetime, ...]:
    """Lifetimes of all webs; what is always taken lives as long as the kernel's text."""
    places = schedule.places()
    count = graph.count
    result: list[Lifetime] = []
    for index, web in enumerate(graph.webs):
        if web.resident:
            result.append(Lifetime(index, 0, count))
            continue
        assert web.definition is not None
        start = places[web.definition]
        result.append(Lifetime(index, start % count, _end(web, places, count) - start))
    return tuple(result)


def _end(web: Web, places: list[int], count: int) -> int:
    assert web.definition is not None
    ends = [places[use.operation] + count * use.distance for use in web.uses]
    return max([places[web.definition] + 1, *(end + web.overhang for end in ends)])


def pressure(graph: Graph, schedule: Schedule) -> Mapping[Bank, int]:
    """The most registers taken at once, per bank."""
    count = graph.count
    taken: dict[Bank, list[int]] = {bank: [0] * count for bank in ("x", "f", "v")}
    for life in lifetimes(graph, schedule):
        web = graph.webs[life.web]
        row = taken[web.bank]
        for position in range(life.start, life.start + life.length):
            row[position % count] += web.group
    return {bank: max(row, default=0) for bank, row in taken.items()}


def total_life(graph: Graph, schedule: Schedule) -> int:
    """Registers times positions, all webs together: the secondary objective."""
    return sum(graph.webs[life.web].group * life.length for life in lifetimes(graph, schedule))
