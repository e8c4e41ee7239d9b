"""The 7-bit estimates vfrec7 and vfrsqrt7, by the formulas behind the tables of RVV 1.0."""

from functools import cache
from math import isqrt

from oxegg.sim import ieee
from oxegg.sim.ieee import Flags, Format


@cache
def reciprocal_table() -> tuple[int, ...]:
    """7 fraction bits of 1/x for the 128 intervals of [1, 2), taken at the interval's middle."""
    # y = 2^8 / (1 + (2i + 1) / 256) / 1, in units of 1/128 above 1, rounded to nearest.
    return tuple((2 * 65536 + (257 + 2 * i)) // (2 * (257 + 2 * i)) - 128 for i in range(128))


@cache
def root_table() -> tuple[int, ...]:
    """7 fraction bits of 1/sqrt(x); index = low exponent bit, then 6 fraction bits."""
    return tuple(_root_entry(i) for i in range(128))


def _root_entry(index: int) -> int:
    # An even exponent field (index < 64) stands for [1/2, 1) scaled to x in [2, 4).
    middle = 2 * (index & 63) + 129
    doubled = middle * 2 if index < 64 else middle
    # 256 / sqrt(doubled / 128), to nearest: the largest n with (2n - 1)^2 * doubled <= 2^25.
    root = isqrt((1 << 25) // doubled)
    return (root + 1) // 2 - 128


def frec7(form: Format, a: int, mode: int, flags: Flags | None = None) -> int:
    """Estimate of 1/a, good to 7 bits."""
    sign, magnitude = a & form.sign, a & (form.sign - 1)
    accrued = flags or Flags()
    if magnitude > form.infinity:
        accrued.accrue(ieee.INVALID if form.is_signaling(a) else 0)
        return form.nan
    if magnitude == form.infinity:
        return sign
    if magnitude == 0:
        accrued.accrue(ieee.DIVIDE_BY_ZERO)
        return sign | form.infinity
    bits = form.precision - 1
    field, fraction = _normalised(form, magnitude)
    if field < -1:
        accrued.accrue(ieee.OVERFLOW | ieee.INEXACT)
        return sign | ieee.overflowed(form, sign != 0, mode)
    result = reciprocal_table()[fraction >> (bits - 7)] << (bits - 7)
    exponent = 2 * form.bias - 1 - field
    if exponent <= 0:
        # Subnormal: 1.f >> 1 with exponent 0, >> 2 with exponent -1.
        return sign | (result | 1 << bits) >> (1 - exponent)
    return sign | exponent << bits | result


def frsqrt7(form: Format, a: int, mode: int, flags: Flags | None = None) -> int:
    """Estimate of 1/sqrt(a), good to 7 bits."""
    del mode  # always exact enough
    sign, magnitude = a & form.sign, a & (form.sign - 1)
    accrued = flags or Flags()
    if magnitude == 0:
        accrued.accrue(ieee.DIVIDE_BY_ZERO)
        return sign | form.infinity
    if magnitude > form.infinity or sign:
        quiet = form.is_nan(a) and not form.is_signaling(a)
        accrued.accrue(0 if quiet else ieee.INVALID)
        return form.nan
    if magnitude == form.infinity:
        return 0
    bits = form.precision - 1
    field, fraction = _normalised(form, magnitude)
    index = (field & 1) << 6 | fraction >> (bits - 6)
    exponent = (3 * form.bias - 1 - field) // 2
    return exponent << bits | root_table()[index] << (bits - 7)


def _normalised(form: Format, magnitude: int) -> tuple[int, int]:
    """Exponent field (0 or less for subnormal numbers) and fraction of a nonzero magnitude."""
    bits = form.precision - 1
    field, fraction = magnitude >> bits, magnitude & ((1 << bits) - 1)
    if field:
        return field, fraction
    shift = form.precision - fraction.bit_length()
    return 1 - shift, fraction << shift & ((1 << bits) - 1)
