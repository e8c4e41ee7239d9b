"""The 7-bit reciprocal and reciprocal square root estimates of RVV 1.0 (sections 13.9, 13.10).

The specification's lookup tables hold the correctly rounded value at the midpoint of each input
interval, so they are computed here rather than listed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# exponent bits, significand bits
_FORMATS = {2: (5, 10), 4: (8, 23), 8: (11, 52)}
_MIDPOINTS = (np.arange(128) + 0.5) / 128
_RECIPROCAL = np.rint((2 / (1 + _MIDPOINTS) - 1) * 128).astype(np.int64)
_HALF_STEPS = (np.arange(64) + 0.5) / 64
_RSQRT_EVEN = np.rint((2 / np.sqrt(2 * (1 + _HALF_STEPS)) - 1) * 128).astype(np.int64)
_RSQRT_ODD = np.rint((2 / np.sqrt(1 + _HALF_STEPS) - 1) * 128).astype(np.int64)
_RSQRT = np.concatenate([_RSQRT_EVEN, _RSQRT_ODD])


def _split(x: Array) -> tuple[Array, Array, Array, int, int]:
    exponent_bits, fraction_bits = _FORMATS[x.dtype.itemsize]
    bits = x.view(np.dtype(f"u{x.dtype.itemsize}")).astype(object)
    sign = bits >> (exponent_bits + fraction_bits)
    exponent = (bits >> fraction_bits) & ((1 << exponent_bits) - 1)
    return sign, exponent, bits & ((1 << fraction_bits) - 1), exponent_bits, fraction_bits


def _apply(x: Array, one: Any) -> Array:
    flat = np.ascontiguousarray(x).reshape(-1)
    sign, exponent, fraction, e_bits, f_bits = _split(flat)
    fields = zip(sign, exponent, fraction, strict=True)
    out = [one(int(s), int(e), int(f), e_bits, f_bits) for s, e, f in fields]
    kind = np.dtype(f"u{x.dtype.itemsize}")
    return np.array(out, dtype=kind).view(x.dtype).reshape(np.shape(x))


def reciprocal7(x: Array) -> Array:
    """Estimate of 1/x: relative error below 2**-7, round-to-nearest overflow rule."""
    return _apply(x, _reciprocal_bits)


def rsqrt7(x: Array) -> Array:
    """Estimate of 1/sqrt(x): relative error below 2**-7."""
    return _apply(x, _rsqrt_bits)


def _reciprocal_bits(sign: int, exponent: int, fraction: int, e_bits: int, f_bits: int) -> int:
    top = (1 << e_bits) - 1
    signed = sign << (e_bits + f_bits)
    if exponent == top:
        return signed if fraction == 0 else _nan(e_bits, f_bits)
    if exponent == 0:
        if fraction == 0:
            return signed | (top << f_bits)
        zeros = f_bits - fraction.bit_length()
        if zeros > 1:
            return signed | (top << f_bits)
        exponent, fraction = -zeros, (fraction << (zeros + 1)) & ((1 << f_bits) - 1)
    estimate = int(_RECIPROCAL[fraction >> (f_bits - 7)]) << (f_bits - 7)
    result = 2 * (top >> 1) - 1 - exponent
    if result <= 0:  # subnormal result: shift the hidden one in
        estimate = (estimate | (1 << f_bits)) >> (1 - result)
        result = 0
    return signed | (result << f_bits) | estimate


def _rsqrt_bits(sign: int, exponent: int, fraction: int, e_bits: int, f_bits: int) -> int:
    top = (1 << e_bits) - 1
    zero = exponent == 0 and fraction == 0
    if zero:
        return (sign << (e_bits + f_bits)) | (top << f_bits)
    if sign or (exponent == top and fraction):
        return _nan(e_bits, f_bits)
    if exponent == top:
        return 0
    if exponent == 0:
        zeros = f_bits - fraction.bit_length()
        exponent, fraction = -zeros, (fraction << (zeros + 1)) & ((1 << f_bits) - 1)
    index = ((exponent & 1) << 6) | (fraction >> (f_bits - 6))
    result = (3 * (top >> 1) - 1 - exponent) // 2
    return (result << f_bits) | (int(_RSQRT[index]) << (f_bits - 7))


def _nan(e_bits: int, f_bits: int) -> int:
    return (((1 << e_bits) - 1) << f_bits) | (1 << (f_bits - 1))
