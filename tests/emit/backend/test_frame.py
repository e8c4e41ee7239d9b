"""The frame of a function whose parameters in memory occupy temporary registers."""

import pytest

from oxegg.emit.frame import CALLEE_SAVED, TEMPORARIES, frame
from oxegg.emit.program import STACK_POINTER, Bank, Register

USED: dict[Bank, frozenset[int]] = {
    "x": frozenset(CALLEE_SAVED),
    "f": frozenset(),
    "v": frozenset(),
}


@pytest.mark.parametrize("arguments", [TEMPORARIES, TEMPORARIES[2:]])
@pytest.mark.parametrize("spill_bytes", [0, 8, 2032, 2040, 9000, 1 << 17])
def test_arguments_stay_where_they_were_loaded(arguments: tuple[int, ...], spill_bytes: int):
    around = frame(USED, spill_bytes, arguments)
    written = [operation.operands[0] for operation in around.prologue if operation.name != "sd"]
    for number in arguments:
        assert written.count(Register("x", number)) == 1
    assert around.size >= spill_bytes + 8 * len(CALLEE_SAVED)


@pytest.mark.parametrize("spill_bytes", [0, 8, 2032, 2040, 9000, 1 << 17])
def test_the_stack_moves_in_steps_when_no_register_is_free(spill_bytes: int):
    around = frame(USED, spill_bytes, TEMPORARIES)
    steps = [int(str(operation.operands[2])) for operation in around.prologue
             if operation.operands[:2] == (STACK_POINTER, STACK_POINTER)]  # fmt: skip
    assert sum(steps) == -around.size
    assert all(step % 16 == 0 and -2048 <= step < 0 for step in steps)
