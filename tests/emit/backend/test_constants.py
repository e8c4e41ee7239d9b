"""Constant sequences compute the constant, shortly."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oxegg.emit.constants import materialize_constant
from oxegg.emit.program import ZERO, Operation, Register
from oxegg.errors import EmitError
from tests.emit.backend.programs import x

WORD = 1 << 64


def signed(value: int, bits: int) -> int:
    value %= 1 << bits
    return value - (1 << bits) if value >> (bits - 1) else value


def value_of(operations: list[Operation]) -> int:
    value = 0
    for operation in operations:
        last = operation.operands[-1]
        assert isinstance(last, int)
        source = operation.operands[1]
        before = 0 if source == ZERO else value
        match operation.name:
            case "addi":
                assert -2048 <= last < 2048
                value = before + last
            case "addiw":
                value = signed(before + last, 32)
            case "lui":
                assert 0 <= last < 1 << 20
                value = signed(last << 12, 32)
            case name:
                assert name == "slli"
                assert 0 < last < 64
                value = before << last
        value %= WORD
    return value


@given(st.integers(-(1 << 63), WORD - 1))
@example(0x7FFF_FFFF)
@example(0x7FFF_F800)
@example(-(1 << 31))
@example((1 << 63) - 1)
@example(-(1 << 63))
@example(WORD - 1)
@example(0x8000_0000)
def test_value(value: int):
    assert value_of(materialize_constant(x(1), value)) == value % WORD
    assert len(materialize_constant(x(1), value)) <= 8


@given(st.integers(-(1 << 31), (1 << 31) - 1))
def test_32_bits_take_two_instructions(value: int):
    assert len(materialize_constant(x(1), value)) <= 2


@pytest.mark.parametrize("value", [-2048, 0, 2047, 4096, -4096, 1 << 12, 0x7FFF_F000])
def test_one_instruction(value: int):
    assert len(materialize_constant(x(1), value)) == 1


def test_65_bits_are_refused():
    with pytest.raises(EmitError, match="64 bits"):
        materialize_constant(Register("x", 1), WORD)
