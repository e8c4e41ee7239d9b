"""The tensor engine's state: tiles, accumulators and the shape, and how memory fills them.

A register is R rows of 4R bytes, whatever its elements are (ISA manual, "Xoxt").
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
INPUTS, ACCUMULATORS, FIRST_ACCUMULATOR = 8, 4, 16


@dataclass
class Tiles:
    """``rows`` is R; ``m`` and ``n`` are elements, ``k`` is the bytes of a row that count."""

    rows: int
    m: int = 0
    n: int = 0
    k: int = 0
    _data: Array = field(init=False)

    def __post_init__(self) -> None:
        self._data = np.zeros((INPUTS + ACCUMULATORS, self.rows, 4 * self.rows), np.uint8)
        self.release()

    def release(self) -> None:
        """The initial state: all registers zero, the shape that of a full tile."""
        self._data[:] = 0
        self.m = self.n = self.rows
        self.k = 4 * self.rows

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.m, self.n, self.k

    @property
    def is_full(self) -> bool:
        return self.shape == (self.rows, self.rows, 4 * self.rows)

    def register(self, number: int) -> Array:
        """Bytes (R, 4R) of a register by its number in the encoding: 0-7 or 16-19."""
        index = number - FIRST_ACCUMULATOR + INPUTS if number >= FIRST_ACCUMULATOR else number
        return self._data[index]

    def elements(self, number: int, width: int, kind: str = "u") -> Array:
        """The register as rows of elements of ``width`` bits."""
        return self.register(number).view(f"{kind}{width // 8}")

    def set_m(self, value: int) -> int:
        self.m = min(value, self.rows)
        return self.m

    def set_n(self, value: int) -> int:
        self.n = min(value, self.rows)
        return self.n

    def set_k(self, value: int) -> int:
        """Whole groups of four bytes: what a cell of the array takes per cycle."""
        self.k = min(value, 4 * self.rows) & ~3
        return self.k
