"""Loops of hand-written files: bounds reached, results proven and simulated."""

import pytest

from oxegg.costmodels import load_machine
from oxegg.emit.modulo.synthesize import Effort
from oxegg.emit.source import Scheduled, read_loops, schedule_source, text_of
from oxegg.emit.source.pipelines import pipeline_loop
from oxegg.emit.source.proof import prove
from oxegg.emit.source.trial import simulate
from oxegg.errors import EmitError, UsageError
from tests.emit.source.loops import (
    DOT,
    MIX,
    SAXPY,
    butterfly,
    random_loop,
    reduction,
    unrolled,
)

C908, CARD, EDGE = map(load_machine, ("c908", "ox-card", "ox-edge"))


def scheduled(text: str, machine: str = "c908", seconds: float = 60) -> tuple[Scheduled, str]:
    target = load_machine(machine)
    source = read_loops(text, "kernel.s", target, None)
    (loop,) = source.loops
    one = schedule_source(loop, target, seconds=seconds, disjoint_bases=True)
    return one, text_of(source, [one])


@pytest.mark.parametrize(("text", "ii"), [(DOT, 5), (MIX, 6)], ids=["dot", "mix"])
def test_recurrences_bound_small_loops(text: str, ii: int) -> None:
    one, _ = scheduled(text)
    found, trial = one.pipeline.found, one.trial
    assert (found.cycles, found.bound, found.status) == (ii, ii, "optimal")
    assert one.proven >= 3
    assert trial is not None
    assert trial.after == ii < trial.before


@pytest.mark.parametrize("machine", ["c908", "ox-edge", "ox-card"])
def test_vector_loops_keep_their_length_changes(machine: str) -> None:
    one, text = scheduled(SAXPY, machine)
    assert one.pipeline.found.status == "optimal"
    assert one.proven >= 1
    assert text.count("vle32.v") >= 2


@pytest.mark.parametrize(
    "text",
    [
        unrolled(4, reduction, 4),
        unrolled(10, reduction, 4),
        unrolled(5, butterfly, 4),
        pytest.param(unrolled(9, butterfly, 4), marks=pytest.mark.slow),
    ],
    ids=["27 instructions", "63 instructions", "38 instructions", "66 instructions"],
)
def test_unrolled_loops_reach_their_bound(text: str) -> None:
    one, _ = scheduled(text)
    found, trial = one.pipeline.found, one.trial
    assert found.status == "optimal"
    assert trial is not None
    assert trial.after == found.cycles < trial.before


@pytest.mark.parametrize("seed", range(6))
def test_random_loops_compute_the_same(seed: int) -> None:
    one, _ = scheduled(random_loop(seed, 8 + 3 * seed), seconds=2)
    assert one.trial is not None
    assert one.trial.runs >= 5
    assert one.trial.after <= one.trial.before


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(100))
def test_ten_thousand_random_loops(hundred: int) -> None:
    """One to twenty rounds, on three machines; the exact model has a hand in every twentieth."""
    for seed in range(100 * hundred, 100 * hundred + 100):
        machine = (C908, CARD, EDGE)[seed % 3]
        (loop,) = read_loops(random_loop(seed, 4 + seed % 24), "loop.s", machine, None).loops
        effort = Effort(0.02 if seed % 20 == 0 else 0)
        pipeline = pipeline_loop(loop, machine, effort, disjoint_bases=True)
        assert prove(pipeline, machine.vlen) >= 1
        trial = simulate(pipeline, machine, runs=21)
        assert trial is not None
        assert trial.after <= trial.before, seed
        assert abs(trial.after - float(pipeline.found.cycles)) < 0.1, seed


def test_aliasing_stores_keep_their_order() -> None:
    source = read_loops(unrolled(2, butterfly, 4), "kernel.s", C908, "loop")
    free, ordered = (
        schedule_source(source.loops[0], C908, seconds=1, disjoint_bases=disjoint)
        for disjoint in (True, False)
    )
    assert ordered.pipeline.found.bound >= free.pipeline.found.bound
    assert any("don't overlap" in line for line in free.assumptions)
    assert not any("don't overlap" in line for line in ordered.assumptions)


def test_a_missing_loop_is_named() -> None:
    with pytest.raises(UsageError, match="no inner loop elsewhere") as caught:
        read_loops(DOT, "dot.s", C908, "elsewhere")
    assert caught.value.hint == "its loops: loop"
    with pytest.raises(UsageError, match="no inner loop in this file"):
        read_loops("f:\n    ret\n", "f.s", C908, None)


def test_unknown_instructions_are_refused_with_their_line() -> None:
    with pytest.raises((EmitError, UsageError)) as caught:
        read_loops(DOT.replace("fmadd.s", "fmaddd.s"), "dot.s", C908, None)
    assert "dot.s:7" in str(caught.value)
