"""Malformed programs are refused with the operation named."""

import pytest

from oxegg.costmodels import load_machine
from oxegg.emit.backend import generate
from oxegg.emit.program import STACK_POINTER, Loop, Operation, Program
from oxegg.errors import EmitError
from tests.emit.backend.programs import counted, f, state, v, x

CARD = load_machine("ox-card")
ONE = state(32, 1, 16)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (Operation("vfoo.vv", ()), "no instruction"),
        (Operation("add", (x(1), x(1))), "2 operands"),
        (Operation("add", (x(1), x(1), f(1))), "rs2 can't be %f1"),
        (Operation("add", (x(1), x(1), 3)), "rs2 can't be 3"),
        (Operation("addi", (x(1), x(1), x(1))), "imm12 can't be %x1"),
        (Operation("add", (x(2), x(1), x(9))), "read before it is written"),
        (Operation("add", (STACK_POINTER, x(1), x(1))), "stack pointer"),
        (Operation("vadd.vi", (v(1), v(1), 1)), "vector state is missing"),
        (Operation("vmv.v.i", (v(2, 2), 1), ONE), "should be a group of 1"),
        (Operation("vmv.v.i", (v(2), 1), state(32, 1, 17)), "vl 17"),
        (Operation("vmv.v.i", (v(2), 1), state(12, 1, 1)), "no vtype"),
        (Operation("vwadd.vv", (v(2, 8), v(1, 8), v(1, 8)), state(8, 8, 8)), "LMUL 16"),
        (Operation("vrgather.vv", (v(1), v(1), v(1)), ONE), "result and source"),
        (Operation("vsetivli", (x(2), 4, 0)), "sets vl itself"),
        (Operation("la", (x(2), "table")), "no constant table"),
        (Operation("beq", (x(1), x(1), ".L9")), "branches elsewhere"),
    ],
    ids=lambda value: value.name if isinstance(value, Operation) else "",
)
def test_operations(operation: Operation, message: str):
    setup = [
        Operation("vmv.v.i", (v(1), 1), ONE),
        Operation("vmv.v.i", (v(1, 8), 1), state(8, 8, 8)),
    ]
    with pytest.raises(EmitError, match=message):
        generate(Program("p", (x(1), f(1)), [*setup, operation]), CARD)


def test_loops():
    with pytest.raises(EmitError, match="doesn't end in a branch"):
        generate(Program("p", (), [Loop(".L", 1, [Operation("li", (x(1), 1))])]), CARD)
    with pytest.raises(EmitError, match="runs 0 times"):
        generate(Program("p", (), [*counted(".L", 0, x(1), [])]), CARD)
    twice = [*counted(".L", 1, x(1), []), *counted(".L", 1, x(1), [])]
    with pytest.raises(EmitError, match="used twice"):
        generate(Program("p", (), twice), CARD)


def test_nine_float_parameters():
    with pytest.raises(EmitError, match="more than 8"):
        generate(Program("p", tuple(f(k) for k in range(9)), []), CARD)
