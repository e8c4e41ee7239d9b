"""Arrays in near-memory banks: an equal part in each, in chunks that take turns with other arrays'.

Arrays that the same commands walk lie side by side, a chunk of each in turn, so that a group of
commands stays in one row of the memory: opening another one takes longer than the accesses to it.
What lies behind the last element of an array is zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oxegg.costmodels import Machine
from oxegg.costmodels.machine import NearMemory
from oxegg.emit.physical import Buffer
from oxegg.errors import EmitError

GROUP = 8  # registers of each kind in a unit, and the most accesses of one command


@dataclass(frozen=True)
class Blocks:
    """A matrix in the order in which near-memory units multiply it by a vector.

    A unit sums ``accumulators * lanes`` rows at a time, ``GROUP`` accesses to each accumulator for
    every step along the depth; an access holds ``along`` elements of each of ``lanes`` rows. Rows
    go round the units; zeros fill up the last ones. ``transposed``: the depth is the array's first
    axis; ``element`` is its size in bytes.
    """

    rows: int
    depth: int
    element: int
    accumulators: int
    lanes: int
    along: int
    banks: int
    transposed: bool

    @property
    def passes(self) -> int:
        """How often all units take rows."""
        return -(-self.rows // (self.banks * self.accumulators * self.lanes))

    @property
    def steps(self) -> int:
        return -(-self.depth // (GROUP * self.along))

    @property
    def part(self) -> int:
        """Bytes in each bank."""
        access = self.lanes * self.along * self.element
        return self.passes * self.steps * self.accumulators * GROUP * access

    def pack(self, data: NDArray[Any]) -> NDArray[np.uint8]:
        """The bytes of all banks, in the order of accesses."""
        kind = f"u{self.element}"
        given = np.ascontiguousarray(data).reshape(-1).view(kind)
        shape = (self.depth, self.rows) if self.transposed else (self.rows, self.depth)
        matrix = given.reshape(shape).T if self.transposed else given.reshape(shape)
        own = (self.passes, self.banks, self.accumulators, self.lanes)
        deep = (self.steps, GROUP, self.along)
        padded = np.zeros((prod(own), prod(deep)), kind)
        padded[: self.rows, : self.depth] = matrix
        ordered = padded.reshape(*own, *deep).transpose(1, 0, 4, 2, 5, 3, 6)
        return np.ascontiguousarray(ordered).reshape(-1).view(np.uint8)


@dataclass(frozen=True)
class BankLayout:
    """Where an array of ``size`` bytes lies in ``banks`` banks, ``part`` bytes of it in each.

    A part is cut into chunks of ``chunk`` bytes, ``stride`` bytes apart, the first ``offset`` bytes
    into the bank; the last one may be partly used. The pieces of a chunk, ``piece`` bytes each, lie
    ``pitch`` bytes apart: a chunk in one piece, or accesses that alternate with others'.
    Banks are ``distance`` bytes apart. Elements lie in the array's order, or in ``blocks``.
    """

    size: int
    banks: int
    part: int
    offset: int
    chunk: int
    stride: int
    distance: int
    piece: int
    pitch: int
    blocks: Blocks | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> BankLayout:
        """From the fields of a certificate."""
        blocks = fields["blocks"]
        own: dict[str, Any] = {**fields, "blocks": Blocks(**blocks) if blocks else None}
        return cls(**own)

    @property
    def chunks(self) -> int:
        return -(-self.part // self.chunk)

    @property
    def bytes(self) -> int:
        """Of all chunks in all banks."""
        return self.banks * self.chunks * self.chunk

    def pack(self, data: NDArray[Any]) -> NDArray[np.uint8]:
        """The bytes of all chunks, bank by bank."""
        if self.blocks:
            return self.blocks.pack(data)
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


@dataclass(frozen=True)
class Frame:
    """Arrays of one size that take turns, or one matrix in blocks.

    The first ``woven`` arrays alternate access by access, the others chunk by chunk.
    """

    buffers: tuple[Buffer, ...]
    blocks: Blocks | None = None
    woven: int = 0


def side_by_side(frames: Sequence[Frame], machine: Machine) -> Mapping[str, BankLayout]:
    """Layouts of the arrays of all frames, one frame after the other.

    Raises ``EmitError`` when the banks are too small, or an array would have two layouts.
    """
    near = near_memory_of(machine)
    found: dict[str, BankLayout] = {}
    start = 0
    for frame in frames:
        own = _in_frame(frame, start, machine)
        if own.keys() & found.keys():
            raise EmitError("an array can't lie in near-memory banks in two ways")
        found |= own
        last = next(iter(own.values()))
        start += last.chunks * last.stride
        start = -(-start // near.row_bytes) * near.row_bytes
    if start > near.bank_bytes:
        raise EmitError("the arrays don't fit into the banks")
    return found


def _in_frame(frame: Frame, start: int, machine: Machine) -> dict[str, BankLayout]:
    """Layouts of a frame that begins ``start`` bytes into each bank."""
    near = near_memory_of(machine)
    width, chunk = near.width_bytes, GROUP * near.width_bytes
    size = frame.buffers[0].bytes
    part = frame.blocks.part if frame.blocks else part_bytes(size, machine)
    found: dict[str, BankLayout] = {}
    for number, buffer in enumerate(frame.buffers):
        alternates = number < frame.woven
        found[buffer.name] = BankLayout(
            size=buffer.bytes,
            banks=banks_of(machine),
            part=part,
            offset=start + number * (width if alternates else chunk),
            chunk=chunk,
            stride=chunk * len(frame.buffers),
            distance=near.bank_bytes,
            piece=width if alternates else chunk,
            pitch=width * frame.woven if alternates else chunk,
            blocks=frame.blocks,
        )
    return found
