"""Reductions, scans and products mean what NumPy computes, in NumPy's result type."""

# Kernels as users write them, without types for locals and lambdas.
# pyright: basic

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jaxtyping import BFloat16, Bool, Float16, Float32, Float64, Int8, Int32, UInt8, UInt64

ALL_TYPES = [BFloat16, Bool, Float16, Float32, Float64, Int8, Int32, UInt8, UInt64]
X, Y = Float32[np.ndarray, "a=4 b=6"], Float32[np.ndarray, "b=6 c=5"]

ANY_TYPE = [
    lambda x: x.sum(),
    lambda x: x.sum(axis=0),
    lambda x: np.prod(x[:2], axis=0),
    lambda x: x.max(axis=1),
    lambda x: np.min(x, axis=0, keepdims=True),
    lambda x: x.mean(),
    lambda x: x.mean(axis=1),
    lambda x: x.var(axis=0),
    lambda x: x.std(),
    lambda x: x.any(axis=0),
    lambda x: np.all(x, axis=1),
    lambda x: x.argmax(axis=1),
    lambda x: np.argmin(x),
    lambda x: np.cumsum(x, axis=0),
    lambda x: np.cumprod(x[:, :2], axis=1),
    lambda x: np.count_nonzero(x, axis=0),
    lambda x: x @ x.T,
    lambda x: np.dot(x[0], x[1]),
    lambda x: np.maximum.accumulate(x, axis=1),
    lambda x: np.add.reduce(x),
    lambda x: np.sum(x, dtype=np.float32),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ANY_TYPE)))
@pytest.mark.parametrize("type_", ALL_TYPES, ids=lambda t: t.__name__)
def test_all_types(agree: Callable[..., Any], type_: Any, number: int) -> None:
    function, array = ANY_TYPE[number], type_[np.ndarray, "n=4 m=5"]
    if defined(function, np.dtype(type_.dtypes[0])):
        agree(function, array)


def defined(function: Callable[..., Any], dtype: np.dtype) -> bool:
    try:
        function(np.ones((4, 5), dtype))
    except TypeError:
        return False
    return True


FLOATS = [
    lambda x, y: x.sum(axis=(0, 1)),
    lambda x, y: np.sum(x, axis=-1, keepdims=True) / x,
    lambda x, y: x.sum(axis=0, initial=3),
    lambda x, y: x.max(initial=1, axis=0),
    lambda x, y: x.sum(where=x > 0),
    lambda x, y: x.min(axis=1, where=x > 0, initial=9),
    lambda x, y: np.ptp(x, axis=1),
    lambda x, y: np.average(x, axis=0),
    lambda x, y: x.var(axis=1, ddof=1, keepdims=True),
    lambda x, y: np.std(x, dtype=np.float64),
    lambda x, y: np.mean(x, dtype=np.float64, keepdims=True),
    lambda x, y: np.linalg.norm(x) + np.linalg.norm(x, axis=1).sum(),
    lambda x, y: np.diff(x) + np.diff(x, axis=0)[:1, :5],
    lambda x, y: np.diff(x, n=2),
    lambda x, y: np.argmax(x, axis=0, keepdims=True) + x,
    lambda x, y: np.logical_or.reduce(x > 1, axis=1),
    lambda x, y: np.multiply.reduce(x, axis=1),
    lambda x, y: np.fmax.reduce(x, axis=1),
    lambda x, y: np.bitwise_xor.reduce(x.view(np.int32), axis=0),
    lambda x, y: np.cumsum(x),
    lambda x, y: np.cumsum(x[:, ::-1], axis=1)[:, ::-1],
    lambda x, y: np.exp(x - x.max(axis=1, keepdims=True)).cumsum(axis=1),
    lambda x, y: x @ y,
    lambda x, y: np.matmul(y.T, x.T).T,
    lambda x, y: x @ y @ y.T,
    lambda x, y: x[0] @ y,
    lambda x, y: x @ y[:, 0],
    lambda x, y: x[0] @ y[:, 0],
    lambda x, y: x[None] @ np.stack([y, y * 2]),
    lambda x, y: np.vecdot(x, y[:, 0]),
    lambda x, y: np.matvec(x, y[:, 0]) + np.vecmat(x[:, 0], x @ y)[:4],
    lambda x, y: np.dot(x, y) + np.dot(np.float32(2), x)[:, :5],
    lambda x, y: np.dot(x, np.stack([y, y])),
    lambda x, y: np.vdot(x, y.T[:4]),
    lambda x, y: np.inner(x, y.T),
    lambda x, y: np.outer(x[0], y[0]),
    lambda x, y: np.tensordot(x, y, 1),
    lambda x, y: np.tensordot(x, y, ([1], [0])) + np.tensordot(x, y[:, :4], 0)[0, 0, 0, 0],
    lambda x, y: np.tensordot(x, y[:, :4], ([0, 1], [1, 0])),
    lambda x, y: np.einsum("ab,bc->ac", x, y),
    lambda x, y: np.einsum("ab,bc", x, y),
    lambda x, y: np.einsum("ba", x),
    lambda x, y: np.einsum("ab->", x),
    lambda x, y: np.einsum("ab,ab->a", x, x),
    lambda x, y: np.einsum("ab,cb,bd->acd", x, x, y),
    lambda x, y: np.einsum("...b,b...->...", x, y[:, :4]),
    lambda x, y: np.einsum("i...->...i", x),
    lambda x, y: np.einsum("aa->a", x[:, :4]),
    lambda x, y: np.einsum("aa", x[:, 1:5] * x[:, :4]),
    lambda x, y: np.convolve(x[0], y[:3, 0]),
    lambda x, y: np.convolve(y[:3, 0], x[0], mode="same"),
    lambda x, y: np.convolve(x[0], y[:3, 0], "valid"),
    lambda x, y: np.correlate(x[0], y[:3, 0]),
    lambda x, y: np.correlate(x[0], y[:, 0], "full"),
    lambda x, y: np.cross(x[:, :3], x[:, 3:]),
    lambda x, y: (x[:, :, None] * y[None]).sum(axis=1) - x @ y,
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(FLOATS)))
def test_floats(agree: Callable[..., Any], number: int) -> None:
    agree(FLOATS[number], X, Y)


def test_argmax_counts_a_nan_as_the_largest() -> None:
    from oxegg.frontend import lower
    from oxegg.ir import run_kernel

    def kernel(x: Float32[np.ndarray, "n=6"]):
        return np.argmax(x), np.argmin(x), np.max(x)

    for row in ([1, np.nan, 5, np.nan, 2, 0], [1, 5, 5, 0, 0, 1], [-np.inf] * 6):
        x = np.array(row, np.float32)
        for got, wanted in zip(run_kernel(lower(kernel), {"x": x}), kernel(x), strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_half_precision_sums_are_as_precise_as_numpys(agree: Callable[..., Any]) -> None:
    """A sum of 3000 rounded in half precision at each step would stop at 2048."""
    ones = Float16[np.ndarray, "n=3000"]
    agree(lambda x: ((x * 0 + 1).sum(), (x * 0 + 1) @ (x * 0 + 1)), ones)
