"""Arrays in near-memory banks: an equal part in each, in chunks that take turns with other arrays'.

Arrays that the same commands walk lie side by side, a chunk of each in turn, so that a group of
commands stays in one row of the memory: opening another one takes longer than the accesses to it.
What lies behind the last element of an array is zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oxegg.costmodels import Machine
from oxegg.costmodels.machine import NearMemory
from oxegg.emit.physical import Buffer
from oxegg.errors import EmitError

GROUP = 8  # registers of each kind in a unit, and the most accesses of one command


@dataclass(frozen=True)
class BankLayout:
    """Where an array of ``size`` bytes lies in ``banks`` banks, ``part`` bytes of it in each.

    A part is cut into chunks of ``chunk`` bytes, ``stride`` bytes apart, the first ``offset`` bytes
    into the bank; the last one may be partly used.
    """

    size: int
    banks: int
    part: int
    offset: int
    chunk: int
    stride: int

    @property
    def chunks(self) -> int:
        return -(-self.part // self.chunk)

    @property
    def bytes(self) -> int:
        """Of all chunks in all banks."""
        return self.banks * self.chunks * self.chunk

    def pack(self, data: NDArray[Any]) -> NDArray[np.uint8]:
        """The bytes of all chunks, bank by bank."""
        parts = np.zeros(self.part * self.banks, np.uint8)
        parts[: self.size] = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        chunks = np.zeros((self.banks, self.chunks * self.chunk), np.uint8)
        chunks[:, : self.part] = parts.reshape(self.banks, self.part)
        return chunks.reshape(-1)

    def unpack(self, chunks: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The bytes of the array, from those of all chunks."""
        parts = chunks.reshape(self.banks, -1)[:, : self.part]
        return np.ascontiguousarray(parts).reshape(-1)[: self.size]


def near_memory_of(machine: Machine) -> NearMemory:
    """The engine; raises ``EmitError`` on a machine without it."""
    if machine.near_memory is None:
        raise EmitError(f"{machine.name} has no near-memory units")
    return machine.near_memory


def banks_of(machine: Machine) -> int:
    """Banks that one core computes in."""
    return machine.near_memory_channels * near_memory_of(machine).units_per_channel


def part_bytes(size: int, machine: Machine) -> int:
    """Bytes in each bank of an array of ``size`` bytes, whole accesses."""
    width = near_memory_of(machine).width_bytes
    accesses = -(-size // width)
    return -(-accesses // banks_of(machine)) * width


def side_by_side(frames: Sequence[Sequence[Buffer]], machine: Machine) -> Mapping[str, BankLayout]:
    """Layouts of the arrays of all frames; those of one frame have one size and take turns.

    Raises ``EmitError`` when the banks are too small.
    """
    near, banks = near_memory_of(machine), banks_of(machine)
    chunk = GROUP * near.width_bytes
    found: dict[str, BankLayout] = {}
    start = 0
    for frame in frames:
        stride = chunk * len(frame)
        part = part_bytes(frame[0].bytes, machine)
        for number, buffer in enumerate(frame):
            offset = start + number * chunk
            found[buffer.name] = BankLayout(buffer.bytes, banks, part, offset, chunk, stride)
        start += -(-part // chunk) * stride
        start = -(-start // near.row_bytes) * near.row_bytes
    if start > near.bank_bytes:
        raise EmitError("the arrays don't fit into the banks")
    return found
