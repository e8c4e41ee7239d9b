"""Sums narrowed to 8 bits on the tensor engine: what may go there, and that it is right."""

# Kernels as users write them, without types for locals and lambdas.
# pyright: basic

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jaxtyping import Int8, Int32, UInt8

import oxegg

Array = np.ndarray[Any, Any]
Kernel = Callable[..., Array]


def product(a: Array, b: Array) -> Array:
    return a.astype(np.int32) @ b.astype(np.int32)


ON_TILES: dict[str, Kernel] = {
    "saturated": lambda a, b: np.clip(product(a, b), -128, 127).astype(np.int8),
    "shifted": lambda a, b: np.clip((product(a, b) + 64) >> 7, -128, 127).astype(np.int8),
    "constants first": lambda a, b: np.clip((4 + product(a, b)) >> 3, -128, 127).astype(np.int8),
    "shifted, with ReLU": lambda a, b: np.clip((product(a, b) + 64) >> 7, 0, 127).astype(np.int8),
    "ReLU, then shifted": lambda a, b: np.clip(
        (np.maximum(product(a, b), 0) + 64) >> 7, -128, 127
    ).astype(np.int8),
    "ReLU, then saturated": lambda a, b: np.minimum(
        np.maximum(product(a, b), 0), 127
    ).astype(np.int8),
}
ELSEWHERE: dict[str, Kernel] = {
    "other limits": lambda a, b: np.clip((product(a, b) + 64) >> 7, -100, 127).astype(np.int8),
    "rounded down": lambda a, b: np.clip(product(a, b) >> 7, -128, 127).astype(np.int8),
    "another half": lambda a, b: np.clip((product(a, b) + 63) >> 7, -128, 127).astype(np.int8),
}


@pytest.mark.parametrize("shape", [(32, 64, 32), (17, 36, 20)], ids=str)
@pytest.mark.parametrize("name", ON_TILES)
def test_tiles_requantize(name: str, shape: tuple[int, int, int]) -> None:
    kernel, arrays = _compiled(ON_TILES[name], shape)
    assert "ox.trq.b" in kernel.assembly
    np.testing.assert_array_equal(kernel(*arrays), ON_TILES[name](*arrays))


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_the_instruction_does_not_compute(name: str) -> None:
    kernel, arrays = _compiled(ELSEWHERE[name], (32, 64, 32))
    assert "ox.trq.b" not in kernel.assembly
    np.testing.assert_array_equal(kernel(*arrays), ELSEWHERE[name](*arrays))


@pytest.mark.parametrize("start", ["input", "product"])
def test_sums_that_may_wrap_around_stay_in_32_bits(start: str) -> None:
    """The instruction adds in 64 bits: with a start of any size that would be another result."""

    def biased(
        a: Int8[Array, "m=16 k=64"], b: Int8[Array, "k=64 n=16"], c: Int32[Array, "m=16 n=16"]
    ):
        return np.clip((product(a, b) + c + 128) >> 8, -128, 127).astype(np.int8)

    kernel = oxegg.compile(biased, machine="ox-card")
    rng = np.random.default_rng(7)
    a, b = (rng.integers(-128, 128, s).astype(np.int8) for s in ((16, 64), (64, 16)))
    ends = [2**31 - 1, -(2**31), 2**31 - 200, 0]
    c = (rng.choice(ends, (16, 16)) if start == "input" else product(a, b)).astype(np.int32)
    np.testing.assert_array_equal(kernel(a, b, c), biased(a, b, c))


def test_unsigned_factors() -> None:
    def layer(a: UInt8[Array, "m=32 k=64"], b: Int8[Array, "k=64 n=32"]):
        return np.clip((product(a, b) + 128) >> 8, -128, 127).astype(np.int8)

    kernel = oxegg.compile(layer, machine="ox-edge")
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 256, (32, 64)).astype(np.uint8), rng.integers(-128, 128, (64, 32))
    assert "ox.trq.b" in kernel.assembly
    np.testing.assert_array_equal(kernel(a, b.astype(np.int8)), layer(a, b.astype(np.int8)))


def _compiled(function: Kernel, shape: tuple[int, int, int]) -> tuple[Any, list[Array]]:
    m, k, n = shape

    def kernel(a, b):
        return function(a, b)

    kernel.__annotations__ = {
        "a": Int8[Array, f"m={m} k={k}"], "b": Int8[Array, f"k={k} n={n}"]
    }  # fmt: skip
    rng = np.random.default_rng(5)
    arrays = [rng.integers(-128, 128, s).astype(np.int8) for s in ((m, k), (k, n))]
    return oxegg.compile(kernel, machine="ox-card"), arrays


def test_products_one_after_the_other_set_the_shape_once() -> None:
    def chain(
        a: Int8[Array, "n=16 n=16"], b: Int8[Array, "n=16 n=16"], c: Int8[Array, "n=16 n=16"]
    ):
        return product(np.clip(product(a, b), -128, 127).astype(np.int8), c)

    kernel = oxegg.compile(chain, machine="ox-card")
    assert kernel.assembly.count("# ox.tset") == 3
    rng = np.random.default_rng(2)
    a, b, c = (rng.integers(-128, 128, (16, 16)).astype(np.int8) for _ in range(3))
    np.testing.assert_array_equal(kernel(a, b, c), chain(a, b, c))
