"""Blocks of a product brought into the scratchpad by DMA, and results carried out.

The nest cuts two axes of the result into blocks, the outer axis first. Operands that move with the
outer axis alone are fetched once per outer step. Those that move with the inner axis have two
places in the scratchpad: while one block is computed, the next one's operands come in and the last
one's results leave. What is left over where blocks don't divide an axis is staged after the rest.
Where the nest cuts the reduced axis, too, all that is done chunk by chunk: each loads the sums that
the one before has stored.

Arrays that the nest calls cached stay where they are: strided loads touch every line of them once,
at the pace of the memory, and from then on tiles are loaded from the L2 cache.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from oxegg.emit.blocks import cut, cut_stores
from oxegg.emit.loop_tree import build
from oxegg.emit.lowering.addresses import advanced
from oxegg.emit.lowering.emitter import Emitter, Scope
from oxegg.emit.lowering.loops import Stage as StageLowering
from oxegg.emit.nest import Nest
from oxegg.emit.physical import Access, Buffer, Value, walk
from oxegg.emit.program import ZERO, MemoryRef, Register, VectorState
from oxegg.emit.stages import Stage
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis

STAGING = "staged blocks"
PARTIAL = "partial sums in "
LINE = 64  # bytes: alignment of blocks, size of a descriptor
QUEUES = {"load": 0, "store": 1}


@dataclass(frozen=True)
class Stream:
    """One operand or result, block by block; ``kind`` is load, store or cached.

    ``rows`` rows of ``row_bytes`` bytes lie ``stride`` bytes apart outside. In the scratchpad,
    rows lie ``pitch`` bytes apart; where ``element`` isn't 0, they are columns of elements of so
    many bytes: tiles are then loaded row by row, which takes half the time. ``moves``: bytes from
    block to block along the outer and the inner axis.
    """

    access: Access
    inside: Access
    kind: str
    rows: int
    row_bytes: int
    stride: int
    pitch: int
    element: int
    moves: tuple[int, int]

    @property
    def places(self) -> int:
        """Blocks of it in the scratchpad."""
        if self.kind == "cached":
            return 0
        return 2 if self.moves[1] or (self.kind == "store" and self.moves[0]) else 1

    @property
    def bytes(self) -> int:
        """Of one block in the scratchpad, whole lines."""
        rows = self.row_bytes // self.element if self.element else self.rows
        return -(-rows * self.pitch // LINE) * LINE


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
        if access.buffer.name in nest.cached:
            kind = "cached"
        columns = value.tile[0] if value.kind == "tile load" and value.tile else None
        found[access] = _stream(access, kind, sizes, (outer, inner), columns, len(found))
    return found


def _stream(
    access: Access,
    kind: str,
    sizes: Mapping[Axis, int],
    blocked: tuple[Axis, Axis],
    columns: Axis | None,
    number: int,
) -> Stream:
    """The stream of one access; ``columns``: the axis along which tiles have their rows."""
    size = access.buffer.type.bytes
    buffer = Buffer(f"{STAGING} {number}", access.buffer.type, 0, "scratch", 0)
    moves = [access.stride(a) * sizes[a] if sizes[a] < a.size else 0 for a in blocked]
    if kind == "cached":
        same = tuple((cut(axis, sizes), stride) for axis, stride in access.strides)
        return Stream(access, Access(buffer, same), kind, 0, 0, 0, 0, 0, (moves[0], moves[1]))
    extents = {axis: sizes.get(axis, axis.size) for axis, _ in access.strides}
    dense = [axis for axis, stride in access.strides if stride == size]
    others = [(axis, stride) for axis, stride in access.strides if axis not in dense]
    if len(dense) != 1 or len(others) > 1:
        raise EmitError("only rows of contiguous elements can be staged")
    row_bytes = extents[dense[0]] * size
    rows, stride = (extents[others[0][0]], others[0][1]) if others else (1, row_bytes)
    if stride < 0 or row_bytes % 4:
        raise EmitError("rows of odd sizes or in reverse can't be staged")
    element = size if others and columns == dense[0] else 0
    pitch = -(-(rows * size if element else row_bytes) // 8) * 8
    along = pitch if element else size  # from element to element of a row outside
    inside = {axis: pitch + size - along for axis, _ in others} | {dense[0]: along}
    strides = tuple((cut(axis, sizes), inside[axis]) for axis, _ in access.strides)
    return Stream(
        access, Access(buffer, strides), kind, rows, row_bytes, stride, pitch, element,
        (moves[0], moves[1]),
    )  # fmt: skip


def staging_bytes(stage: Stage, nest: Nest) -> int:
    """Scratchpad that a staged nest needs: blocks and descriptors."""
    if not nest.blocks:
        return 0
    parts = [part for chunk in chunks(stage, nest) for part in _regions(*chunk)]
    return max(_region_bytes(*region) for region in parts)


def _region_bytes(stage: Stage, nest: Nest) -> int:
    parts = streams(stage, nest).values()
    return LINE + sum(stream.places * stream.bytes + LINE for stream in parts if stream.places)


def lower_staged(emitter: Emitter, stage: Stage, nest: Nest) -> None:
    """The loops over blocks around the loops of one block."""
    fetched: set[str] = set()
    for chunk in chunks(stage, nest):
        for value in walk(chunk[0].stores):
            if value.access and value.access.buffer.name.startswith(PARTIAL):
                whole = value.access.buffer.name.removeprefix(PARTIAL)
                emitter.bases[value.access.buffer.name] = emitter.bases[whole]
        for region in _regions(*chunk):
            _Staging(emitter, *region, fetched).lower()


def chunks(stage: Stage, nest: Nest) -> list[tuple[Stage, Nest]]:
    """The parts of a stage whose reduced axis is cut, the third block of its nest, and their nests.

    All but the first continue from the partial sums that the one before has stored.
    """
    if len(nest.blocks) < 3:
        return [(stage, nest)]
    (axis, size), pair = nest.blocks[2], nest.blocks[:2]
    parts: list[tuple[Stage, Nest]] = []
    for first in range(0, axis.size, size):
        whole = _continued(stage) if first else stage
        length = min(size, axis.size - first)
        parts.append(_region(whole, replace(nest, blocks=pair), {axis: (first, length, length)}))
    return parts


def _continued(stage: Stage) -> Stage:
    """``stage``, its product added to what its result already holds."""
    (store,) = stage.stores
    (product,) = store.operands
    access = store.access
    if product.kind != "tile product" or access is None:
        raise EmitError("only plain products can be stored as partial sums")
    partial = replace(access, buffer=replace(access.buffer, name=PARTIAL + access.buffer.name))
    load = Value("tile load", store.type, product.axes, space="a", access=partial,
                 tile=product.tile)  # fmt: skip
    sums = replace(product, operands=(*product.operands[:2], load))
    return Stage([replace(store, operands=(sums,))])


def _regions(stage: Stage, nest: Nest) -> list[tuple[Stage, Nest]]:
    """The parts of a stage that consist of blocks of one size, and their nests."""
    ranges = [_ranges(axis, size) for axis, size in nest.blocks]
    return [_region(stage, nest, dict(parts)) for parts in itertools.product(*ranges)]


def _ranges(axis: Axis, size: int) -> list[tuple[Axis, tuple[int, int, int]]]:
    """First index, length and size of a block: of whole blocks, and of what is left over."""
    rest = axis.size % size
    whole = (axis, (0, axis.size - rest, size))
    return [whole, (axis, (axis.size - rest, rest, rest))] if rest else [whole]


def _region(
    stage: Stage, nest: Nest, ranges: Mapping[Axis, tuple[int, int, int]]
) -> tuple[Stage, Nest]:
    lengths = {axis: length for axis, (_, length, _) in ranges.items()}

    def moved(access: Access) -> Access:
        offset = sum(access.stride(axis) * first for axis, (first, _, _) in ranges.items())
        strides = tuple((cut(axis, lengths), stride) for axis, stride in access.strides)
        return Access(access.buffer, strides, access.offset + offset)

    blocks = tuple(
        (cut(axis, lengths), ranges[axis][2] if axis in ranges else size)
        for axis, size in nest.blocks
    )
    part, inner = _resized(stage, nest, lengths, moved)
    return part, replace(inner, blocks=blocks)


@dataclass
class _Move:
    """The registers of one stream.

    ``outside`` is the address of its next block, ``now`` the place of the present one, ``next``
    the other place, ``handle`` the last transfer, ``older`` the one before. ``descriptor`` is an
    offset into the staging area: its registers are scarce.
    """

    stream: Stream
    outside: Register
    now: Register
    next: Register
    descriptor: int = 0
    handle: Register = ZERO
    older: Register = ZERO


class _Staging:
    def __init__(self, emitter: Emitter, stage: Stage, nest: Nest, fetched: set[str]) -> None:
        self.emitter, self.fetched = emitter, fetched
        parts = list(streams(stage, nest).values())
        self.block, self.nest = _block(stage, nest, parts)
        (outer, big), (inner, small) = nest.blocks
        self.trips = outer.size // big, inner.size // small
        self.inner_axis = inner
        self.moves = self._placed(parts)
        self.loads = [move for move in self.moves if move.stream.kind == "load"]
        self.stores = [move for move in self.moves if move.stream.kind == "store"]
        self.cached = [move for move in self.moves if move.stream.kind == "cached"]

    def lower(self) -> None:
        self._idle()
        if self.trips[0] > 1:
            self._fetch_all()
        self.emitter.repeat(self.inner_axis.name, self.trips[0], self._outer)
        for move in self.stores:
            self._wait(move.older)
            self._wait(move.handle)

    # set-up

    def _placed(self, parts: Sequence[Stream]) -> list[_Move]:
        """Places in the scratchpad, and descriptors but for the addresses."""
        emitter, result = self.emitter, list[_Move]()
        staged = sum(1 for stream in parts if stream.places)
        descriptor, offset = LINE, LINE * (staged + 1)
        for stream in parts:
            base = emitter.bases[stream.access.buffer.name]
            outside = self._at(base, stream.access.offset)
            move = _Move(stream, outside, outside, outside)
            if stream.places:
                base = emitter.bases[STAGING]
                move.now = self._at(base, offset)
                move.next = self._at(base, offset + (stream.places - 1) * stream.bytes)
                move.handle, move.older = emitter.new("x"), emitter.new("x")
                move.descriptor = descriptor
                descriptor, offset = descriptor + LINE, offset + stream.places * stream.bytes
                self._describe(move)
            emitter.bases[stream.inside.buffer.name] = move.now
            result.append(move)
        return result

    def _describe(self, move: _Move) -> None:
        stream, emitter = move.stream, self.emitter
        strides = [stream.stride, stream.pitch]
        if stream.kind == "store":
            strides.reverse()
        words = (stream.row_bytes, stream.rows, *strides, stream.element, 0)
        for word, value in enumerate(words, start=2):
            base, offset = emitter.bases[STAGING], move.descriptor + 8 * word
            emitter.emit("sd", emitter.integer(value), offset, base)

    def _idle(self) -> None:
        """Before the first results leave, a transfer of nothing stands for those before them."""
        emitter = self.emitter
        descriptor = emitter.bases[STAGING]
        for word in range(LINE // 8):
            emitter.emit("sd", ZERO, 8 * word, descriptor)
        handle = emitter.new("x")
        emitter.emit("ox.dma", handle, descriptor, emitter.integer(QUEUES["store"]))
        for move in self.stores:
            self._copy(move.handle, handle)
            self._copy(move.older, handle)

    def _fetch_all(self) -> None:
        for buffer in dict.fromkeys(move.stream.access.buffer for move in self.cached):
            if buffer.name not in self.fetched:
                self._fetch(buffer)
                self.fetched.add(buffer.name)

    def _fetch(self, buffer: Buffer) -> None:
        """Touch every line of an array: one byte of as many lines as a register has bytes."""
        emitter = self.emitter
        lanes = emitter.machine.vlen // 8
        pointer, line = self._at(emitter.bases[buffer.name], 0), emitter.integer(LINE)

        def touch(lines: int) -> None:
            data, state = emitter.new("v"), VectorState(8, Fraction(1), lines)
            memory = MemoryRef(buffer.name, "load")
            emitter.emit("vlse8.v", data, pointer, line, state=state, memory=memory)
            emitter.emit("add", pointer, pointer, emitter.integer(lanes * LINE))

        trips, rest = divmod(-(-buffer.bytes // LINE), lanes)
        emitter.repeat(self.inner_axis.name, trips, lambda: touch(lanes))
        if rest:
            touch(rest)

    def _at(self, base: Register, offset: int) -> Register:
        target = self.emitter.new("x")
        self.emitter.body += advanced(target, base, offset)
        return target

    # loops

    def _outer(self) -> None:
        """All blocks with one outer position: their common operands, the first of the others."""
        for move in self.loads:
            self._start(move, move.now)
            self._advance(move, inner=True)
        if self.trips[0] == 1:
            self._fetch_all()  # behind the first blocks
        self.emitter.repeat(self.inner_axis.name, self.trips[1] - 1, lambda: self._step(last=False))
        self._step(last=True)
        for move in self.moves:
            self._advance(move, inner=False)

    def _step(self, *, last: bool) -> None:
        """Compute one block between the transfers of its neighbours."""
        for move in self.loads:
            self._wait(move.handle)
            if move.stream.places == 2 and not last:
                self._start(move, move.next)
                self._advance(move, inner=True)
        for move in self.stores:
            self._wait(move.older)
        self._compute()
        for move in self.stores:
            self._copy(move.older, move.handle)
            self._start(move, move.now)
        for move in (*self.stores, *self.cached):
            self._advance(move, inner=True)
        for move in self.moves:
            if move.stream.places == 2:
                spare = self.emitter.new("x")
                self._copy(spare, move.now)
                self._copy(move.now, move.next)
                self._copy(move.next, spare)

    def _compute(self) -> None:
        emitter = self.emitter
        emitter.scopes.append(Scope())
        lowering = StageLowering(emitter, self.nest, self.block.stores)
        lowering.level(build(self.block.stores, self.nest.order))
        emitter.scopes.pop()

    # transfers

    def _start(self, move: _Move, place: Register) -> None:
        emitter, kind = self.emitter, move.stream.kind
        source, target = move.outside, place
        if kind == "store":
            source, target = target, source
        base = emitter.bases[STAGING]
        emitter.emit("sd", source, move.descriptor, base)
        emitter.emit("sd", target, move.descriptor + 8, base)
        descriptor = self._at(base, move.descriptor)
        emitter.emit("ox.dma", move.handle, descriptor, emitter.integer(QUEUES[kind]))

    def _wait(self, handle: Register) -> None:
        self.emitter.emit("ox.dma.wait", handle)

    def _advance(self, move: _Move, *, inner: bool) -> None:
        """To the next block; at the end of a row back to its start and one row on."""
        outer_move, inner_move = move.stream.moves
        done = self.trips[1] if inner_move else 0
        distance = inner_move if inner else outer_move - done * inner_move
        if distance:
            emitter, register = self.emitter, move.outside
            emitter.emit("add", register, register, emitter.integer(distance))

    def _copy(self, target: Register, source: Register) -> None:
        self.emitter.emit("addi", target, source, 0)


def _block(stage: Stage, nest: Nest, parts: Sequence[Stream]) -> tuple[Stage, Nest]:
    """The stage and the nest of one block, its accesses in the scratchpad."""
    inside = {stream.access: stream.inside for stream in parts}
    block, inner = _resized(stage, nest, dict(nest.blocks), inside.__getitem__)
    return block, replace(inner, blocks=())


def _resized(
    stage: Stage, nest: Nest, sizes: Mapping[Axis, int], place: Callable[[Access], Access]
) -> tuple[Stage, Nest]:
    """A stage and its nest with axes of other sizes; ``place`` says where an access then lies."""
    order = tuple(cut(axis, sizes) for axis in nest.order)
    unroll = tuple((cut(axis, sizes), count) for axis, count in nest.unroll)
    stores = cut_stores(stage.stores, sizes, place)
    return Stage(stores), replace(nest, order=order, unroll=unroll)
