"""Streams: what fused stages read and write in DRAM passes through the scratchpad, block by block.

A window that moves along with the blocks becomes a stream if a block's part of it is, but for
little in between, some rows of contiguous bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from oxegg.emit.blocks import Fusion, Transfer, Window, cut_stores
from oxegg.emit.physical import Access, PhysicalProgram, Value, walk
from oxegg.emit.stages import Stage
from oxegg.errors import EmitError

WASTE = 2.0  # bytes moved per byte that an access touches
PACKED = 1.25  # bytes moved in one row per byte in several, which are slower to fetch
ALIGNMENT = 8  # bytes, of rows in the scratchpad


def stream(
    program: PhysicalProgram, stages: Sequence[Stage]
) -> tuple[PhysicalProgram, list[Stage]]:
    """``program`` with the windows of its fused stages streamed, as far as they can be.

    Raises ``EmitError`` where none can.
    """
    fused = [stage for stage in stages if stage.fusion is not None]
    if not fused or fused[0].fusion is None:
        raise EmitError("no stage is cut into blocks")
    others = [store for stage in stages if stage.fusion is None for store in stage.stores]
    outside = {v.access.buffer.name for v in walk(others) if v.access}
    stores = [store for stage in fused for store in stage.stores]
    ways = {
        window.buffer.name: way
        for window in fused[0].fusion.windows
        if (way := _way(window, stores, outside)) is not None
    }
    if not ways:
        raise EmitError("nothing that a block reads or writes lies in rows")
    result = [_streamed(stage, ways) for stage in stages]
    return replace(program, stores=[s for stage in result for s in stage.stores]), result


@dataclass(frozen=True)
class _Way:
    """How a window is transferred, and where in the scratchpad an access to it then goes."""

    transfer: Transfer
    inside: Callable[[Access], Access]


def _streamed(stage: Stage, ways: Mapping[str, _Way]) -> Stage:
    if stage.fusion is None:
        return stage

    def place(access: Access) -> Access:
        way = ways.get(access.buffer.name)
        return way.inside(access) if way else access

    windows = tuple(
        replace(w, transfer=ways[w.buffer.name].transfer) if w.buffer.name in ways else w
        for w in stage.fusion.windows
    )
    return Stage(cut_stores(stage.stores, {}, place), Fusion(stage.fusion.blocks, windows))


def _way(window: Window, stores: Sequence[Value], outside: set[str]) -> _Way | None:
    """How to stream a window that the given stores read and write."""
    users = [v for v in walk(stores) if v.access and v.access.buffer.name == window.buffer.name]
    accesses = [v.access for v in users if v.access]
    written = [v.access for v in users if v.access and v.kind == "store"]
    reversed_ = any(stride < 0 for access in accesses for _, stride in access.strides)
    if reversed_ or any(v.kind == "gather" for v in users):
        return None
    if written and window.source in outside:
        return None
    ways = list(_ways(accesses, "store" if written else "load"))
    most = min(PACKED * min(map(_moved, ways)), WASTE * max(map(_touched, accesses)))
    fitting = (w for w in ways if _moved(w) <= most and (not written or _fills(w, written)))
    return next(fitting, None)


def _moved(way: _Way) -> int:
    return way.transfer.rows * way.transfer.row_bytes


def _fills(way: _Way, written: Sequence[Access]) -> bool:
    """Whether one of the stores leaves no byte as it was."""
    return any(_injective(access) and _touched(access) == _moved(way) for access in written)


def _ways(accesses: Sequence[Access], kind: Literal["load", "store"]) -> Iterator[_Way]:
    """All bytes between the first and the last one; rows as far apart as one of the strides."""
    sizes = {stride for access in accesses for axis, stride in access.strides if axis.size > 1}
    whole = max(map(_end, accesses)) + 1
    for stride in (whole, *sorted(sizes - {0}, reverse=True)):
        parts = [_split(access, stride) for access in accesses]
        if any(part is None for part in parts):
            continue
        rows, within = zip(*(part for part in parts if part is not None), strict=True)
        first, offset = min(r.offset for r in rows), min(w.offset for w in within)
        row_bytes = max(map(_end, within)) - offset
        if row_bytes > stride:
            continue
        pitch = -(-row_bytes // ALIGNMENT) * ALIGNMENT
        count = 1 + (max(map(_last, rows)) - first) // stride
        transfer = Transfer(kind, first + offset, count, row_bytes, stride, pitch)
        yield _Way(transfer, _inside(transfer, first, offset))


def _split(access: Access, stride: int) -> tuple[Access, Access] | None:
    """The parts of an access from row to row, ``stride`` bytes apart, and within a row."""
    outer = [(axis, s) for axis, s in access.strides if s >= stride and axis.size > 1]
    inner = [(axis, s) for axis, s in access.strides if s < stride and axis.size > 1]
    if any(s % stride for _, s in outer):
        return None
    row = access.offset // stride * stride
    return (
        replace(access, strides=tuple(outer), offset=row),
        replace(access, strides=tuple(inner), offset=access.offset - row),
    )


def _inside(transfer: Transfer, first: int, offset: int) -> Callable[[Access], Access]:
    stride, pitch = transfer.stride, transfer.pitch

    def inside(access: Access) -> Access:
        row, within = divmod(access.offset, stride)
        strides = tuple(
            (axis, s // stride * pitch if s >= stride else s) for axis, s in access.strides
        )
        start = (row - first // stride) * pitch + within - offset
        return replace(access, strides=strides, offset=start)

    return inside


def _last(access: Access) -> int:
    """Offset of the last element."""
    return access.offset + sum(stride * (axis.size - 1) for axis, stride in access.strides)


def _end(access: Access) -> int:
    return _last(access) + access.buffer.type.bytes


def _touched(access: Access) -> int:
    """Bytes that an access touches: windows that overlap, and broadcasts, touch some repeatedly."""
    steps: dict[int, int] = {}
    for axis, stride in access.strides:
        steps[stride] = steps.get(stride, 0) + axis.size - 1
    dense, pieces = access.buffer.type.bytes, 1
    for stride, count in sorted(steps.items()):
        if stride <= dense:
            dense += stride * count
        else:
            pieces *= count + 1
    return pieces * dense


def _injective(access: Access) -> bool:
    """Whether no two positions share a byte."""
    reach = access.buffer.type.bytes
    for stride, size in sorted((s, axis.size) for axis, s in access.strides if axis.size > 1):
        if stride < reach:
            return False
        reach = stride * size
    return True
