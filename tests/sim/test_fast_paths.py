"""The simulator's fast paths against the slow ones that they stand in for."""

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from oxegg.costmodels import load_machine
from oxegg.isa import VType
from oxegg.sim import Buffer, call, ieee
from oxegg.sim.host_float import (
    bits64,
    fma32_array,
    fma64,
    fma64_array,
    from_bits64,
    larger,
    minimum_number,
    smaller,
)
from oxegg.sim.vector_memory import Access
from tests.sim.programs import RETURN, Line, assemble

Floats = npt.NDArray[np.float32]
SPECIAL = [0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan, 5e-324, -2.2250738585072014e-308,
           1.7976931348623157e308, 1e-160, -1e160, 2.0**-126, -(2.0**-149), 2.0**-400]  # fmt: skip


def _rounded_once(a: Floats, b: Floats, c: Floats) -> Floats:
    """a * b + c with every inexact sum rounded to odd first, suspicious or not."""
    product = a.astype(np.float64) * b
    total = product + c
    part = total - product
    error = (product - (total - part)) + (c - part)
    bits = total.view(np.int64)
    inexact = ((error > 0) | (error < 0)) & (bits & 1 == 0)
    bits += np.where(inexact, np.where((error > 0) == (total > 0), 1, -1), 0)
    return total.astype(np.float32)


def _near_midpoints(rng: np.random.Generator, exponents: tuple[int, int]) -> tuple[Floats, ...]:
    """Products on or beside midpoints of binary32 (or exact), and addends that tip the balance."""
    n = 20_000
    steps = rng.integers(0, 64, n)
    scale = np.ldexp(1.0, rng.integers(*exponents, n))
    a = ((1 + steps * 2.0**-12) * scale).astype(np.float32)
    b = ((1 + rng.integers(0, 64, n) * 2.0**-12) * rng.choice([-1, 1], n)).astype(np.float32)
    small = np.ldexp(1.0, rng.integers(-90, -20, n))
    c = (rng.choice([-1, 0, 1], n) * scale * small).astype(np.float32)
    return a, b, c


@pytest.mark.parametrize("exponents", [(-30, -20), (-3, 3), (100, 128)])
def test_fma32_rounds_once_beside_midpoints(exponents: tuple[int, int]):
    a, b, c = _near_midpoints(np.random.default_rng(7), exponents)
    with np.errstate(all="ignore"):
        want = _rounded_once(a, b, c)
        got = fma32_array(a, b, c).astype(np.float32)
        naive = (a.astype(np.float64) * b + c).astype(np.float32)
    assert np.array_equal(got.view(np.uint32), want.view(np.uint32))
    assert (naive != want).any()  # so that the vectors really are adversarial


def test_fma32_rounds_once_on_random_bits_and_small_numbers():
    rng = np.random.default_rng(8)
    bits = rng.integers(0, 1 << 32, (3, 100_000), np.uint64).astype(np.uint32)
    bits[:, ::3] &= np.uint32(0xFFFF_0000)
    near = rng.integers(-8, 9, (3, 50_000)) * np.ldexp(1.0, rng.integers(-75, -70, (3, 50_000)))
    operands = np.concatenate((bits.view(np.float32), near.astype(np.float32)), axis=1)
    operands[2, -25_000:] *= np.float32(2.0**-70)
    a, b, c = operands
    with np.errstate(all="ignore"):
        want, got = _rounded_once(a, b, c), fma32_array(a, b, c).astype(np.float32)
    nan = np.isnan(want)
    assert np.array_equal(nan, np.isnan(got))
    assert np.array_equal(got[~nan].view(np.uint32), want[~nan].view(np.uint32))


def test_fma32_rounds_once_into_the_subnormals():
    # The product is a little under half of the smallest number; the sum in binary64 loses that.
    a, b = np.float32((1 + 2**-23) * 2.0**-75), np.float32((1 - 2**-23) * 2.0**-75)
    c = (np.arange(-40, 40) + np.where(np.arange(80) < 40, -(2**21), 2**21)) * 2.0**-149
    c = c.astype(np.float32)
    got = fma32_array(np.full(80, a), np.full(80, b), c).astype(np.float32)
    assert got.tolist() == c.tolist()
    assert (c.astype(np.float64) + float(a) * float(b)).astype(np.float32).tolist() != c.tolist()


def test_fma64_agrees_with_exact_arithmetic_where_operands_are_zero_or_extreme():
    grid = np.stack(np.meshgrid(SPECIAL, SPECIAL, SPECIAL)).reshape(3, -1)
    a, b, c = grid
    with np.errstate(all="ignore"):
        got = fma64_array(a, b, c)
    for i in range(a.size):
        want = fma64(float(a[i]), float(b[i]), float(c[i]))
        assert bits64(float(got[i])) == bits64(want) or (want != want and got[i] != got[i])


@pytest.mark.parametrize("largest", [False, True])
def test_minimum_and_maximum_agree_with_the_reference(largest: bool):
    fold, one = (ieee.fmax, larger) if largest else (ieee.fmin, smaller)
    a, b = np.stack(np.meshgrid(SPECIAL, SPECIAL)).reshape(2, -1)
    got = minimum_number(a, b, largest)
    for x, y, z in zip(a.tolist(), b.tolist(), got.tolist(), strict=True):
        want = from_bits64(fold(ieee.DOUBLE, bits64(x), bits64(y)))
        for result in (z, one(x, y)):
            assert bits64(result) == bits64(want) or (want != want and result != result)


def _access_program(name: str, masked: bool, width: int) -> list[Line]:
    """One access at a0 with stride or indices from a1, on registers filled from a2."""
    setup: list[Line] = [
        ("addi", 5, 0, 256), ("vsetvli", 6, 5, VType(8, Fraction(8)).encode()),
        ("vle8.v", 16, 12), ("vle8.v", 0, 12),
        ("addi", 5, 0, 13), ("vsetvli", 6, 5, VType(width, Fraction(1)).encode()),
        ("vle16.v", 4, 13),
    ]  # fmt: skip
    second = 4 if "x" in name else 11
    load: list[Line] = [(name, 16, 10, second, masked)]
    back: list[Line] = [("vs8r.v", 16, 14)]
    return [*setup, *load, *load, *back, RETURN]


ACCESSES = (
    "vlse16.v", "vsse16.v", "vluxei16.v", "vsuxei16.v",
    "vlsseg3e16.v", "vssseg3e16.v", "vluxseg2ei16.v", "vsuxseg2ei16.v",
)  # fmt: skip


@pytest.mark.parametrize("place", ["spm", "dram"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ACCESSES)
def test_array_accesses_agree_with_the_line_by_line_path(
    name: str, masked: bool, place: str, monkeypatch: pytest.MonkeyPatch
):
    rng = np.random.default_rng(9)
    code = assemble(_access_program(name, masked, 16))
    data = rng.integers(0, 1 << 16, 2000).astype(np.uint16)
    where = "dram" if place == "dram" else "spm"
    indices = (rng.integers(0, 300, 32) * 2).astype(np.uint16)
    fill = rng.integers(0, 256, 4096).astype(np.uint8)

    def results(stride: int, offset: int) -> tuple[object, ...]:
        arguments = [Buffer(data, where, offset=offset), stride, Buffer(fill),
                     Buffer(indices, where), Buffer(4096)]  # fmt: skip
        shifted = call(code, load_machine("ox-card"), arguments)
        return shifted.cycles, [array.tolist() for array in shifted.arrays]

    # A buffer that doesn't start on a line has no certain first line.
    cases = [(stride, offset) for stride in (2, 4, 6, 64, 130, 0) for offset in (0, 2)]
    fast = [results(*case) for case in cases]

    def slow(
        self: Access, addresses: npt.NDArray[np.int64], size: int, *, write: bool
    ) -> npt.NDArray[np.int64]:
        self.line_by_line(addresses.view(np.uint64), size, write=write)
        return addresses

    def uncertain(self: Access, start: int, stop: int) -> bool:
        del self, start, stop
        return False

    monkeypatch.setattr(Access, "scattered", slow)
    monkeypatch.setattr(Access, "certain", uncertain)
    assert fast == [results(*case) for case in cases]
