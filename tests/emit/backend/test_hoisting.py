"""Loads leave the loops in which they are the same every time."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxegg.emit.hoisting import hoisted
from oxegg.emit.program import Bank, Loop, MemoryRef, Operation, Program, operations
from tests.emit.backend.interpreter import run
from tests.emit.backend.programs import counted, f, x
from tests.emit.backend.random_programs import Recipe, sample
from tests.emit.backend.test_random import recipes

FILES: dict[Bank, int] = {"x": 28, "f": 32, "v": 32}
TAP = Operation("flw", (f(1), 4, x(1)), memory=MemoryRef("taps", "load", 4, 4))
POINTER = Operation("addi", (x(2), x(2), 4))


def store(buffer: str) -> Operation:
    return Operation("fsw", (f(2), 0, x(2)), memory=MemoryRef(buffer, "store", 0, 4))


def product(a: int, b: int) -> Operation:
    return Operation("fmul.s", (f(2), f(a), f(b)))


def loop(*body: Operation) -> Program:
    return Program("p", (x(1), x(2)), list(counted(".L", 3, x(3), list(body))))


def inside(program: Program, files: dict[Bank, int] = FILES) -> list[str]:
    """What the loop still executes, its counter left out."""
    (found,) = (item for item in hoisted(program, files).body if isinstance(item, Loop))
    return [operation.name for operation in operations(found.body)][:-2]


def test_invariant_loads_and_what_follows_from_them_come_first() -> None:
    program = loop(TAP, product(1, 1), store("out"), POINTER)
    assert inside(program) == ["fsw", "addi"]
    before = [op for op in hoisted(program, FILES).body if isinstance(op, Operation)]
    assert [op.name for op in before] == ["li", "flw", "fmul.s"]
    # Of the loop's own accesses the offset meant a round.
    assert before[1].memory == MemoryRef("taps", "load", None, None)


@pytest.mark.parametrize(
    "body",
    [
        (TAP, product(1, 1), store("taps"), POINTER),
        (Operation("flw", (f(1), 4, x(2)), memory=MemoryRef("in", "load")), store("out"), POINTER),
        (product(1, 1), TAP, store("out"), POINTER),
        (TAP, product(1, 1), Operation("fsgnj.s", (f(1), f(2), f(2))), store("out"), POINTER),
    ],
    ids=["stored there", "another address", "read before", "written twice"],
)
def test_what_changes_stays(body: tuple[Operation, ...]) -> None:
    assert inside(loop(*body)) == [operation.name for operation in body]


def test_no_more_than_registers_allow() -> None:
    taps = [Operation("flw", (f(n), 4 * n, x(1)), memory=TAP.memory) for n in (3, 4, 5)]
    uses = [product(3, 4), product(2, 5)]
    program = loop(*taps, *uses, store("out"), POINTER)
    assert inside(program).count("flw") == 0
    # Three are live at a time as it is: the taps before the first product.
    assert inside(program, {**FILES, "f": 4}).count("flw") == 2
    assert inside(program, {**FILES, "f": 3}).count("flw") == 3


@given(recipes(60, crowded=False), st.sampled_from([128, 512]))
def test_random_programs_compute_the_same(recipe: Recipe, vlen: int) -> None:
    one = sample(recipe, vlen)
    memory = Random(1).randbytes(one.input_bytes) + bytes(one.output_bytes)
    before = run(one.program, vlen, memory, [0, one.input_bytes])
    after = run(hoisted(one.program, FILES), vlen, memory, [0, one.input_bytes])
    assert np.array_equal(before.known, after.known)
    assert np.array_equal(before.data[before.known], after.data[before.known])
