"""A field with functions: what is one operation under several names is one function."""

from itertools import pairwise
from typing import Any

import pytest

from oxegg.sim.domain import NoMeaning
from oxegg.sim.fields import PrimeField
from oxegg.sim.uninterpreted import Integer, Opaque, UninterpretedField, integer_operation

FIELD = UninterpretedField(509)
A, B = Opaque(17), Opaque(200)


def of(operation: str, *operands: Integer, bits: int = 32) -> Integer:
    return integer_operation(FIELD, operation, list(operands), bits)


@pytest.mark.parametrize("operation", ["add", "mul", "and", "or", "xor", "min", "max", "eq"])
def test_commutative_operations_know_no_order(operation: str) -> None:
    assert of(operation, A, B) == of(operation, B, A)
    assert of(operation, A, 3) == of(operation, 3, A)


def test_names_of_one_operation() -> None:
    assert of("sub", A, 5) == of("add", A, -5) == of("add", A, (1 << 32) - 5)
    assert of("gt", A, B) == of("lt", B, A)
    assert of("ge", A, 3) == of("le", 3, A)
    assert {of("eq", A, B), of("ne", A, B)} == {0, 1}
    assert of("shl", A, 0) == of("low", A, 8) == of("sext", A, 32) == A


def test_different_operations_and_operands_differ() -> None:
    results = [of("add", A, B), of("sub", A, B), of("sub", B, A), of("shl", A, 3), of("shl", A, 4),
               of("shr", A, 3), of("add", A, 3), of("add", B, 3)]  # fmt: skip
    assert len(set(results)) == len(results)


def test_order_is_total_and_infinities_lie_outside() -> None:
    places = [FIELD.infinity(True), 508, 0, 1, 254, FIELD.infinity(False)]
    assert all(FIELD.less(a, b) for a, b in pairwise(places))
    assert not any(FIELD.less(a, a) for a in places)
    assert FIELD.negate(FIELD.infinity(True)) == FIELD.infinity(False)


def test_infinities_absorb_and_have_no_products() -> None:
    low, high = FIELD.infinity(True), FIELD.infinity(False)
    assert FIELD.add(low, 3) == low
    with pytest.raises(NoMeaning, match="difference of infinities"):
        FIELD.add(low, high)
    with pytest.raises(NoMeaning, match="multiple of an infinity"):
        FIELD.multiply(3, high)


@pytest.mark.parametrize("operation", ["fsqrt", "frec7", "fclass", "f_to_s"])
def test_a_plain_field_has_no_functions(operation: str) -> None:
    assert FIELD.uninterpreted(operation, 3) == FIELD.uninterpreted(operation, 3)
    plain: Any = PrimeField(509)
    with pytest.raises(NoMeaning, match=operation):
        plain.uninterpreted(operation, 3)
