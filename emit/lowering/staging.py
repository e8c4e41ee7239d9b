"""Blocks of a product brought into the scratchpad by DMA, and results carried out.

The nest cuts two axes of the result into blocks, the outer axis first. Operands that move with the
outer axis alone are fetched once per outer step. Those that move with the inner axis have two
places in the scratchpad: while one block is computed, the next one's operands come in and the last
one's results leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from oxegg.emit.blocks import cut, cut_stores
from oxegg.emit.loop_tree import build
from oxegg.emit.lowering.addresses import advanced
from oxegg.emit.lowering.emitter import Emitter, Scope
from oxegg.emit.lowering.loops import Stage as StageLowering
from oxegg.emit.nest import Nest
from oxegg.emit.physical import Access, Buffer, walk
from oxegg.emit.program import ZERO, Register
from oxegg.emit.stages import Stage
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis

STAGING = "staged blocks"
LINE = 64  # bytes: alignment of blocks, size of a descriptor
QUEUES = {"load": 0, "store": 1}


@dataclass(frozen=True)
class Stream:
    """One operand or result, block by block.

    ``rows`` rows of ``row_bytes`` bytes lie ``stride`` bytes apart outside, ``pitch`` bytes inside
    the scratchpad. ``moves``: bytes from block to block along the outer and the inner axis.
    """

    access: Access
    inside: Access
    kind: str
    rows: int
    row_bytes: int
    stride: int
    pitch: int
    moves: tuple[int, int]

    @property
    def places(self) -> int:
        return 2 if self.moves[1] else 1

    @property
    def bytes(self) -> int:
        """Of one block in the scratchpad, whole lines."""
        return -(-self.rows * self.pitch // LINE) * LINE


def streams(stage: Stage, nest: Nest) -> dict[Access, Stream]:
    """How every access of a stage is staged; raises ``EmitError`` where that can't be done."""
    sizes = dict(nest.blocks)
    (outer, _), (inner, _) = nest.blocks
    found: dict[Access, Stream] = {}
    for value in walk(stage.stores):
        access = value.access
        if access is None or access in found:
            continue
        kind = "store" if value.kind == "store" else "load"
        found[access] = _stream(access, kind, sizes, (outer, inner), len(found))
    return found


def _stream(
    access: Access, kind: str, sizes: Mapping[Axis, int], blocked: tuple[Axis, Axis], number: int
) -> Stream:
    size = access.buffer.type.bytes
    extents = {axis: sizes.get(axis, axis.size) for axis, _ in access.strides}
    dense = [axis for axis, stride in access.strides if stride == size]
    others = [(axis, stride) for axis, stride in access.strides if axis not in dense]
    if len(dense) != 1 or len(others) > 1:
        raise EmitError("only rows of contiguous elements can be staged")
    row_bytes = extents[dense[0]] * size
    pitch = -(-row_bytes // 8) * 8
    rows, stride = (extents[others[0][0]], others[0][1]) if others else (1, row_bytes)
    if stride < 0 or row_bytes % 4:
        raise EmitError("rows of odd sizes or in reverse can't be staged")
    buffer = Buffer(f"{STAGING} {number}", access.buffer.type, 0, "scratch", 0)
    strides = [(cut(axis, sizes), pitch if others and axis == others[0][0] else size)
               for axis, _ in access.strides]  # fmt: skip
    moves = [access.stride(a) * sizes[a] if sizes[a] < a.size else 0 for a in blocked]
    return Stream(
        access, Access(buffer, tuple(strides)), kind, rows, row_bytes, stride, pitch,
        (moves[0], moves[1]),
    )  # fmt: skip


def staging_bytes(stage: Stage, nest: Nest) -> int:
    """Scratchpad that a staged nest needs: blocks and descriptors."""
    if not nest.blocks:
        return 0
    parts = streams(stage, nest).values()
    return LINE + sum(stream.places * stream.bytes + LINE for stream in parts)


def lower_staged(emitter: Emitter, stage: Stage, nest: Nest) -> None:
    """The loops over blocks around the loops of one block."""
    _Staging(emitter, stage, nest).lower()


class _Staging:
    def __init__(self, emitter: Emitter, stage: Stage, nest: Nest) -> None:
        self.emitter = emitter
        self.streams = list(streams(stage, nest).values())
        self.block, self.nest = _block(stage, nest, self.streams)
        (outer, big), (inner, small) = nest.blocks
        self.trips = outer.size // big, inner.size // small
        self.inner_axis = inner
        self.outside: list[Register] = []  # address of the next block
        self.now: list[Register] = []  # place of the present block
        self.next: list[Register] = []  # and of the other one
        self.descriptors: list[Register] = []
        self.handles: list[Register] = []
        self.older: list[Register] = []  # the transfer from the other place

    def lower(self) -> None:
        self._place()
        self._idle()
        self.emitter.repeat(self.inner_axis.name, self.trips[0], self._outer)
        for number, stream in enumerate(self.streams):
            if stream.kind == "store":
                self._wait(self.older[number])
                self._wait(self.handles[number])

    # set-up

    def _place(self) -> None:
        """Places in the scratchpad, and descriptors but for the addresses."""
        emitter = self.emitter
        base, offset = emitter.bases[STAGING], LINE
        for stream in self.streams:
            descriptor, now = self._at(base, offset), self._at(base, offset + LINE)
            other = self._at(base, offset + LINE + (stream.places - 1) * stream.bytes)
            outside = self._at(emitter.bases[stream.access.buffer.name], stream.access.offset)
            offset += LINE + stream.places * stream.bytes
            strides = [stream.stride, stream.pitch]
            if stream.kind == "store":
                strides.reverse()
            for word, value in enumerate((stream.row_bytes, stream.rows, *strides, 0, 0), start=2):
                source = emitter.integer(value)
                emitter.emit("sd", source, 8 * word, descriptor)
            self.descriptors.append(descriptor)
            self.now.append(now)
            self.next.append(other)
            self.outside.append(outside)
            self.handles.append(emitter.new("x"))
            self.older.append(emitter.new("x"))
            emitter.bases[stream.inside.buffer.name] = now

    def _idle(self) -> None:
        """Before the first results leave, a transfer of nothing stands for those before them."""
        emitter = self.emitter
        descriptor = emitter.bases[STAGING]
        for word in range(LINE // 8):
            emitter.emit("sd", ZERO, 8 * word, descriptor)
        handle = emitter.new("x")
        emitter.emit("ox.dma", handle, descriptor, emitter.integer(QUEUES["store"]))
        for number, stream in enumerate(self.streams):
            if stream.kind == "store":
                self._move(self.handles[number], handle)
                self._move(self.older[number], handle)

    def _at(self, base: Register, offset: int) -> Register:
        target = self.emitter.new("x")
        self.emitter.body += advanced(target, base, offset)
        return target

    # loops

    def _outer(self) -> None:
        """All blocks with one outer position: their common operands, the first of the others."""
        for number, stream in enumerate(self.streams):
            if stream.kind == "load":
                self._start(number, self.now[number])
                self._advance(number, inner=True)
        self.emitter.repeat(self.inner_axis.name, self.trips[1] - 1, lambda: self._step(last=False))
        self._step(last=True)
        for number in range(len(self.streams)):
            self._advance(number, inner=False)

    def _step(self, *, last: bool) -> None:
        """Compute one block between the transfers of its neighbours."""
        for number, stream in enumerate(self.streams):
            if stream.kind == "load":
                self._wait(self.handles[number])
                if stream.places == 2 and not last:
                    self._start(number, self.next[number])
                    self._advance(number, inner=True)
            else:
                self._wait(self.older[number])
        self._compute()
        for number, stream in enumerate(self.streams):
            if stream.kind == "store":
                self._move(self.older[number], self.handles[number])
                self._start(number, self.now[number])
                self._advance(number, inner=True)
            if stream.places == 2:
                spare = self.emitter.new("x")
                self._move(spare, self.now[number])
                self._move(self.now[number], self.next[number])
                self._move(self.next[number], spare)

    def _compute(self) -> None:
        emitter = self.emitter
        emitter.scopes.append(Scope())
        lowering = StageLowering(emitter, self.nest, self.block.stores)
        lowering.level(build(self.block.stores, self.nest.order))
        emitter.scopes.pop()

    # transfers

    def _start(self, number: int, place: Register) -> None:
        emitter, stream = self.emitter, self.streams[number]
        source, target = self.outside[number], place
        if stream.kind == "store":
            source, target = target, source
        emitter.emit("sd", source, 0, self.descriptors[number])
        emitter.emit("sd", target, 8, self.descriptors[number])
        queue = emitter.integer(QUEUES[stream.kind])
        emitter.emit("ox.dma", self.handles[number], self.descriptors[number], queue)

    def _wait(self, handle: Register) -> None:
        self.emitter.emit("ox.dma.wait", handle)

    def _advance(self, number: int, *, inner: bool) -> None:
        """To the next block; at the end of a row back to its start and one row on."""
        outer_move, inner_move = self.streams[number].moves
        done = self.trips[1] if inner_move else 0
        distance = inner_move if inner else outer_move - done * inner_move
        if distance:
            emitter, register = self.emitter, self.outside[number]
            emitter.emit("add", register, register, emitter.integer(distance))

    def _move(self, target: Register, source: Register) -> None:
        self.emitter.emit("addi", target, source, 0)


def _block(stage: Stage, nest: Nest, parts: Sequence[Stream]) -> tuple[Stage, Nest]:
    """The stage and the nest of one block, its accesses in the scratchpad."""
    sizes = dict(nest.blocks)
    inside = {stream.access: stream.inside for stream in parts}
    stores = cut_stores(stage.stores, sizes, lambda access: inside[access])
    order = tuple(cut(axis, sizes) for axis in nest.order)
    unroll = tuple((cut(axis, sizes), count) for axis, count in nest.unroll)
    inner = replace(nest, order=order, unroll=unroll, blocks=())
    return Stage(stores), inner
