"""Sets of small integers as Python ints: one bit each, so unions and tests run word by word."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from oxegg.extraction.problem import IntArray

_BLOCK = 1 << 22  # table entries that are looked up at a time
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


def weigh(masks: Iterable[int], weights: IntArray, limit: int) -> dict[int, tuple[int, ...]]:
    """For each mask the sums of the rows of ``weights`` (elements x columns) over its elements.

    Sums above ``limit`` may be off, but stay above it. Weights must not be negative.
    """
    masks = list(masks)
    width = -(-len(weights) // 8)
    # Doubles are exact to 2^53; a sum that gets there is far above any limit.
    padded = np.zeros((8 * width, weights.shape[1]))
    padded[: len(weights)] = np.minimum(weights, limit + 1)
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    offsets = 256 * np.arange(width)
    raw = b"".join(mask.to_bytes(width, "little") for mask in masks)
    rows = np.frombuffer(raw, dtype=np.uint8).reshape(len(masks), width)
    sums = np.empty((len(masks), weights.shape[1]), dtype=np.int64)
    step = max(1, _BLOCK // max(1, width))
    for column in range(weights.shape[1]):
        # One table of 256 sums for each byte of a mask.
        table = (padded[:, column].reshape(width, 8) @ bits.T.astype(np.float64)).ravel()
        for start in range(0, len(masks), step):
            keys = rows[start : start + step] + offsets
            sums[start : start + step, column] = table[keys].sum(axis=1)
    return dict(zip(masks, map(tuple, sums.tolist()), strict=True))
