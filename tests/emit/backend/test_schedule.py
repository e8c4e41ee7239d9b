"""List scheduling: dependences hold, cycles fall, pressure and vector states are minded."""

import pytest

from oxegg.costmodels import load_machine
from oxegg.emit.backend import generate
from oxegg.emit.dependences import dependences
from oxegg.emit.pipeline import block_cycles, step
from oxegg.emit.program import Bank, Loop, MemoryRef, Operation, Program, operations
from oxegg.emit.schedule import estimated_cycles, schedule
from tests.emit.backend.programs import counted, f, saxpy_step, state, v, x
from tests.emit.backend.random_programs import Recipe, sample

CARD = load_machine("ox-card")
LIMITS: dict[Bank, int] = {"x": 24, "f": 32, "v": 32}


def saxpy(unroll: int) -> Program:
    one = state(32, 1, 16)
    body: list[Operation | Loop] = [op for k in range(unroll) for op in saxpy_step(k, 64, one)]
    return Program("saxpy", (f(1), x(1), x(2)), [*counted(".L1", 8, x(3), body)])


@pytest.mark.parametrize("seed", range(8))
def test_dependences_hold(seed: int):
    program = sample(Recipe((6, 3, 2, 1), 2, 8, 4, 60, 0, seed), CARD.vlen).program
    before = list(operations(program.body))
    after = list(operations(schedule(program, CARD, limits=LIMITS).body))
    # Equal operations may swap: they are told apart by how often they came before.
    assert sorted(map(str, before)) == sorted(map(str, after))
    places: dict[Operation, list[int]] = {}
    for index, operation in enumerate(after):
        places.setdefault(operation, []).append(index)
    place = [places[operation].pop(0) for operation in before]
    for index, successors in enumerate(dependences(before)):
        assert all(place[index] < place[other] for other in successors)


def test_unrolled_code_gets_faster():
    program = saxpy(8)
    faster = schedule(program, CARD, limits=LIMITS)
    assert estimated_cycles(faster, CARD) < 0.8 * estimated_cycles(program, CARD)


def test_a_tight_limit_holds_pressure_down():
    tight = generate(schedule(saxpy(16), CARD, limits={**LIMITS, "v": 6}), CARD, scheduling=False)
    assert tight.statistics.spills == 0
    assert len(tight.statistics.registers["v"]) <= 32


def test_pressure_never_forces_spills_that_the_source_order_avoids():
    code = generate(saxpy(30), CARD)
    assert code.statistics.spills == 0
    assert code.statistics.reloads == 0


def test_states_stay_together():
    wide, narrow = state(32, 1, 16), state(8, 1, 16)
    body: list[Operation | Loop] = []
    for k in range(6):
        body.append(Operation("vadd.vv", (v(10 + k), v(1), v(2)), wide))
        body.append(Operation("vadd.vv", (v(20 + k), v(3), v(4)), narrow))
    loads = [Operation("vl1re8.v", (v(k), x(1))) for k in range(1, 5)]
    stores = [Operation("vs1r.v", (v(k), x(1))) for k in (*range(10, 16), *range(20, 26))]
    program = Program("p", (x(1),), [*loads, *body, *stores])
    assert generate(program, CARD).statistics.state_changes <= 3
    assert generate(program, CARD, scheduling=False).statistics.state_changes == 12


def ref(buffer: str, kind: str, offset: int | None, size: int | None = 8) -> MemoryRef:
    assert kind in ("load", "store")
    return MemoryRef(buffer, kind, offset, size)


@pytest.mark.parametrize(
    ("first", "second", "ordered"),
    [
        (ref("a", "store", 0), ref("a", "load", 0), True),
        (ref("a", "store", 0), ref("a", "load", 8), False),
        (ref("a", "store", 0), ref("a", "load", None), True),
        (ref("a", "store", 0), ref("b", "load", 0), False),
        (ref("a", "load", 0), ref("a", "load", 0), False),
        (ref("a", "store", 0), None, True),
    ],
)
def test_memory_order(first: MemoryRef, second: MemoryRef | None, ordered: bool):
    names = {"load": ("ld", x(5)), "store": ("sd", x(6))}
    block = [
        Operation(names[first.kind][0], (names[first.kind][1], 0, x(1)), memory=first),
        Operation("ld", (x(7), 0, x(2)), memory=second),
    ]
    assert (1 in dependences(block)[0]) == ordered


def test_tiles_depend_on_their_shape_and_contents():
    block = [
        Operation("ox.tset.m", (x(1), x(2))),
        Operation("ox.tld.a", (0, x(3), x(4)), memory=ref("a", "load", 0)),
        Operation("ox.tld.a", (1, x(3), x(4)), memory=ref("a", "load", 0)),
        Operation("ox.mm.ss", (16, 0, 0)),
    ]
    after = dependences(block)
    assert {1, 2, 3} <= set(after[0])
    assert after[1] == (3,)
    assert after[2] == ()


def test_the_model_knows_chaining_and_units():
    """Load, multiply-add and store of one strip overlap; a chain of adds does not."""
    one = state(32, 1, 16)
    chain = [Operation("vfadd.vv", (v(1), v(1), v(1)), one) for _ in range(4)]
    apart = [Operation("vfadd.vv", (v(k), v(9), v(9)), one) for k in range(1, 5)]
    chained, parallel = (
        block_cycles([step(op, CARD) for op in ops], CARD, repeated=True) for ops in (chain, apart)
    )
    assert chained >= 4 * 5
    assert parallel <= 4 * 2 + 4
