"""RISC-V float arithmetic on the host's binary32 and binary64, round to nearest even.

The host agrees with RISC-V on the value of ``+ - * / sqrt`` and of conversions between formats; NaN
results are made canonical where they are written. Host fused multiply-add is not reachable from
Python 3.11, so it is built here from error-free transforms with rounding to odd (Boldo and
Melquiond, "Emulation of FMA and correctly rounded sums", IEEE TC 2008); where intermediate
results could overflow or underflow, ``ieee`` computes with integers.
"""

import math
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.sim import ieee

Array = npt.NDArray[Any]
NAN = math.nan
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)

# |x| in this range: no product of two and no error term overflows or underflows.
SAFE_LOW, SAFE_HIGH = 2.0**-400, 2.0**400
SPLITTER = 134217729.0  # 2^27 + 1 cuts a binary64 into two halves of 26 bits
# The low 28 bits of a binary64 are zero in every midpoint between two binary32 (or binary16),
# so its little-endian bytes contain these.
MIDPOINT_MASK = np.array([0x0FFF_FFFF], np.uint64)
MIDPOINT_BYTES = b"\0\0\0"
# Midpoints between two normal binary32 have this pattern below the last bit that is kept.
BELOW_SINGLE, HALF_OF_SINGLE = np.array([[0x1FFF_FFFF], [0x1000_0000]], np.uint64)
SMALLEST_NORMAL_SINGLE = 2.0**-126


def bits64(value: float) -> int:
    """Bit pattern of a binary64."""
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def from_bits64(bits: int) -> float:
    """The binary64 with these bits."""
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def divide(a: float, b: float) -> float:
    """a / b with IEEE results for zero divisors."""
    if b != 0.0:
        return a / b
    return NAN if a == 0.0 or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)


def square_root(a: float) -> float:
    """Square root, NaN for negative arguments."""
    return math.sqrt(a) if a >= 0.0 else a if a == 0.0 else NAN


def fma32(a: float, b: float, c: float) -> float:
    """A binary64 that rounds to the binary32 nearest to a * b + c; arguments are binary32."""
    product = a * b
    total = product + c
    part = total - product
    error = (product - (total - part)) + (c - part)
    # An even last bit with an error could be a false midpoint; one ulp towards the error isn't.
    if error and error == error and not bits64(total) & 1:
        return math.nextafter(total, math.copysign(math.inf, error))
    return total


def fma64(a: float, b: float, c: float) -> float:
    """The binary64 nearest to a * b + c."""
    return from_bits64(ieee.fma(ieee.DOUBLE, bits64(a), bits64(b), bits64(c), ieee.NEAREST_EVEN))


def fma32_array(a: Array, b: Array, c: Array) -> Array:
    """Elementwise a * b + c in binary64, such that one more rounding to the format of ``c``
    (binary32 or binary16, like all arguments) gives the correctly rounded result."""
    product = np.multiply(a, b, dtype=F64)
    total = product + c
    # Rounding twice errs only if the first rounding ends, inexactly, on a midpoint. A search in
    # the bytes is the cheapest way to see that there is none.
    if MIDPOINT_BYTES in total.tobytes():
        suspicious = _midpoints32(total) if c.dtype == F32 else _midpoints16(total)
        if np.count_nonzero(suspicious):
            error = _sum_error(product, c.astype(F64), total)
            away = (error > 0) == (total > 0)
            nudge = suspicious & ((error > 0) | (error < 0))
            bits = total.view(np.uint64)
            bits += np.where(nudge, np.where(away, 1, -1), 0).astype(np.int64).view(np.uint64)
    return total


def _midpoints32(total: Array) -> Array:
    """Where binary64 numbers lie halfway between two binary32."""
    below = total.view(np.uint64) & BELOW_SINGLE
    midpoints = below == HALF_OF_SINGLE
    tiny = np.abs(total) < SMALLEST_NORMAL_SINGLE
    if np.count_nonzero(tiny):
        # Subnormals keep fewer bits: their midpoints have only zeros here.
        midpoints |= tiny & (below == 0) & (total != 0)
    return midpoints


def _midpoints16(total: Array) -> Array:
    """Where binary64 numbers may lie halfway between two binary16."""
    return (total.view(np.uint64) & MIDPOINT_MASK) == 0


def _sum_error(a: Array, b: Array, total: Array) -> Array:
    """The exact value of a + b - total, where total = fl(a + b) is finite."""
    part = total - a
    return (a - (total - part)) + (b - part)


def _odd_sum(a: Array, b: Array) -> Array:
    """a + b rounded to odd."""
    total = a + b
    error = _sum_error(a, b, total)
    bits = total.view(np.int64)
    inexact = ((error > 0) | (error < 0)) & (bits & 1 == 0)
    away = (error > 0) == (total > 0)
    bits += np.where(inexact, np.where(away, 1, -1), 0)
    return total


def _product_error(a: Array, b: Array, product: Array) -> Array:
    """The exact value of a * b - product (Dekker)."""
    a_big, b_big = SPLITTER * a, SPLITTER * b
    a_high, b_high = a_big - (a_big - a), b_big - (b_big - b)
    a_low, b_low = a - a_high, b - b_high
    return a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


def fma64_array(a: Array, b: Array, c: Array) -> Array:
    """Elementwise a * b + c on binary64 with one rounding."""
    a, b, c = np.broadcast_arrays(a, b, c)
    product = a * b
    high = c + (low := _product_error(a, b, product))
    high_error = _sum_error(c, low, high)
    total = product + high
    total_error = _sum_error(product, high, total)
    result = total + _odd_sum(total_error, high_error)
    magnitudes = np.abs(np.stack((a, b, c)))
    safe = ((magnitudes >= SAFE_LOW) & (magnitudes <= SAFE_HIGH)).all(axis=0)
    if np.count_nonzero(safe) < safe.size:
        # One of the two roundings of product + c is none, or no rounding matters.
        plain = (a == 0) | (b == 0) | ((c == 0) & (product != 0)) | ~np.isfinite(a * 0 + b * 0)
        plain |= ~np.isfinite(c) & np.isfinite(product)
        np.copyto(result, product + c, where=plain)
        for index in np.flatnonzero(~(safe | plain)):
            result[index] = fma64(float(a[index]), float(b[index]), float(c[index]))
    return result


def fma_array(a: Array, b: Array, c: Array) -> Array:
    """Elementwise a * b + c; the result still has to be rounded to the format of ``c``."""
    return fma64_array(a, b, c) if c.dtype == F64 else fma32_array(a, b, c)


def store_float(result: Array, target: Array) -> None:
    """Round ``result`` into ``target`` and make NaNs canonical."""
    target[...] = result
    # A dot product is the cheapest way to ask whether there is any NaN: squares can't cancel.
    square = target.dot(target)
    if square != square:
        target[np.isnan(target)] = NAN


def canonical(array: Array) -> Array:
    """``array`` with canonical NaNs."""
    nan = np.isnan(array)
    return np.where(nan, array.dtype.type(NAN), array) if nan.any() else array


def bf16_narrow(bits: Array) -> Array:
    """binary32 patterns to bfloat16 patterns, to nearest even."""
    rounded = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)
    nan = bits & np.uint32(0x7FFF_FFFF) > np.uint32(0x7F80_0000)
    return np.where(nan, np.uint32(0x7FC0), rounded)


def to_int_array(values: Array, bits: int, signed: bool, truncate: bool) -> Array:
    """Integers that floats round to (to nearest even or towards zero), saturated to ``bits``."""
    whole = np.trunc(values) if truncate else np.rint(values)
    whole = whole.astype(F64)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    kind = np.dtype(f"{'i' if signed else 'u'}{bits // 8}")
    # float(high) rounds up to the first value out of range when high has over 53 bits.
    too_high = (whole >= float(high)) | np.isnan(whole)
    inside = np.where(too_high | (whole < low), 0.0, whole).astype(kind)
    return np.where(too_high, kind.type(high), np.where(whole < low, kind.type(low), inside))


def minimum_number(a: Array, b: Array, largest: bool) -> Array:
    """minimumNumber (or maximumNumber) on floats: NaN loses, -0 < +0."""
    result = np.fmax(a, b) if largest else np.fmin(a, b)
    equal = a == b
    if np.count_nonzero(equal):
        # Equal numbers differ at most in the sign of zero: -0 if either is, or only if both are.
        kind = np.dtype(f"u{a.dtype.itemsize}")
        choose = np.bitwise_and if largest else np.bitwise_or
        choose(a.view(kind), b.view(kind), out=result.view(kind), where=equal)
    return result


def smaller(a: float, b: float) -> float:
    """minimumNumber of two floats."""
    if a == b:
        return a if math.copysign(1.0, a) < 0 else b
    return a if a < b or b != b else b


def larger(a: float, b: float) -> float:
    """maximumNumber of two floats."""
    if a == b:
        return b if math.copysign(1.0, a) < 0 else a
    return a if a > b or b != b else b


def float_to_int(value: float, bits: int, signed: bool, truncate: bool) -> int:
    """The integer that a float rounds to (to nearest even or towards zero), saturated."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if value != value or value == math.inf:
        return high
    if value == -math.inf:
        return low
    return min(max(int(value) if truncate else round(value), low), high)


def unbox(bits: int, width: int) -> int:
    """The narrow float in a register; the canonical NaN unless it is NaN-boxed."""
    if bits >> width == (1 << (64 - width)) - 1:
        return bits & ((1 << width) - 1)
    return ieee.FORMATS[width].nan
