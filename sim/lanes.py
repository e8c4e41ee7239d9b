"""Arithmetic of near-memory lanes, by element type (ISA manual, "Xoxn").

Float lanes of an h register hold binary32 numbers while near-memory mode is on: sums are kept wider
than half-precision elements and are rounded to them only when they leave the unit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.sim.host_float import NAN, bf16_narrow, fma32_array, minimum_number

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Lanes:
    """An element type: ``size`` in bytes; values are arrays whose last axis is lanes.

    ``read`` gives the values in bytes, ``write`` the bytes of values, rounded. ``accumulate`` is
    ``mac(a, b, c)`` = a * b + c with one rounding, ``total`` the sum of lanes in ascending order as
    32-bit patterns. ``kind`` is the type of the values, ``accumulators`` that of sums of products,
    ``sum_bytes`` the size of one of them in a register (0: one per lane, wider than the lane).
    """

    size: int
    kind: Any
    read: Callable[[Array], Array]
    write: Callable[[Array], Array]
    add: Callable[[Array, Array], Array]
    multiply: Callable[[Array, Array], Array]
    largest: Callable[[Array, Array], Array]
    accumulate: Callable[[Array, Array, Array], Array]
    total: Callable[[Array], Array]


def _canonical(values: Array) -> Array:
    nans = np.isnan(values)
    return np.where(nans, np.float32(NAN), values) if nans.any() else values


def _add(a: Array, b: Array) -> Array:
    return _canonical(a + b)


def _multiply(a: Array, b: Array) -> Array:
    return _canonical(a * b)


def _largest(a: Array, b: Array) -> Array:
    a, b = np.broadcast_arrays(a, b)
    return _canonical(minimum_number(a, b, True))


def _accumulate(a: Array, b: Array, c: Array) -> Array:
    if b.ndim == 0 and b == 1:
        return _canonical(a + c)
    return _canonical(fma32_array(a, b, c).astype(np.float32))


def _accumulate_halves(a: Array, b: Array, c: Array) -> Array:
    """Products of halves are exact in binary32, so that the sum rounds once."""
    return _canonical(a * b + c)


def _total(values: Array) -> Array:
    total = values[..., 0]
    for lane in range(1, values.shape[-1]):
        total = total + values[..., lane]
    return _canonical(total).view(np.uint32)


def _floats(
    size: int,
    read: Callable[[Array], Array],
    write: Callable[[Array], Array],
    accumulate: Callable[[Array, Array, Array], Array] = _accumulate,
) -> Lanes:
    return Lanes(
        size, np.float32, read, write, _add, _multiply, _largest, accumulate, _total
    )  # fmt: skip


def _read_bfloats(data: Array) -> Array:
    return (data.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)


def _write_bfloats(values: Array) -> Array:
    return bf16_narrow(values.view(np.uint32)).astype(np.uint16).view(np.uint8)


def _write_halves(values: Array) -> Array:
    halves = values.astype(np.float16)
    halves[np.isnan(halves)] = NAN
    return halves.view(np.uint8)


def _total_int(values: Array) -> Array:
    """Of the 32-bit sums that the bytes of a register are."""
    return values.view(np.uint32).sum(axis=-1, dtype=np.uint32)


def _accumulate_int(a: Array, b: Array, c: Array) -> Array:
    """``c`` are the 32-bit sums, as many as there are bytes in ``a``."""
    return c + a.astype(np.int32) * b.astype(np.int32)


BYTES = Lanes(
    size=1,
    kind=np.int8,
    read=lambda data: data.view(np.int8),
    write=lambda values: values.view(np.uint8),
    add=np.add,
    multiply=np.multiply,
    largest=np.maximum,
    accumulate=_accumulate_int,
    total=_total_int,
)
HALVES = _floats(
    2,
    lambda data: data.view(np.float16).astype(np.float32),
    _write_halves,
    _accumulate_halves,
)
BFLOATS = _floats(2, _read_bfloats, _write_bfloats)
SINGLES = _floats(4, lambda data: data.view(np.float32), lambda values: values.view(np.uint8))
BY_NUMBER = (BYTES, HALVES, BFLOATS, SINGLES)
"""Element types by the number that ``ox.nm.on`` takes."""
