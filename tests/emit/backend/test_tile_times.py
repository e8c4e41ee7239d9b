"""The scheduler's times of tile instructions are the simulator's."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oxegg.costmodels import load_machine
from oxegg.emit.modulo.body import Rules, body_of
from oxegg.emit.pipeline import block_cycles, step
from oxegg.emit.program import ZERO, Operation, Register
from oxegg.sim import Buffer, call
from tests.emit.backend.programs import x
from tests.sim.programs import RETURN, Line, assemble

CARD = load_machine("ox-card")
ROUNDS = 6
POINTER = 10

TILES, ACCUMULATORS = st.integers(0, 3), st.integers(16, 18)
INSTRUCTIONS = st.one_of(
    st.tuples(st.just("ox.mm.ss"), ACCUMULATORS, TILES, TILES),
    st.tuples(st.just("ox.tzero"), ACCUMULATORS),
    st.tuples(st.just("ox.tld.a"), TILES),
)


def operation(name: str, *tiles: int) -> Operation:
    return Operation(name, (*tiles, x(1), ZERO) if name == "ox.tld.a" else tiles)


def line(name: str, *tiles: int) -> Line:
    return (name, *tiles, POINTER, 0) if name == "ox.tld.a" else (name, *tiles)


def simulated(lines: Sequence[Line]) -> float:
    data = Buffer(np.zeros(1024, np.uint8))
    cycles = call(assemble([*lines, RETURN]), CARD, [data]).cycles
    assert cycles is not None
    return cycles


@settings(max_examples=60)
@given(st.lists(INSTRUCTIONS, min_size=1, max_size=8))
def test_steady_states_agree(program: list[tuple[str, int]]) -> None:
    """Of twice as many rounds those that come later."""
    steps = [step(operation(*one), CARD) for one in program * ROUNDS]
    lines = [line(*one) for one in program * ROUNDS]
    expected = simulated(lines * 2) - simulated(lines)
    once, twice = (block_cycles(s, CARD, repeated=False) for s in (steps, steps * 2))
    assert twice - once == pytest.approx(expected, abs=1)


def test_a_tile_is_overwritten_when_its_reader_is_nearly_done() -> None:
    """A product reads rows for 16 cycles; a load writes the first one 6 cycles after its start."""
    counter, limit = Register("x", 2), Register("x", 3)
    loop = [
        operation("ox.mm.ss", 16, 0, 1),
        operation("ox.tld.a", 0),
        operation("ox.tzero", 16),
        Operation("addi", (counter, counter, -1)),
        Operation("bne", (counter, limit, ".L")),
    ]
    graph = body_of(loop, CARD, Rules({"x": 31, "f": 32, "v": 32})).graph
    latency = {(e.source, e.target, e.distance): e.latency for e in graph.edges}
    assert latency[0, 1, 0] == 16 - 6
    assert latency[0, 2, 0] == 52 - 2
