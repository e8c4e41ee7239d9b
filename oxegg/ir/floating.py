"""IEEE 754 operations that NumPy lacks: fused multiply-add, conversions, estimates."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir.estimates import reciprocal7, rsqrt7

Array = npt.NDArray[Any]


def fma(a: Array, b: Array, c: Array) -> Array:
    """a * b + c rounded once, in the operands' format.

    Formats up to 32 bits: the product is exact in float64; TwoSum and round-to-odd make the
    second rounding harmless (Boldo and Melquiond, "Emulation of FMA", 2008). float64 itself goes
    through exact rationals.
    """
    a, b, c = np.broadcast_arrays(np.asarray(a), np.asarray(b), np.asarray(c))
    if a.dtype.itemsize == 8:
        out = np.empty(a.shape, np.float64)
        flat = zip(a.ravel().tolist(), b.ravel().tolist(), c.ravel().tolist(), strict=True)
        out.ravel()[:] = [_fma_double(x, y, z) for x, y, z in flat]
        return out
    with np.errstate(all="ignore"):
        product = a.astype(np.float64) * b.astype(np.float64)
        return _add_round_odd(product, c.astype(np.float64)).astype(a.dtype)


def fms(a: Array, b: Array, c: Array) -> Array:
    """a * b - c rounded once."""
    return fma(a, b, -c)


def fnma(a: Array, b: Array, c: Array) -> Array:
    """c - a * b rounded once."""
    return fma(-a, b, c)


def _add_round_odd(p: Array, c: Array) -> Array:
    """p + c in float64, rounded to odd: inexact sums get an odd last bit."""
    s = p + c
    t = s - p
    error = (p - (s - t)) + (c - t)
    bits = s.view(np.int64) if s.ndim else s.reshape(1).view(np.int64)[0]
    inexact = np.isfinite(s) & (error != 0) & ((bits & 1) == 0)
    toward = np.where((error > 0) == (s > 0), 1, -1)
    return np.where(inexact, np.asarray(bits + toward, np.int64).view(np.float64), s)


def _fma_double(x: float, y: float, z: float) -> float:
    if not (np.isfinite(x) and np.isfinite(y) and np.isfinite(z)):
        with np.errstate(all="ignore"):
            if np.isinf(z) and np.isfinite(x) and np.isfinite(y):
                return z
            return float(np.float64(x) * np.float64(y) + np.float64(z))
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    if exact == 0:
        return x * y + z
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return float("inf") if exact > 0 else float("-inf")


def minimum(a: Array, b: Array) -> Array:
    """numpy.minimum, with zeros ordered as IEEE 754-2019 minimum has them: -0 < +0."""
    return _with_zero_sign(np.minimum(a, b), a, b, np.logical_or)


def maximum(a: Array, b: Array) -> Array:
    """numpy.maximum, with zeros ordered as IEEE 754-2019 maximum has them: -0 < +0."""
    return _with_zero_sign(np.maximum(a, b), a, b, np.logical_and)


def _with_zero_sign(
    picked: Array, a: Array, b: Array, either: Callable[[Array, Array], Array]
) -> Array:
    if picked.dtype.kind in "iu":
        return picked
    zero = (a == b) & (a == 0)
    negative = either(np.signbit(a), np.signbit(b))
    signed: Array = np.where(negative, -0.0, 0.0).astype(picked.dtype)
    return np.asarray(np.where(zero, signed, picked), picked.dtype)


def minimum_number(a: Array, b: Array) -> Array:
    """IEEE 754-2019 minimumNumber: a NaN loses, -0 < +0 (RISC-V fmin)."""
    return _select_number(a, b, smaller=True)


def maximum_number(a: Array, b: Array) -> Array:
    """IEEE 754-2019 maximumNumber: a NaN loses, -0 < +0 (RISC-V fmax)."""
    return _select_number(a, b, smaller=False)


def _select_number(a: Array, b: Array, *, smaller: bool) -> Array:
    a, b = np.broadcast_arrays(np.asarray(a), np.asarray(b))
    with np.errstate(invalid="ignore"):
        before = (a < b) | ((a == b) & np.signbit(a) & ~np.signbit(b))
    picked = np.where(before if smaller else ~before, a, b)
    return np.where(np.isnan(a), b, np.where(np.isnan(b), a, picked)).astype(a.dtype)


def copysign(a: Array, b: Array) -> Array:
    """Magnitude of a, sign of b."""
    return np.where(np.signbit(a) == np.signbit(b), a, -a).astype(np.asarray(a).dtype)


def convert(x: Array, dtype: np.dtype[Any]) -> Array:
    """numpy.astype; what NumPy leaves open between floats and integers is as RISC-V's fcvt.

    Floats truncate to int32 (to the type itself where it is wider) and saturate there; 8 and 16
    bits are the low bits of that. NumPy on x86-64 differs where int32 is left.
    """
    x = np.asarray(x)
    if dtype == np.bool_:
        return np.asarray(x != 0)
    if x.dtype == np.bool_ or x.dtype.kind in "iu" or dtype.kind not in "iu":
        with np.errstate(all="ignore"):
            return x.astype(dtype)
    reached = dtype if dtype.itemsize >= 4 else np.dtype(np.int32)
    return _saturate(np.trunc(x.astype(np.longdouble)), reached).astype(dtype)


def round_to_integer(x: Array, dtype: np.dtype[Any]) -> Array:
    """Nearest integer, ties to even, saturating; NaN gives the largest (RISC-V fcvt)."""
    return _saturate(np.rint(np.asarray(x).astype(np.longdouble)), dtype)


def _saturate(wide: Array, dtype: np.dtype[Any]) -> Array:
    info = np.iinfo(dtype)
    with np.errstate(all="ignore"):
        clipped = np.clip(np.nan_to_num(wide, nan=0.0), info.min, info.max)
        whole = clipped.astype(np.uint64 if info.min == 0 else np.int64).astype(dtype)
    return np.where(np.isnan(wide), np.asarray(info.max, dtype), whole).astype(dtype)


def bitcast(x: Array, dtype: np.dtype[Any]) -> Array:
    """The same bits read as another format of the same width."""
    return np.ascontiguousarray(x).view(dtype).reshape(np.shape(x))


def reciprocal_estimate(x: Array) -> Array:
    """RVV 1.0 vfrec7.v: 1/x to 7 bits (section 13.10)."""
    return reciprocal7(np.asarray(x))


def rsqrt_estimate(x: Array) -> Array:
    """RVV 1.0 vfrsqrt7.v: 1/sqrt(x) to 7 bits (section 13.9)."""
    return rsqrt7(np.asarray(x))
