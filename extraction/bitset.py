"""Sets of small integers as Python ints: one bit each, so unions and tests run word by word."""

from __future__ import annotations

import numpy as np

from oxegg.extraction.problem import IntArray

_FEW = 24  # below this many bits, peeling them off one by one beats unpacking the words


def members(mask: int) -> list[int]:
    """The elements of ``mask``, ascending."""
    if mask.bit_count() > _FEW:
        return positions(mask).tolist()
    result: list[int] = []
    while mask:
        low = mask & -mask
        result.append(low.bit_length() - 1)
        mask ^= low
    return result


def positions(mask: int) -> IntArray:
    """The elements of ``mask``, ascending, as an array."""
    words = np.frombuffer(mask.to_bytes((mask.bit_length() + 7) // 8, "little"), dtype=np.uint8)
    return np.flatnonzero(np.unpackbits(words, bitorder="little"))
