"""The loops over blocks that fused stages share."""

from __future__ import annotations

from collections.abc import Callable

from oxegg.emit.blocks import Fusion, cut
from oxegg.emit.constants import materialize_constant
from oxegg.emit.lowering.emitter import Emitter
from oxegg.emit.lowering.streams import Streams
from oxegg.emit.program import ZERO, Register


def lower_fused(
    emitter: Emitter, fusion: Fusion, body: Callable[[], None], staging: Register
) -> None:
    """What ``body`` emits for one block, once per block; windows move from block to block.

    ``staging``: where streams may lie.
    """
    _Blocks(emitter, fusion, body, staging).lower()


class _Blocks:
    def __init__(
        self, emitter: Emitter, fusion: Fusion, body: Callable[[], None], staging: Register
    ) -> None:
        self.emitter, self.fusion, self.body = emitter, fusion, body
        self.starts = [emitter.new("x") for _ in fusion.blocks]
        self.streams = Streams(emitter, fusion, self.starts, staging) if fusion.streams else None

    def lower(self) -> None:
        emitter, sizes = self.emitter, dict(self.fusion.blocks)
        cut_axes = [cut(axis, sizes) for axis, _ in self.fusion.blocks]
        emitter.positions = dict(zip(cut_axes, self.starts, strict=True))
        for window in self.fusion.windows:
            emitter.bases[window.buffer.name] = emitter.new("x")
        self._loop(0)
        emitter.positions = {}

    def _loop(self, depth: int) -> None:
        """The loop over the blocks of one axis, and in it those of the others."""
        emitter = self.emitter
        if depth == len(self.starts):
            self._block()
            return
        (axis, size), start = self.fusion.blocks[depth], self.starts[depth]

        def block() -> None:
            self._loop(depth + 1)
            emitter.emit("add", start, start, self._constant(size))
            if axis.size % size:
                emitter.emit("min", start, start, self._constant(axis.size - size))

        innermost = depth == len(self.starts) - 1
        emitter.emit("addi", start, ZERO, 0)
        if innermost and self.streams:
            self.streams.begin()
        emitter.repeat(f"{axis.name}_blocks", -(-axis.size // size), block)
        if innermost and self.streams:
            self.streams.end()

    def _block(self) -> None:
        emitter = self.emitter
        if self.streams:
            self.streams.arrive()
        self._move_windows()
        scopes = emitter.scopes
        self.body()
        emitter.scopes = scopes
        if self.streams:
            self.streams.leave()

    def _move_windows(self) -> None:
        """To where the present block's part of every array starts."""
        emitter = self.emitter
        for window in self.fusion.windows:
            if window.transfer is not None:
                continue
            base = emitter.bases[window.buffer.name]
            emitter.emit("addi", base, emitter.bases[window.source], 0)
            for start, stride in zip(self.starts, window.strides, strict=True):
                if stride:
                    distance = emitter.new("x")
                    emitter.emit("mul", distance, start, self._constant(stride))
                    emitter.emit("add", base, base, distance)

    def _constant(self, value: int) -> Register:
        register = self.emitter.new("x")
        self.emitter.body += materialize_constant(register, value)
        return register
