"""Integer helpers of generated code: what RISC-V defines and Python or NumPy do otherwise."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ROUND_NEAREST_UP, ROUND_NEAREST_EVEN, ROUND_DOWN, ROUND_ODD = range(4)


def truncated_quotient(a: int, b: int) -> int:
    """a / b rounded towards zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def truncated_remainder(a: int, b: int) -> int:
    """a - b * truncated_quotient(a, b)."""
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def leading_zeros(value: int, bits: int) -> int:
    """Zeros above the top one of the low ``bits``."""
    return bits - (value & ((1 << bits) - 1)).bit_length()


def trailing_zeros(value: int, bits: int) -> int:
    """Zeros below the lowest one of the low ``bits``."""
    value &= (1 << bits) - 1
    return (value & -value).bit_length() - 1 if value else bits


def population(value: int, bits: int) -> int:
    """Ones among the low ``bits``."""
    return (value & ((1 << bits) - 1)).bit_count()


def byte_reverse(value: int) -> int:
    """The eight bytes in opposite order."""
    return int.from_bytes(value.to_bytes(8, "little"), "big")


def byte_or(value: int) -> int:
    """0xff for each byte that is not zero."""
    return sum(0xFF << shift for shift in range(0, 64, 8) if value >> shift & 0xFF)


def quotient_array(a: Array, b: Array) -> Array:
    """Elementwise a / b rounded towards zero; anything where b is 0."""
    b = np.where(b == 0, b.dtype.type(1), b)
    quotient = a // b
    inexact = (quotient * b != a) & ((a < 0) != (b < 0))
    return quotient + inexact


def remainder_array(a: Array, b: Array) -> Array:
    """Elementwise remainder with the sign of a; anything where b is 0."""
    return np.fmod(a, np.where(b == 0, b.dtype.type(1), b))


def round_shift(a: Array, shift: Array | int, mode: int) -> Array:
    """Elementwise a / 2^shift rounded by the fixed-point mode ``vxrm``."""
    amount: Array = np.asarray(shift).astype(a.dtype)
    floor = a >> amount
    if mode == ROUND_DOWN:
        return floor
    some = amount > 0
    below: Array = np.where(some, amount - 1, amount)
    half = np.where(some, (a >> below) & 1, 0).astype(a.dtype)
    rest = np.where(some, a - ((a >> below) << below), 0) != 0
    if mode == ROUND_NEAREST_UP:
        return floor + half
    if mode == ROUND_NEAREST_EVEN:
        odd = (floor & 1).astype(bool)
        return floor + (half.astype(bool) & (rest | odd)).astype(a.dtype)
    return floor | ((half.astype(bool) | rest) & (floor & 1 == 0)).astype(a.dtype)
