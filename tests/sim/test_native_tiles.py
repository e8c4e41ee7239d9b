"""Products of float tiles in native code against the array code, special values included."""

import numpy as np
import pytest

from oxegg.isa import TABLE
from oxegg.sim import tile_operations
from oxegg.sim.host_float import fma32_array
from oxegg.sim.native_tiles import float_product
from tests.sim.test_tiles import check_against_the_record

pytest.importorskip("llvmlite")


def test_the_sign_of_a_zero_is_the_sum_s():
    product = float_product()
    assert product is not None
    negative, zero = np.full((1, 1), -0.0, np.float32), np.zeros((1, 1), np.float32)
    assert np.signbit(product(negative, zero, negative))[0, 0]
    assert not np.signbit(product(negative, zero, zero))[0, 0]


@pytest.mark.parametrize(("m", "n", "k"), [(16, 16, 16), (3, 5, 7), (1, 17, 2), (4, 32, 1)])
def test_products_round_once_a_step(m: int, n: int, k: int):
    rng = np.random.default_rng(m + n + k)
    bits = [rng.integers(0, 1 << 32, shape, np.uint32) for shape in ((m, k), (n, k), (m, n))]
    # Close exponents: sums that cancel and ties; and patterns of any kind, NaN among them.
    for near in (True, False):
        a, b, c = ((x & 0x007F_FFFF | 0x3F80_0000 if near else x).view(np.float32) for x in bits)
        product = float_product()
        assert product is not None
        with np.errstate(all="ignore"):
            expected = c.copy()
            for step in range(k):
                pair = a[:, step, None], b[None, :, step]
                expected = fma32_array(*pair, expected).astype(np.float32)
            found = product(a, b, c)
            assert np.array_equal(np.isnan(found), np.isnan(expected))
            numbers = ~np.isnan(expected)
            # Bits, so that the signs of zeros count.
            assert found[numbers].tobytes() == expected[numbers].tobytes()


@pytest.mark.parametrize("name", ["ox.mm.f32", "ox.mm.bf16", "ox.mm.f16", "ox.mm.e4m3"])
def test_hot_products_are_those_of_the_record(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tile_operations, "HOT_PRODUCTS", 0)
    check_against_the_record(TABLE[name], (7, 5, 12), np.random.default_rng(1))
