"""Transfers of blocks around the stages that compute them.

Every stream has two places in the scratchpad. While one block is computed, the next one's operands
come in and the last one's results leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oxegg.emit.blocks import LINE, Fusion, Transfer, Window
from oxegg.emit.constants import materialize_constant
from oxegg.emit.lowering.addresses import advanced
from oxegg.emit.lowering.emitter import Emitter
from oxegg.emit.program import ZERO, Register

QUEUES = {"load": 0, "store": 1}


@dataclass(frozen=True)
class _Stream:
    """``descriptor`` lies so many bytes into the staging area, a block so many into a place."""

    window: Window
    transfer: Transfer
    descriptor: int
    offset: int


class Streams:
    """The streams of fused stages, whose blocks start at ``starts``, a register per cut axis.

    They advance along the last of these axes, and start anew for every position on the others.
    """

    def __init__(
        self, emitter: Emitter, fusion: Fusion, starts: Sequence[Register], staging: Register
    ) -> None:
        self.emitter, self.fusion = emitter, fusion
        self.starts, self.staging = starts, staging
        self.streams: list[_Stream] = []
        offset = 0
        for number, (window, transfer) in enumerate(fusion.streams, start=1):
            self.streams.append(_Stream(window, transfer, number * LINE, offset))
            offset += transfer.bytes
        self.loads = [stream for stream in self.streams if stream.transfer.kind == "load"]
        self.stores = [stream for stream in self.streams if stream.transfer.kind == "store"]
        self.here, self.there = emitter.new("x"), emitter.new("x")
        self.loaded, self.stored, self.older = (emitter.new("x") for _ in range(3))

    def begin(self) -> None:
        """Before the first of the blocks: its operands, on their way."""
        for stream in self.streams:
            self._describe(stream)
        first = LINE * (1 + len(self.streams))
        self._add(self.here, self.staging, first)
        self._add(self.there, self.staging, first + self.fusion.place_bytes)
        if self.stores:  # a transfer of nothing stands for those before the first results
            for word in range(LINE // 8):
                self._write(0, word, ZERO)
            self._start(self.stored, 0, "store")
            self._add(self.older, self.stored, 0)
        for stream in self.loads:
            self._fetch(stream, self.starts, self.here)

    def arrive(self) -> None:
        """Before a block is computed: its operands are there, the next one's on their way."""
        emitter = self.emitter
        if self.loads:
            emitter.emit("ox.dma.wait", self.loaded)
            self._fetch_following()
        if self.stores:
            emitter.emit("ox.dma.wait", self.older)
        for stream in self.streams:
            self._add(emitter.bases[stream.window.buffer.name], self.here, stream.offset)

    def leave(self) -> None:
        """After a block has been computed: its results leave, the places change."""
        emitter, spare = self.emitter, self.emitter.new("x")
        if self.stores:
            self._add(self.older, self.stored, 0)
        for stream in self.stores:
            self._write(stream.descriptor, 0, emitter.bases[stream.window.buffer.name])
            self._write(stream.descriptor, 1, self._outside(stream, self.starts))
            self._start(self.stored, stream.descriptor, "store")
        self._add(spare, self.here, 0)
        self._add(self.here, self.there, 0)
        self._add(self.there, spare, 0)

    def end(self) -> None:
        """After the last block: everything has left."""
        if self.stores:
            self.emitter.emit("ox.dma.wait", self.older)
            self.emitter.emit("ox.dma.wait", self.stored)

    def _fetch_following(self) -> None:
        """The next block's operands; of what is behind the last block, no rows."""
        emitter = self.emitter
        (axis, size), start = self.fusion.blocks[-1], self.starts[-1]
        following, more = emitter.new("x"), emitter.new("x")
        self._add(following, start, size)
        emitter.emit("min", following, following, self._constant(axis.size - size))
        emitter.emit("sltu", more, start, following)
        for stream in self.loads:
            rows = more
            if stream.transfer.rows > 1:
                rows = emitter.new("x")
                emitter.emit("mul", rows, more, self._constant(stream.transfer.rows))
            self._write(stream.descriptor, 3, rows)
            self._fetch(stream, [*self.starts[:-1], following], self.there)

    def _fetch(self, stream: _Stream, starts: Sequence[Register], place: Register) -> None:
        target = self.emitter.new("x")
        self._add(target, place, stream.offset)
        self._write(stream.descriptor, 0, self._outside(stream, starts))
        self._write(stream.descriptor, 1, target)
        self._start(self.loaded, stream.descriptor, "load")

    def _outside(self, stream: _Stream, starts: Sequence[Register]) -> Register:
        """Where a block's part of an array begins in DRAM."""
        emitter, window = self.emitter, stream.window
        address = emitter.new("x")
        self._add(address, emitter.bases[window.source], stream.transfer.offset)
        for start, stride in zip(starts, window.strides, strict=True):
            if stride:
                distance = emitter.new("x")
                emitter.emit("mul", distance, start, self._constant(stride))
                emitter.emit("add", address, address, distance)
        return address

    def _describe(self, stream: _Stream) -> None:
        transfer = stream.transfer
        strides = [transfer.stride, transfer.pitch]
        if transfer.kind == "store":
            strides.reverse()
        for word, value in enumerate((transfer.row_bytes, transfer.rows, *strides, 0, 0), start=2):
            self._write(stream.descriptor, word, self._constant(value))

    def _start(self, handle: Register, descriptor: int, queue: str) -> None:
        address = self.emitter.new("x")
        self._add(address, self.staging, descriptor)
        self.emitter.emit("ox.dma", handle, address, self._constant(QUEUES[queue]))

    def _write(self, descriptor: int, word: int, value: Register) -> None:
        self.emitter.emit("sd", value, descriptor + 8 * word, self.staging)

    def _add(self, target: Register, source: Register, distance: int) -> None:
        self.emitter.body += advanced(target, source, distance)

    def _constant(self, value: int) -> Register:
        if not value:
            return ZERO
        register = self.emitter.new("x")
        self.emitter.body += materialize_constant(register, value)
        return register
