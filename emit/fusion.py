"""Fusion: successive stages run block by block along axes that all of them share.

What one stage leaves in memory for the next is then a block and not a whole array: the rows of
scores that a softmax reads, instead of all scores. A buffer that lives in a fused range only
shrinks to a block; arrays that live longer are seen through *windows* that move along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from oxegg.emit.blocks import Blocks, Fusion, Window, cut, cut_stores
from oxegg.emit.physical import Access, Buffer, PhysicalProgram, Value, walk
from oxegg.emit.stages import Stage
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis


def shared_axes(stages: Sequence[Stage]) -> list[Axis]:
    """Axes along which the stages' results are independent, in the first result's order."""
    stores = [store for stage in stages for store in stage.stores]
    used = {v.axis for v in walk(stores) if v.axis and not _counts_safely(v)}
    common = frozenset[Axis].intersection(*(store.axes for store in stores)) - used
    return [axis for axis in stages[0].axes if axis in common]


def _counts_safely(value: Value) -> bool:
    """Whether a value only tells a position, in a type that holds every position of its axis."""
    assert value.axis is not None
    integer = value.type.is_integer and value.axis.size - 1 <= value.type.maximum
    return value.kind == "index" and integer


def fuse(
    program: PhysicalProgram, stages: Sequence[Stage], first: int, last: int, blocks: Blocks
) -> tuple[PhysicalProgram, list[Stage]]:
    """``program`` with stages ``first`` to ``last`` (not included) fused over ``blocks``.

    Raises ``EmitError`` where a block would need what other blocks compute.
    """
    group = stages[first:last]
    if any(stage.near_memory for stage in group):
        raise EmitError("what near-memory units compute can't be cut into blocks")
    sizes = dict(blocks)
    places = _Places([s for stage in group for s in stage.stores], _outside(stages, group), blocks)
    fused = [Stage(cut_stores(stage.stores, sizes, places.of)) for stage in group]
    fusion = Fusion(blocks, tuple(places.windows.values()))
    for stage in fused:
        stage.fusion = fusion
    result = [*stages[:first], *fused, *stages[last:]]
    return replace(program, stores=[s for stage in result for s in stage.stores]), result


def _outside(stages: Sequence[Stage], group: Sequence[Stage]) -> frozenset[str]:
    """Names of the buffers that stages outside a range touch."""
    others = [s for stage in stages if all(stage is not g for g in group) for s in stage.stores]
    return frozenset(v.access.buffer.name for v in walk(others) if v.access)


class _Places:
    """Where a block's accesses go."""

    def __init__(self, stores: Sequence[Value], outside: frozenset[str], blocks: Blocks) -> None:
        self.blocks = blocks
        self.windows: dict[tuple[str, tuple[int, ...]], Window] = {}
        accesses: dict[str, list[Access]] = {}
        for value in walk(stores):
            if value.access is not None:
                accesses.setdefault(value.access.buffer.name, []).append(value.access)
        written = {s.access.buffer.name for s in stores if s.access}
        self.own: dict[str, Callable[[Access], Access]] = {}
        for name in written:
            strides = {self._strides(access) for access in accesses[name]}
            if len(strides) > 1 or 0 in next(iter(strides)):
                raise EmitError("a block would read what another one computes")
            contraction = _contraction(accesses[name], blocks)
            if accesses[name][0].buffer.role == "scratch":
                if name in outside:
                    raise EmitError("a buffer of a fused range is used outside it")
                self.own[name] = contraction

    def of(self, access: Access) -> Access:
        """``access`` as a block makes it."""
        name, strides, sizes = access.buffer.name, self._strides(access), dict(self.blocks)
        if name in self.own:
            access = self.own[name](access)
        elif any(strides):
            access = replace(access, buffer=self._window(access.buffer, strides).buffer)
        return replace(access, strides=tuple((cut(a, sizes), s) for a, s in access.strides))

    def _strides(self, access: Access) -> tuple[int, ...]:
        return tuple(access.stride(axis) for axis, _ in self.blocks)

    def _window(self, buffer: Buffer, strides: tuple[int, ...]) -> Window:
        key = buffer.name, strides
        if key not in self.windows:
            steps = ",".join(map(str, strides))
            block = replace(buffer, name=f"{buffer.name} by {steps}")
            self.windows[key] = Window(block, buffer.name, strides)
        return self.windows[key]


def _contraction(accesses: Sequence[Access], blocks: Blocks) -> Callable[[Access], Access]:
    """How the accesses of a buffer change when it holds one block.

    Along each fused axis, what lies within one step stays; what spans the whole axis shrinks.
    """
    steps: list[tuple[int, int]] = []  # bytes of a whole axis, of a block's part
    buffer = accesses[0].buffer
    elements = buffer.elements

    def shrunk(stride: int) -> int:
        for whole, part in steps:
            if abs(stride) >= whole:
                if stride % whole:
                    raise EmitError("rows of a buffer overlap")
                stride = stride // whole * part
        return stride

    for axis, size in blocks:
        step = shrunk(accesses[0].stride(axis))
        if step <= 0:
            raise EmitError("a buffer runs backwards")
        if any(_within(access, axis, step, shrunk) >= step for access in accesses):
            raise EmitError("a block would read what another one computes")
        steps.append((step * axis.size, step * size))
        elements = elements // axis.size * size
    smaller = replace(buffer, elements=elements)

    def contract(access: Access) -> Access:
        strides = tuple((axis, shrunk(stride)) for axis, stride in access.strides)
        return Access(smaller, strides, access.offset)

    return contract


def _within(access: Access, axis: Axis, step: int, shrunk: Callable[[int], int]) -> int:
    """Last byte of an access from the start of its step along ``axis``."""
    end = access.offset + access.buffer.type.bytes - 1
    for other, stride in access.strides:
        if other == axis or shrunk(stride) % (step * axis.size) == 0:
            continue
        if shrunk(stride) < 0:
            raise EmitError("a buffer runs backwards")
        end += shrunk(stride) * (other.size - 1)
    return end


def ranges(stages: Sequence[Stage]) -> Iterator[tuple[int, int]]:
    """Every run of successive stages of the core: (first, past the last)."""
    for first in range(len(stages)):
        for last in range(first + 1, len(stages) + 1):
            if stages[last - 1].near_memory:
                break
            yield first, last
