"""Single operations against exact arithmetic on bit patterns and fractions."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import TYPES, ElementType, bits_to_value, value_to_bits

FLOATS = [TYPES[n] for n in ("f16", "bf16", "f32", "f64")]
INTEGERS = [TYPES[n] for n in ("i8", "i32", "u8", "u64")]


def apply(name: str, type_: ElementType, *numbers: Any) -> Any:
    operands = [np.array([n]).astype(type_.numpy) for n in numbers]
    return OPERATIONS[name].evaluate(*operands)[0].item()


def rounded(exact: Fraction, type_: ElementType) -> float:
    """Nearest number of the format, ties to even, by integer arithmetic on the significand."""
    if exact == 0:
        return 0.0
    exponent = math.floor(math.log2(abs(exact)))
    while abs(exact) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while abs(exact) < Fraction(2) ** exponent:
        exponent -= 1
    lowest = 2 - type_.max_exponent - type_.precision
    unit = Fraction(2) ** max(exponent - type_.precision + 1, lowest)
    result = round(exact / unit) * unit
    return float(result) if abs(result) < Fraction(2) ** (type_.max_exponent + 1) else math.inf


numbers = st.floats(-100, 100, width=16)


@given(numbers, numbers, numbers, st.sampled_from(FLOATS))
def test_fused_operations_round_once(a: float, b: float, c: float, type_: ElementType) -> None:
    a, b, c = (float(np.asarray(v).astype(type_.numpy)) for v in (a / 3, b / 7, c / 11))
    x, y, z = map(Fraction, (a, b, c))
    for name, exact in (("fma", x * y + z), ("fms", x * y - z), ("fnma", z - x * y)):
        assert apply(name, type_, a, b, c) == rounded(exact, type_)


@pytest.mark.parametrize("type_", FLOATS, ids=str)
def test_fused_operations_on_special_values(type_: ElementType) -> None:
    inf, nan = math.inf, math.nan
    assert apply("fma", type_, inf, 2.0, -1.0) == inf
    assert apply("fma", type_, 2.0, 3.0, -inf) == -inf
    assert math.isnan(apply("fma", type_, inf, 0.0, 1.0))
    assert math.isnan(apply("fma", type_, inf, 1.0, -inf))
    assert math.isnan(apply("fma", type_, nan, 1.0, 1.0))
    assert math.copysign(1, apply("fma", type_, -1.0, 0.0, -0.0)) == -1


@pytest.mark.parametrize("type_", FLOATS, ids=str)
def test_minimum_and_maximum(type_: ElementType) -> None:
    """``min`` propagates NaN as NumPy does, ``minnum`` drops it and orders the zeros."""
    assert math.isnan(apply("min", type_, math.nan, 1.0))
    assert math.isnan(apply("max", type_, 1.0, math.nan))
    assert apply("minnum", type_, math.nan, 1.0) == 1.0
    assert apply("maxnum", type_, 1.0, math.nan) == 1.0
    assert math.copysign(1, apply("minnum", type_, 0.0, -0.0)) == -1
    assert math.copysign(1, apply("maxnum", type_, -0.0, 0.0)) == 1


@pytest.mark.parametrize("type_", INTEGERS, ids=str)
def test_division(type_: ElementType) -> None:
    low = type_.minimum
    samples = [0, 1, 7, type_.maximum, low, low + 1, *([-1, -7] if low else [])]
    for a in samples:
        for b in samples:
            signed = type_.kind == "int"
            quotient = -1 if b == 0 else int(Fraction(a, b))
            remainder = a if b == 0 else a - b * quotient
            if signed and (a, b) == (low, -1):
                quotient, remainder = low, 0
            wrapped = bits_to_value(value_to_bits(quotient, type_), type_)
            assert apply("quotient", type_, a, b) == wrapped
            assert apply("remainder", type_, a, b) == remainder
            floored = 0 if b == 0 else bits_to_value(value_to_bits(a // b, type_), type_)
            assert apply("floor_divide", type_, a, b) == floored
            assert apply("modulo", type_, a, b) == (0 if b == 0 else a % b)


@pytest.mark.parametrize("type_", INTEGERS, ids=str)
def test_wrapping(type_: ElementType) -> None:
    top, low = type_.maximum, type_.minimum
    assert apply("add", type_, top, 1) == low
    assert apply("sub", type_, low, 1) == top
    assert apply("neg", type_, low) == low
    assert apply("mulh", type_, top, top) == top * top >> type_.bits
    assert apply("shl", type_, 1, type_.bits + 1) == 2
    assert apply("shr", type_, low, type_.bits - 1) == (-1 if low else 0)


@pytest.mark.parametrize(
    ("number", "to", "wanted"),
    [
        *((2.5, "i32", 2), (3.5, "i32", 4), (-1e20, "i32", -(2**31)), (1e20, "u8", 255)),
        *((math.nan, "i8", 127), (-3.0, "u8", 0), (2.0**63, "i64", 2**63 - 1)),
    ],
)
def test_rounding_to_integers_saturates(number: float, to: str, wanted: int) -> None:
    result = OPERATIONS["to_int"].evaluate(np.array([number]), TYPES[to].numpy)
    assert result.dtype == TYPES[to].numpy
    assert result[0] == wanted


def test_conversion_and_bits() -> None:
    convert, bitcast = OPERATIONS["convert"].evaluate, OPERATIONS["bitcast"].evaluate
    assert convert(np.array([-2.9, 2.9]), TYPES["i8"].numpy).tolist() == [-2, 2]
    assert convert(np.array([300]), TYPES["u8"].numpy).tolist() == [44]
    assert convert(np.array([300.9, -300.9, 2.0**40]), TYPES["i8"].numpy).tolist() == [44, -44, -1]
    assert convert(np.array([-1.5, 3e9, np.nan]), TYPES["u32"].numpy).tolist() == [
        0, 3_000_000_000, 2**32 - 1,
    ]  # fmt: skip
    assert convert(np.array([0.5, 0, np.nan]), TYPES["bool"].numpy).tolist() == [True, False, True]
    assert bitcast(np.array([1.0], np.float32), TYPES["i32"].numpy).tolist() == [0x3F800000]


# RVV 1.0, sections 13.9 and 13.10: estimates by operand, as bit patterns of float32
@pytest.mark.parametrize(
    ("name", "operand", "wanted"),
    [
        ("reciprocal_estimate", 0x3F800000, 0x3F7F0000),  # 1.0 -> significand 127
        ("reciprocal_estimate", 0x3FFFFFFF, 0x3F000000),  # nearly 2 -> significand 0
        ("reciprocal_estimate", 0x00000000, 0x7F800000),
        ("reciprocal_estimate", 0x80000000, 0xFF800000),
        ("reciprocal_estimate", 0x7F800000, 0x00000000),
        ("reciprocal_estimate", 0x00400000, 0x7EFF0000),  # subnormal operand
        ("reciprocal_estimate", 0x7F000000, 0x003FC000),  # subnormal result
        ("rsqrt_estimate", 0x3F800000, 0x3F7F0000),  # 1.0 -> significand 127
        ("rsqrt_estimate", 0x40000000, 0x3F340000),  # 2.0 -> significand 52
        ("rsqrt_estimate", 0x80000000, 0xFF800000),
        ("rsqrt_estimate", 0xBF800000, 0x7FC00000),
        ("rsqrt_estimate", 0x7F800000, 0x00000000),
    ],
)
def test_estimates(name: str, operand: int, wanted: int) -> None:
    x = np.array([operand], np.uint32).view(np.float32)
    assert OPERATIONS[name].evaluate(x).view(np.uint32)[0] == wanted


@pytest.mark.parametrize("name", ["reciprocal", "rsqrt"])
def test_estimates_are_good_to_seven_bits(name: str) -> None:
    x = np.exp(np.linspace(-80, 80, 20001)).astype(np.float32)
    wanted = 1 / x.astype(np.float64) if name == "reciprocal" else x.astype(np.float64) ** -0.5
    got = OPERATIONS[f"{name}_estimate"].evaluate(x).astype(np.float64)
    assert np.max(np.abs(got / wanted - 1)) < 2.0**-7


@pytest.mark.parametrize("type_", FLOATS, ids=str)
def test_constants_keep_their_bits(type_: ElementType) -> None:
    for number in (0.0, -0.0, 1.5, math.inf, -math.inf, 1e-40, 1e300):
        bits = value_to_bits(number, type_)
        assert value_to_bits(bits_to_value(bits, type_), type_) == bits
    assert math.isnan(bits_to_value(value_to_bits(math.nan, type_), type_))
