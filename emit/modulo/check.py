"""The independent check of a schedule: dependences, units, issue order and registers.

Nothing here knows how the schedule was found: it recounts everything.
"""

from oxegg.emit.modulo.graph import Graph, Schedule
from oxegg.errors import EmitError


def check_schedule(graph: Graph, schedule: Schedule) -> None:
    """Raise ``EmitError`` naming the first rule that the schedule breaks."""
    check_text(graph, schedule)
    _check_waits(graph, schedule)
    _check_units(graph, schedule)


def check_text(graph: Graph, schedule: Schedule) -> None:
    """The same for a schedule of which only the text is meant, and the machine sets the pace."""
    if sorted(schedule.order) != list(range(graph.count)):
        raise EmitError("the kernel's text isn't a permutation of the loop body")
    cycles = [schedule.times[i] % schedule.ii for i in schedule.order]
    if cycles != sorted(cycles) or min(schedule.times, default=0) < 0:
        raise EmitError("the kernel's text isn't in the order of issue")
    if graph.branch is not None and graph.count:
        if schedule.order[-1] != graph.branch:
            raise EmitError("the branch isn't the last of the kernel")
        if cycles[-1] + graph.dead != schedule.ii - 1:
            raise EmitError("the branch isn't in the kernel's last cycle")
    _check_order(graph, schedule)
    _check_registers(graph, schedule)


def _check_order(graph: Graph, schedule: Schedule) -> None:
    places = schedule.places()
    for edge in graph.edges:
        behind = places[edge.target] + graph.count * edge.distance
        if edge.source != edge.target and behind <= places[edge.source]:
            raise EmitError(f"operation {edge.target} doesn't come after operation {edge.source}")


def _check_waits(graph: Graph, schedule: Schedule) -> None:
    for edge in graph.edges:
        lead = schedule.times[edge.target] + schedule.ii * edge.distance
        if lead < schedule.times[edge.source] + edge.latency:
            raise EmitError(f"operation {edge.target} doesn't wait for operation {edge.source}")


def _check_units(graph: Graph, schedule: Schedule) -> None:
    """Units of the iterations in flight, added up cycle by cycle of the kernel."""
    taken: dict[tuple[str, int], int] = {}
    for index, (usages, time) in enumerate(zip(graph.usages, schedule.times, strict=True)):
        slot = ("", time % schedule.ii)
        taken[slot] = taken.get(slot, 0) + (index not in graph.free)
        for usage in usages:
            for cycle in range(time + usage.start, time + usage.start + usage.length):
                cell = (usage.resource, cycle % schedule.ii)
                taken[cell] = taken.get(cell, 0) + usage.amount
    for (resource, cycle), amount in taken.items():
        limit = graph.capacity[resource] if resource else graph.width
        if amount > limit:
            name = resource or "the issue slots"
            raise EmitError(f"{name} would be taken {amount} times in cycle {cycle}")


def _check_registers(graph: Graph, schedule: Schedule) -> None:
    """Per bank, the groups that hold a value that is still wanted, at every place of the text."""
    places = schedule.places()
    count = graph.count
    for bank, size in graph.files.items():
        held = [0] * count
        for web in graph.webs:
            if web.bank != bank:
                continue
            if web.resident or web.definition is None:
                held = [taken + web.group for taken in held]
                continue
            begin = places[web.definition]
            end = max([begin, *(places[u.operation] + count * u.distance for u in web.uses)])
            if end - begin > count:
                raise EmitError(f"a value of bank {bank} is overwritten before its last use")
            for place in range(begin, max(end + web.overhang, begin + 1)):
                held[place % count] += web.group
        if max(held, default=0) > size:
            raise EmitError(f"{max(held)} registers of bank {bank} are needed, {size} are there")
