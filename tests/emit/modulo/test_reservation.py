"""The reservation table against counting cell by cell."""

from collections import Counter
from random import Random

import pytest

from oxegg.emit.modulo.graph import Graph, Usage
from oxegg.emit.modulo.reservation import ISSUE, Reservations, packed_resources

UNITS = {"alu": 1, "pipes": 2, "shadow": 3}


def random_graph(random: Random, count: int) -> Graph:
    def usages() -> tuple[Usage, ...]:
        return tuple(
            Usage(
                name, random.randrange(3), random.randrange(1, 5), random.randrange(1, copies + 1)
            )
            for name, copies in UNITS.items()
            if random.random() < 0.6
        )

    rows = tuple(usages() for _ in range(count))
    free = frozenset({0}) if count else frozenset[int]()
    return Graph(rows, (), (), UNITS, {}, width=2, branch=count - 1, dead=1, free=free)


def cells(graph: Graph, ii: int, operation: int, time: int) -> Counter[tuple[str, int]]:
    found: Counter[tuple[str, int]] = Counter()
    if operation not in graph.free:
        found[ISSUE, time % ii] += 1
    for usage in graph.usages[operation]:
        for cycle in range(usage.start, usage.start + usage.length):
            found[usage.resource, (time + cycle) % ii] += usage.amount
    return found


def fits(graph: Graph, ii: int, placed: dict[int, int], operation: int, time: int) -> bool:
    last = ii - 1 - graph.dead
    if time % ii != last if operation == graph.branch else time % ii > last:
        return False
    total = cells(graph, ii, operation, time)
    wanted = set(total)
    for other, at in placed.items():
        total += cells(graph, ii, other, at)
    return all(total[cell] <= {**UNITS, ISSUE: 2}[cell[0]] for cell in wanted)


@pytest.mark.parametrize("seed", range(30))
def test_free_cycles_are_those_that_counting_finds(seed: int) -> None:
    random = Random(seed)
    graph, ii = random_graph(random, 9), random.randrange(5, 14)
    if packed_resources(graph, ii):
        return
    table = Reservations(graph, ii)
    placed: dict[int, int] = {}
    for _ in range(40):
        operation = random.randrange(graph.count)
        if operation in placed:
            table.release(operation, placed.pop(operation))
        for time in range(-ii, ii):
            assert table.fits(operation, time) == fits(graph, ii, placed, operation, time)
        start = random.randrange(-20, 20)
        for window in (range(start, start + ii), range(start, start - ii, -1)):
            usable = (t for t in window if fits(graph, ii, placed, operation, t))
            assert table.first(operation, window) == next(usable, None)
        time = table.first(operation, range(start, start + ii))
        if time is not None:
            table.take(operation, time)
            placed[operation] = time
    for operation, time in placed.items():
        table.release(operation, time)
    assert all(table.rivals(i, time) == set() for i in range(graph.count) for time in range(ii))


def test_users_of_a_full_resource_start_in_step() -> None:
    graph = Graph(((Usage("alu", 0, 3),),) * 2, (), (), {"alu": 1}, {}, width=1)
    assert packed_resources(graph, 6) == {"alu": 3}
    assert packed_resources(graph, 7) == {}
    table = Reservations(graph, 6)
    assert table.free(0) == 0b111111
    table.take(1, 8)
    assert table.free(0) == 0b100000
    table.release(1, 8)
    assert table.free(0) == 0b111111
