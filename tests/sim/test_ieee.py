"""Exact arithmetic against the host, and the fast paths against exact arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest

from oxegg.sim import ieee
from oxegg.sim.host_float import (
    bits64,
    fma32,
    fma32_array,
    fma64,
    fma64_array,
    from_bits64,
    minimum_number,
    to_int_array,
)

SPECIAL = [0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan, 5e-324, -2.2250738585072014e-308,
           1.7976931348623157e308, 1e-160, -1e160, 3.0, 2.0**-126, 2.0**-149]  # fmt: skip


def _same(a: float, b: float) -> bool:
    return (a != a and b != b) or bits64(a) == bits64(b)


@pytest.mark.parametrize("operation", ["fadd", "fsub", "fmul", "fdiv"])
def test_exact_arithmetic_agrees_with_the_host(operation: str):
    rng = np.random.default_rng(4)
    host = {"fadd": np.add, "fsub": np.subtract, "fmul": np.multiply, "fdiv": np.divide}[operation]
    random = rng.integers(0, 1 << 64, (300, 2), np.uint64).view(np.float64)
    pairs = [(a, b) for a in SPECIAL for b in SPECIAL] + [tuple(row) for row in random.tolist()]
    with np.errstate(all="ignore"):
        for a, b in pairs:
            exact = getattr(ieee, operation)(ieee.DOUBLE, bits64(a), bits64(b), 0)
            assert _same(from_bits64(exact), float(host(a, b))), (operation, a, b)


def test_every_half_converts_to_an_integer_and_back():
    for bits in range(0, 1 << 16, 7):
        value = float(np.array([bits], np.uint16).view(np.float16)[0])
        for mode, rounding in ((0, round), (1, math.trunc), (2, math.floor), (3, math.ceil)):
            got = ieee.to_int(ieee.HALF, bits, 64, True, mode)
            if math.isfinite(value):
                assert got == rounding(value)


def test_fma32_adversarial_vectors_round_once():
    # (1 + 2^-12)^2 lies on a midpoint of binary32 but for the addend: rounding twice errs.
    a = np.float32(1 + 2**-12)
    for sign in (1, -1):
        c = np.float32(sign * 2.0**-80)
        exact = Fraction(float(a)) ** 2 + Fraction(float(c))
        low, high = np.float32(1 + 2**-11), np.nextafter(np.float32(1 + 2**-11), np.float32(2))
        nearest = min((low, high), key=lambda v: abs(Fraction(float(v)) - exact))
        array = fma32_array(np.array([a]), np.array([a]), np.array([c])).astype(np.float32)
        assert array[0] == nearest == np.float32(fma32(float(a), float(a), float(c)))
        naive = np.float32(float(a) * float(a) + float(c))
        assert naive == low  # so that the case really is one


@pytest.mark.parametrize("width", [16, 32])
def test_narrow_fma_is_exact_for_all_classes_of_operands(width: int):
    rng = np.random.default_rng(width)
    kind, form = np.dtype(f"u{width // 8}"), ieee.FORMATS[width]
    bits = rng.integers(0, 1 << width, (3, 4000), np.uint64).astype(kind)
    # Close exponents make cancellation and ties likely.
    near = rng.integers(0, 4, (3, 4000)).astype(kind) << kind.type(form.precision - 1)
    bits[:, ::2] = near[:, ::2] + kind.type(form.bias << (form.precision - 1))
    bits[:, ::4] |= rng.integers(0, 8, bits[:, ::4].shape).astype(kind)
    a, b, c = bits.view(f"f{width // 8}")
    with np.errstate(all="ignore"):
        got = fma32_array(a, b, c).astype(a.dtype).view(kind)
    for i in range(4000):
        want = ieee.fma(form, int(bits[0, i]), int(bits[1, i]), int(bits[2, i]), 0)
        assert form.is_nan(int(got[i])) if form.is_nan(want) else int(got[i]) == want


def test_fma64_agrees_with_exact_arithmetic():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(2, 500))
    c = -a * b * (1 + rng.integers(-2, 3, 500) * 2.0**-52)
    special = np.array(SPECIAL)
    grid = np.stack(np.meshgrid(special, special, special)).reshape(3, -1)
    a, b, c = np.concatenate(([a, b, c], grid), axis=1)
    with np.errstate(all="ignore"):
        got = fma64_array(a, b, c)
    for i in range(len(a)):
        assert _same(float(got[i]), fma64(float(a[i]), float(b[i]), float(c[i]))), i


def test_fma64_of_safe_numbers_is_the_nearest_double():
    rng = np.random.default_rng(6)
    a, b, c = rng.normal(size=(3, 300))
    got = fma64_array(a, b, c)
    for i in range(300):
        exact = Fraction(a[i]) * Fraction(b[i]) + Fraction(c[i])
        assert float(got[i]) == exact.numerator / exact.denominator


def test_conversions_saturate():
    values = np.array([math.nan, math.inf, -math.inf, 3e9, -3e9, 2.5, -2.5, 2147483647.5])
    assert to_int_array(values, 32, True, False).tolist() == [
        2**31 - 1, 2**31 - 1, -(2**31), 2**31 - 1, -(2**31), 2, -2, 2**31 - 1]  # fmt: skip
    assert to_int_array(values, 64, False, True).tolist() == [
        2**64 - 1, 2**64 - 1, 0, 3_000_000_000, 0, 2, 0, 2147483647]  # fmt: skip


def test_minimum_and_maximum_order_zeros_and_ignore_nan():
    a, b = np.array([0.0, -0.0, math.nan, 1.0]), np.array([-0.0, 0.0, 1.0, math.nan])
    low, high = minimum_number(a, b, False), minimum_number(a, b, True)
    assert np.signbit(low[:2]).tolist() == [True, True]
    assert np.signbit(high[:2]).tolist() == [False, False]
    assert low[2:].tolist() == high[2:].tolist() == [1.0, 1.0]
