"""The 8-bit floats of the OCP OFP8 specification, as binary32.

E5M2 is an IEEE-like format. E4M3 has no infinities: its largest exponent holds numbers, and only
S.1111.111 is a NaN. Every value of both is a binary32.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.sim import ieee

Array = npt.NDArray[Any]
E5M2 = ieee.Format(8, 3)
E4M3_FRACTION_BITS, E4M3_BIAS = 3, 7


def e5m2_widen(bits: int) -> int:
    """The binary32 pattern of an E5M2 value."""
    return ieee.fcvt(ieee.SINGLE, E5M2, bits, ieee.NEAREST_EVEN)


def e4m3_widen(bits: int) -> int:
    """The binary32 pattern of an E4M3 value."""
    magnitude = bits & 0x7F
    if magnitude == 0x7F:
        return ieee.SINGLE.nan
    field, fraction = magnitude >> E4M3_FRACTION_BITS, magnitude & 7
    mantissa = fraction | 8 if field else fraction
    exponent = max(field, 1) - E4M3_BIAS - E4M3_FRACTION_BITS
    return ieee.pack(ieee.SINGLE, bits >= 0x80, mantissa, exponent, ieee.NEAREST_EVEN)


@cache
def table(name: str) -> Array:
    """All 256 values of ``"e4m3"`` or ``"e5m2"``, as binary32 numbers by bit pattern."""
    widen = {"e4m3": e4m3_widen, "e5m2": e5m2_widen}[name]
    return np.array([widen(bits) for bits in range(256)], np.uint32).view(np.float32)
