"""Texts on the machine: their pace is the simulator's, and no bound lies above it."""

import pytest

from oxegg.costmodels import load_machine
from oxegg.emit.modulo.exact import Budget, exact_schedule
from oxegg.emit.modulo.graph import Graph
from oxegg.emit.modulo.windows import raised_bound
from oxegg.emit.source import Scheduled, read_loops, schedule_source
from tests.emit.modulo.kernels import saxpy
from tests.emit.source.loops import SAXPY
from tests.emit.source.vector_loops import VECTOR_LOOPS

COUNTED = ("scale", "montgomery", "barrett", "product")


def scheduled(text: str, machine: str, seconds: float) -> Scheduled:
    target = load_machine(machine)
    (loop,) = read_loops(text, "kernel.s", target, None).loops
    return schedule_source(loop, target, seconds=seconds, disjoint_bases=True)


@pytest.mark.parametrize("machine", ["c908", "ox-card"])
@pytest.mark.parametrize("name", COUNTED)
def test_loops_run_at_the_pace_that_is_stated(name: str, machine: str) -> None:
    one = scheduled(VECTOR_LOOPS[name], machine, 0)
    assert one.trial is not None
    found = one.pipeline.found
    # Rounds that take, say, 7, 7 and 6 cycles don't fill the sixteen that were timed.
    assert abs(one.trial.after - float(found.cycles)) < 0.1
    assert found.cycles >= found.bound
    assert one.trial.after < one.trial.before
    assert one.proven >= 3


def test_optimal_texts_of_vector_loops_are_proven() -> None:
    found = scheduled(VECTOR_LOOPS["scale"], "c908", 20).pipeline.found
    assert (found.cycles, found.status) == (6, "optimal")


def test_waiting_in_the_queue_is_ruled_out_too() -> None:
    """A store that waits for its operand holds up the next loads: seven cycles, not five."""
    pipeline = scheduled(SAXPY, "c908", 10).pipeline
    assert pipeline.found.parts.cycles < 7
    graph = pipeline.body.graph
    assert exact_schedule(graph, 6, Budget(1), queue=True) == "infeasible"
    assert (pipeline.found.cycles, pipeline.found.bound) == (7, 7)


@pytest.mark.parametrize("graph", [saxpy(2, 1), saxpy(8, 1)], ids=["saxpy2", "saxpy8"])
def test_windows_rule_out_nothing_that_exists(graph: Graph) -> None:
    reached = {2: 11, 14: 11, 50: 25}[graph.count]
    assert raised_bound(graph, 1, reached + 1) <= reached
