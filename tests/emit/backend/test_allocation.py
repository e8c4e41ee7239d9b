"""Register allocation: constraints hold, and the independent check notices mistakes."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from oxegg.emit.allocation_check import check_allocation
from oxegg.emit.colouring import Failure, Problem, Unit, colour
from oxegg.emit.exact_colouring import colour_exactly
from oxegg.emit.program import Loop, Operation, Program, Register, operations
from oxegg.emit.register_allocation import allocate
from oxegg.errors import EmitError
from tests.emit.backend.programs import counted, state, v, x
from tests.emit.backend.random_programs import Recipe, sample

VLEN = 256


def recipe(seed: int) -> Recipe:
    random = Random(seed)
    one, two, four, eight = (random.randint(0, limit) for limit in (14, 6, 3, 2))
    masks, integers, floats = random.randint(0, 3), random.randint(0, 20), random.randint(0, 10)
    return Recipe((one, two, four, eight), masks, integers, floats, 40, 2, seed)


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed: int):
    check_allocation(allocate(sample(recipe(seed), VLEN).program, VLEN))


def test_a_wrong_home_is_noticed():
    """Moving any register whose value matters onto its neighbour is an error."""
    program = sample(recipe(3), VLEN).program
    allocation = allocate(program, VLEN)
    noticed = 0
    victims = [register for register in allocation.homes if register.number > 0]
    for register in victims:
        home = allocation.homes[register]
        step = register.group if home + register.group < 32 else -register.group
        wrong = replace(allocation, homes={**allocation.homes, register: home + step})
        try:
            check_allocation(wrong)
        except EmitError:
            noticed += 1
    assert noticed > 0.6 * len(victims)


def test_two_live_values_in_one_register_are_noticed():
    body: list[Operation | Loop] = [
        Operation("li", (x(1), 1)),
        Operation("li", (x(2), 2)),
        Operation("add", (x(3), x(1), x(2))),
    ]
    allocation = allocate(Program("p", (), body), VLEN)
    wrong = replace(allocation, homes={**allocation.homes, x(2): allocation.homes[x(1)]})
    with pytest.raises(EmitError, match="lost its value"):
        check_allocation(wrong)


def test_a_value_carried_around_a_loop_is_kept():
    body: list[Operation | Loop] = [
        Operation("li", (x(1), 1)),
        *counted(
            ".L1",
            3,
            x(9),
            [Operation("addi", (x(2), x(1), 1)), Operation("addi", (x(3), x(2), 1))],
        ),
    ]
    allocation = allocate(Program("p", (), body), VLEN)
    assert allocation.homes[x(1)] not in (allocation.homes[x(2)], allocation.homes[x(3)])
    wrong = replace(allocation, homes={**allocation.homes, x(3): allocation.homes[x(1)]})
    with pytest.raises(EmitError, match="lost its value"):
        check_allocation(wrong)


def homes(body: list[Operation | Loop]) -> Callable[[Register], int]:
    allocation = allocate(Program("p", (x(1),), body), VLEN)
    check_allocation(allocation)
    return lambda register: allocation.homes[register]


def test_a_gather_keeps_its_result_apart():
    one = state(8, 1, 32)
    home = homes(
        [
            Operation("vle8.v", (v(1), x(1)), one),
            Operation("vrgather.vv", (v(2), v(1), v(1)), one),
            Operation("vse8.v", (v(2), x(1)), one),
        ]
    )
    assert home(v(1)) != home(v(2))


def test_widening_may_only_overlap_at_the_top():
    one = state(8, 1, 32)
    home = homes(
        [
            Operation("vle8.v", (v(1), x(1)), one),
            Operation("vwadd.vv", (v(2, 2), v(1), v(1)), one),
            Operation("vse16.v", (v(2, 2), x(1)), state(16, 2, 32)),
        ]
    )
    assert home(v(1)) != home(v(2, 2))


def test_segments_are_consecutive():
    two = state(32, 2, 16)
    fields = tuple(v(k, 2) for k in (5, 3, 9))
    home = homes(
        [
            Operation("vlseg3e32.v", (*fields, x(1)), two),
            *(Operation("vse32.v", (field, x(1)), two) for field in fields),
        ]
    )
    assert [home(field) - home(fields[0]) for field in fields] == [0, 2, 4]


def test_moves_between_values_that_need_not_be_apart_vanish():
    one = state(8, 1, 32)
    home = homes(
        [
            Operation("vle8.v", (v(1), x(1)), one),
            Operation("vmv1r.v", (v(2), v(1))),
            Operation("vse8.v", (v(2), x(1)), one),
            Operation("addi", (x(2), x(1), 0)),
            Operation("sd", (x(2), 0, x(2))),
        ]
    )
    assert home(v(1)) == home(v(2))
    assert home(x(1)) == home(x(2))


def test_masks_are_computed_in_v0():
    one = state(8, 1, 32)
    body: list[Operation | Loop] = [
        Operation("vle8.v", (v(1), x(1)), one),
        Operation("vmseq.vv", (v(2), v(1), v(1)), one),
        Operation("vadd.vv", (v(3), v(1), v(1), v(2)), one),
        Operation("vse8.v", (v(3), x(1)), one),
    ]
    allocation = allocate(Program("p", (x(1),), body), VLEN)
    assert allocation.homes[v(2)] == 0
    assert not [op for op in operations(allocation.program.body) if op.name == "vmv1r.v"]


def test_a_mask_copy_leaves_the_loop():
    one = state(8, 1, 32)
    masks: list[Operation | Loop] = [
        Operation("vle8.v", (v(1), x(1)), one),
        Operation("vmseq.vv", (v(2), v(1), v(1)), one),
        Operation("vmsne.vv", (v(3), v(1), v(1)), one),
        Operation("vadd.vv", (v(1), v(1), v(1), v(2)), one),
    ]
    loop = [*counted(".L1", 9, x(2), [Operation("vadd.vv", (v(1), v(1), v(1), v(3)), one)])]
    last: list[Operation | Loop] = [
        Operation("vadd.vv", (v(1), v(1), v(1), v(2)), one),
        Operation("vse8.v", (v(1), x(1)), one),
    ]
    allocation = allocate(Program("p", (x(1),), [*masks, *loop, *last]), VLEN)
    inside = next(item for item in allocation.program.body if isinstance(item, Loop))
    assert not [op for op in operations(inside.body) if op.name == "vmv1r.v"]


def test_an_instruction_that_needs_too_much_is_refused():
    eight = state(8, 8, 256)
    sources = [v(k, 8) for k in range(1, 4)]
    body: list[Operation | Loop] = [
        *(Operation("vle8.v", (register, x(1)), eight) for register in sources),
        Operation("vmseq.vv", (v(9), sources[0], sources[1]), eight),
        # Two sources, a result apart from them, and v0: 25 registers in 8-register places.
        Operation(
            "vrgather.vv",
            (v(10, 8), sources[0], sources[1], v(9)),
            state(8, 8, 256, mask_undisturbed=True),
        ),
        Operation("vse8.v", (v(10, 8), x(1)), eight),
    ]
    check_allocation(allocate(Program("p", (x(1),), body), VLEN))
    fields = tuple(v(k) for k in range(20, 28))
    with pytest.raises(EmitError, match="disagree"):
        allocate(
            Program(
                "p",
                (x(1),),
                [
                    Operation("vlseg2e8.v", (fields[0], fields[1], x(1)), state(8, 1, 4)),
                    Operation("vlseg2e8.v", (fields[1], fields[0], x(1)), state(8, 1, 4)),
                ],
            ),
            VLEN,
        )


def unit(number: int, size: int, begin: int, end: int, fixed: int | None = None) -> Unit:
    taken = (1 << end) - (1 << begin)
    return Unit(((v(number, size), 0),), (taken,) * size, size, fixed)


def test_exact_colouring_finds_what_exists():
    """Three units of 2 and two of 1 in 8 registers, with one register in the way."""
    units = (
        unit(1, 4, 0, 10),
        unit(2, 2, 0, 10),
        unit(3, 1, 0, 10, fixed=6),
        unit(4, 1, 0, 10),
    )
    problem = Problem(units, (), tuple(range(8)))
    bases = colour_exactly(problem)
    assert bases is not None
    assert bases[2:] == [6, 7]
    assert not isinstance(colour(problem, spread=True), Failure)


def test_exact_colouring_proves_that_nothing_fits():
    units = (unit(1, 4, 0, 10), unit(2, 4, 0, 10), unit(3, 1, 5, 6))
    problem = Problem(units, (), tuple(range(8)))
    assert colour_exactly(problem) is None
    assert isinstance(colour(problem, spread=False), Failure)
