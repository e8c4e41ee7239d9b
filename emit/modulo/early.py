"""Texts from starts: operations issue early enough for the text's order, and wait at their units.

A reader that starts late may issue long before, so that the register's next writer, which starts
before its result arrives, can stand behind it in the text.
"""

from collections.abc import Iterator, Sequence

from oxegg.emit.modulo.graph import Edge, Graph, Schedule, by_starts
from oxegg.emit.modulo.iterative import Work, iterative_times
from oxegg.emit.modulo.order import ordered


def early_schedules(graph: Graph, ii: int, work: Work, seeds: int) -> Iterator[Schedule]:
    """Texts whose starts would allow ``ii``; only a run shows what waiting at units costs."""
    for starts in iterative_times(by_starts(graph), ii, work, seeds):
        times = issue_times(graph, ii, starts)
        if times is not None:
            yield ordered(graph, ii, times)


def issue_times(graph: Graph, ii: int, starts: Sequence[int]) -> tuple[int, ...] | None:
    """The latest times up to ``starts`` that keep the text's order; ``None``: there are none.

    No time but those of the text's order is looked at: what is issued too early waits.
    """
    times = list(starts)
    edges = [edge for edge in graph.edges if edge.source != edge.target]
    for _ in range(graph.count + 1):
        late = [edge for edge in edges if times[edge.source] > _limit(edge, times, ii)]
        if any(edge.source == graph.branch for edge in late):
            return None  # it is the kernel's last word
        if not late:
            shift = min(times) // ii * ii
            return tuple(time - shift for time in times)
        for edge in late:
            times[edge.source] = min(times[edge.source], _limit(edge, times, ii))
    return None


def _limit(edge: Edge, times: Sequence[int], ii: int) -> int:
    return times[edge.target] + ii * edge.distance
