"""Moves vanish before scheduling, and programs compute the same without them."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxegg.emit.coalescing import coalesced
from oxegg.emit.program import ZERO, Loop, Operation, Program, operations
from tests.emit.backend.interpreter import run
from tests.emit.backend.programs import counted, v, x
from tests.emit.backend.random_programs import Recipe, sample
from tests.emit.backend.test_random import recipes


def move(target: int, source: int) -> Operation:
    return Operation("addi", (x(target), x(source), 0))


def add(target: int, first: int, second: int) -> Operation:
    return Operation("add", (x(target), x(first), x(second)))


def names(program: Program) -> list[str]:
    return [operation.name for operation in operations(program.body)]


@pytest.mark.parametrize("shared", [True, False])
def test_a_chain_of_copies_becomes_one_register(shared: bool) -> None:
    body: list[Operation | Loop] = [move(2, 1), move(3, 2), add(4, 3, 3)]
    program = coalesced(Program("p", (x(1),), body), shared=shared)
    assert program.body == [add(4, 1, 1)]


def test_what_is_read_after_the_copy_changed_keeps_its_register() -> None:
    body: list[Operation | Loop] = [move(2, 1), Operation("addi", (x(2), x(2), 1)), add(3, 1, 2)]
    program = Program("p", (x(1),), body)
    assert coalesced(program, shared=True) == program


@pytest.mark.parametrize("shared", [True, False])
def test_other_readers_are_only_put_in_order_where_that_is_asked_for(shared: bool) -> None:
    change = Operation("addi", (x(2), x(2), 1))
    body: list[Operation | Loop] = [add(3, 1, 1), move(2, 1), change, add(4, 2, 3)]
    program = coalesced(Program("p", (x(1),), body), shared=shared)
    assert len(names(program)) == (3 if shared else 4)


@pytest.mark.parametrize("shared", [True, False])
def test_so_are_values_that_a_loop_carries(shared: bool) -> None:
    step = list(counted(".L", 3, x(9), [add(3, 2, 1), move(2, 3)]))
    body = [Operation("li", (x(2), 1)), *step, add(4, 2, 1)]
    program = coalesced(Program("p", (x(1),), body), shared=shared)
    assert names(program).count("addi") == (1 if shared else 2)


def test_registers_of_other_sizes_and_fixed_ones_stay() -> None:
    body = [Operation("vmv1r.v", (v(2, 2), v(1))), Operation("addi", (x(3), ZERO, 0)), add(4, 3, 3)]
    program = Program("p", (), [Operation("vid.v", (v(1),)), *body])
    assert coalesced(program, shared=True) == program


def test_two_arguments_stay_two() -> None:
    program = Program("p", (x(1), x(2)), [move(2, 1), add(3, 2, 2)])
    assert coalesced(program, shared=True) == program


@given(recipes(60, crowded=False), st.sampled_from([128, 512]), st.booleans())
def test_random_programs_compute_the_same(recipe: Recipe, vlen: int, shared: bool) -> None:
    one = sample(recipe, vlen)
    memory = Random(1).randbytes(one.input_bytes) + bytes(one.output_bytes)
    arguments = [0, one.input_bytes]
    before = run(one.program, vlen, memory, arguments)
    after = run(coalesced(one.program, shared=shared), vlen, memory, arguments)
    # A tail that a move left unspecified may hold what it was copied from.
    assert np.all(after.known[before.known])
    assert np.array_equal(before.data[before.known], after.data[before.known])
