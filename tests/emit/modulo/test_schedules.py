"""Schedules of vector kernels: bounds, intervals, and the check that refuses what is wrong."""

from dataclasses import replace

import pytest

from oxegg.emit.modulo.bounds import lower_bound
from oxegg.emit.modulo.check import check_schedule
from oxegg.emit.modulo.exact import Budget, exact_schedule
from oxegg.emit.modulo.graph import Graph, Schedule
from oxegg.emit.modulo.lifetimes import pressure
from oxegg.emit.modulo.synthesize import WORK_PER_SECOND, Effort, Found, modulo_schedule
from oxegg.errors import EmitError
from tests.emit.modulo.kernels import gemm, saxpy


def schedule(graph: Graph, *, exact: bool, seconds: float = 60) -> Found:
    found = modulo_schedule(
        graph, Effort(WORK_PER_SECOND * seconds if exact else 0.0), lambda _graph, _schedule: True
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("graph", "ii"),
    [(saxpy(2, 1), 11), (saxpy(8, 1), 25), (gemm(2, 8, 2), 32), (gemm(5, 8, 2), 80)],
    ids=["saxpy2", "saxpy8", "gemm2", "gemm5"],
)
def test_the_heuristic_finds_optimal_schedules(graph: Graph, ii: int) -> None:
    found = schedule(graph, exact=False)
    assert (found.cycles, found.bound, found.status) == (ii, ii, "optimal")
    assert all(taken <= graph.files[b] for b, taken in pressure(graph, found.schedule).items())


def test_full_issue_slots_are_scheduled_optimally() -> None:
    """Thirty-two pointers, each with a register of its own, and not an empty slot."""
    graph = saxpy(16, 1)
    found = schedule(replace(graph, files={**graph.files, "x": 40}), exact=False)
    assert (found.cycles, found.status) == (49, "optimal")


@pytest.mark.slow
@pytest.mark.parametrize(("copies", "ii"), [(2, 60), (4, 120)])
def test_groups_of_four_registers_fill_the_file(copies: int, ii: int) -> None:
    graph = gemm(copies, 7, 4)
    found = schedule(graph, exact=True, seconds=30)
    assert found.cycles == ii
    assert pressure(graph, found.schedule)["v"] == 32
    placed = exact_schedule(graph, ii, Budget(2), registers=True, hint=found.schedule.times)
    assert isinstance(placed, Schedule)


def test_one_cycle_below_the_optimum_is_refuted() -> None:
    assert exact_schedule(saxpy(2, 1), 10, Budget(5)) == "infeasible"


def test_the_bound_counts_registers() -> None:
    graph = saxpy(8, 1)
    few = replace(graph, files={**graph.files, "v": 4})
    assert lower_bound(few).registers > lower_bound(graph).registers


def test_the_check_refuses_wrong_schedules() -> None:
    graph = saxpy(2, 1)
    good = schedule(graph, exact=False).schedule
    check_schedule(graph, good)
    early = (*(max(0, t - 1) for t in good.times[:-1]), good.times[-1])
    swapped = (good.order[1], good.order[0], *good.order[2:])
    for bad in (
        Schedule(good.ii, early, good.order),
        Schedule(good.ii, good.times, (*swapped[:-1], swapped[0])),
        Schedule(good.ii - 1, good.times, good.order),
    ):
        with pytest.raises(EmitError):
            check_schedule(graph, bad)
    with pytest.raises(EmitError, match="registers"):
        check_schedule(replace(graph, files={**graph.files, "v": 1}), good)
