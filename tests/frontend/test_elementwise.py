"""Every supported ufunc means what NumPy computes, in NumPy's result type."""

# Kernels as users write them, without types for locals and lambdas.
# pyright: basic

from collections.abc import Callable
from typing import Any, cast

import ml_dtypes
import numpy as np
import pytest
from jaxtyping import (
    BFloat16,
    Bool,
    Float16,
    Float32,
    Float64,
    Int8,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt64,
)

from oxegg.frontend.elementwise import ELEMENTWISE

TYPES = [BFloat16, Bool, Float16, Float32, Float64, Int8, Int32, Int64, UInt8, UInt16]
UNSPECIFIED = {("reciprocal", t) for t in (Bool, UInt8, UInt16)}  # an integer 1 / 0
ELSEWHERE = {"erf", "expit", "clip"}  # of SciPy; np.clip is a function


def defined(ufunc: np.ufunc, types: tuple[Any, ...]) -> bool:
    """Whether NumPy has the ufunc for these types, with a result that oxegg has."""
    try:
        result = ufunc(*(np.ones(1, np.dtype(t.dtypes[0])) for t in types))
    except TypeError:
        return False
    return result.dtype.kind in "biuf" or result.dtype == ml_dtypes.bfloat16


NAMES = [name for name in sorted(ELEMENTWISE) if name not in ELSEWHERE]


@pytest.mark.parametrize("name", NAMES)
def test_ufunc_for_all_types(agree: Callable[..., Any], name: str) -> None:
    ufunc: np.ufunc = getattr(np, name)
    checked = 0
    for type_ in TYPES:
        if not defined(ufunc, (type_,) * ufunc.nin) or (name, type_) in UNSPECIFIED:
            continue
        array = cast(Any, type_)[np.ndarray, "n=40"]
        if ufunc.nin == 1:
            agree(lambda x: ufunc(x), array)
        else:
            agree(lambda x, y: ufunc(x, y), array, array)
        checked += 1
    assert checked > 0


F, INTEGERS = Float32[np.ndarray, "n=40"], Int32[np.ndarray, "n=40"]
H, B = Float16[np.ndarray, "n=40"], UInt8[np.ndarray, "n=40"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x**2,
        lambda x: x**5,
        lambda x: x**0.5,
        lambda x: x**-1.5,
        lambda x: x**0,
        lambda x: np.power(x, np.float32(3)),
        lambda x: 2.0**x,
        lambda x: 3**x,
        lambda x: np.float32(1.5) ** x,
        lambda x: np.clip(x, -1, 1),
        lambda x: np.clip(x, None, 0.5),
        lambda x: x.clip(min=0),
        lambda x: np.clip(x, -x, x * 2),
        lambda x: np.round(x, 2),
        lambda x: x.round(),
        lambda x: np.nan_to_num(np.log(x)),
        lambda x: np.sign(np.sqrt(x)),
        lambda x: np.where(x > 0, x, 0),
        lambda x: np.where(x > 0, 1.0, x.astype(np.float64)),
        lambda x: np.where(x, 1, 2),
        lambda x: np.select([x > 1, x > 0], [x, 2 * x], -1),
        lambda x: np.select([x > 1, x > 0], [x, np.int32(3)]),
        lambda x: np.copysign(1, x) + np.abs(-x) - (+x),
        lambda x: divmod(x, 0.75),
        lambda x: (x // 0.3, x % -0.3, 7.5 % x),
        lambda x: np.maximum(x, np.float64(0)),
        lambda x: x.astype(np.int32).astype(np.uint8),
        lambda x: x.view(np.int32) >> 23,
        lambda x: np.add(x, 1, dtype=np.float64),
        lambda x: np.multiply.outer(x, x),
    ],
)
def test_float_expressions(agree: Callable[..., Any], function: Callable[..., Any]) -> None:
    agree(function, F)


@pytest.mark.parametrize(
    "function",
    [
        lambda b, i: b + 1,
        lambda b, i: b * np.uint8(3),
        lambda b, i: b + i,
        lambda b, i: b / 2,
        lambda b, i: i // 7 + i % 7,
        lambda b, i: (i // b, i % b),
        lambda b, i: b << 3,
        lambda b, i: i >> b,
        lambda b, i: 1 << b,
        lambda b, i: (b > 300, b < 300, b == -1, b != 256, b > -1),
        lambda b, i: (b & 15) | (b ^ 3),
        lambda b, i: ~b,
        lambda b, i: -i,
        lambda b, i: i**3,
        lambda b, i: (b > 10) + (i > 0),
        lambda b, i: (b > 10) * i,
        lambda b, i: (b > 10) * 1.5,
        lambda b, i: (b > 10) & (i > 3) | ~(i == 5),
        lambda b, i: np.clip(b, 10, 300),
        lambda b, i: np.clip(b, -5, 20),
        lambda b, i: np.bitwise_count(i),
        lambda b, i: np.exp(b),
        lambda b, i: np.where(i > 0, b, i),
        lambda b, i: np.minimum(b, 7) - np.int64(3),
        lambda b, i: np.logical_and(b, i),
        lambda b, i: True & (b > 1),
        lambda b, i: b.astype(np.float16) * 0.1,
        lambda b, i: np.round(i),
    ],
)
def test_integer_expressions(agree: Callable[..., Any], function: Callable[..., Any]) -> None:
    agree(function, B, INTEGERS)


def test_int64_compares_with_uint64(agree: Callable[..., Any]) -> None:
    signed, unsigned = Int64[np.ndarray, "m=150 one=1"], UInt64[np.ndarray, "n=90"]
    agree(lambda i, u: (i < u, i <= u, i > u, i >= u, i == u, i != u), signed, unsigned)
    agree(lambda i, u: (u < i, u <= i, u > i, u >= i, u == i, u != i), signed, unsigned)


def test_half_precision_with_python_and_numpy_scalars(agree: Callable[..., Any]) -> None:
    agree(lambda h: (h + 1.5, h * np.float32(2), h + np.int32(1), h > 0.1), H)
    agree(
        lambda h: (np.clip(h, -1, 1), h.clip(max=0.5), np.clip(h, h, 2 * h), np.clip(h, None, h)),
        BFloat16[np.ndarray, "n=40"],
    )
    agree(
        lambda h: (h + 1, h + 1.5, h * np.float32(2), h.sum(), h.mean(), h > 0.5),
        BFloat16[np.ndarray, "n=40"],
    )


def test_ufuncs_from_scipy_by_name(agree: Callable[..., Any]) -> None:
    special = pytest.importorskip("scipy.special")
    agree(lambda x: (special.erf(x), special.expit(x)), F)
