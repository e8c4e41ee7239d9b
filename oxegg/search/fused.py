"""Which stages to fuse, and into blocks of what size: until buffers fit into the scratchpad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from oxegg.costmodels import Machine
from oxegg.emit.blocks import Blocks
from oxegg.emit.fusion import fuse, ranges, shared_axes
from oxegg.emit.lowering.program import scratch_layout
from oxegg.emit.physical import walk
from oxegg.emit.stages import Stage, buffers_read
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis
from oxegg.search.programs import Candidate


def within(candidate: Candidate, machine: Machine, room: int) -> Candidate:
    """``candidate`` with buffers of at most ``room`` bytes, or as few as fusion leads to.

    Of all orders and ranges of stages and the smallest blocks, those that leave least; then the
    blocks grow while there is room, so that what is done once per block is done seldom.
    """
    if scratch_bytes(candidate) <= room:
        return candidate
    best, needed = candidate, scratch_bytes(candidate)
    chosen: tuple[Candidate, int, int, dict[Axis, int]] | None = None
    for ordered in _orders(candidate):
        for first, last in ranges(ordered.stages):
            sizes = _smallest(ordered.stages[first:last], machine)
            found = _fused(ordered, first, last, sizes)
            if found is not None and scratch_bytes(found) < needed:
                best, needed, chosen = found, scratch_bytes(found), (ordered, first, last, sizes)
    if chosen is None:
        return candidate
    ordered, first, last, sizes = chosen
    for axis in reversed(list(sizes)):
        while sizes[axis] < axis.size:
            sizes[axis] = min(2 * sizes[axis], axis.size)
            found = _fused(ordered, first, last, sizes)
            if found is None or scratch_bytes(found) > room:
                break
            best = found
    return best


def _orders(candidate: Candidate) -> Iterator[Candidate]:
    """``candidate``, and per axis with what doesn't have the axis, as far as it waits for nothing.

    Ranges are successive stages: what lies between two of them, such as another layout of an
    operand, goes before both.
    """
    yield candidate
    axes = dict.fromkeys(axis for stage in candidate.stages for axis in stage.axes)
    tried = [[id(stage) for stage in candidate.stages]]
    for axis in axes:
        stages = _without_first(candidate.stages, axis)
        order = [id(stage) for stage in stages]
        if order not in tried:
            tried.append(order)
            stores = [store for stage in stages for store in stage.stores]
            program = replace(candidate.program, stores=stores)
            yield replace(candidate, stages=tuple(stages), changed=program)


def _without_first(stages: Sequence[Stage], axis: Axis) -> list[Stage]:
    early: list[Stage] = []
    late: list[Stage] = []
    for stage in stages:
        waits = buffers_read(stage.stores) & _written(late) or _written([stage]) & _touched(late)
        has_axis = any(axis in value.domain for value in walk(stage.stores))
        (late if waits or has_axis or stage.near_memory else early).append(stage)
    return [*early, *late]


def _written(stages: Sequence[Stage]) -> set[str]:
    return {s.access.buffer.name for stage in stages for s in stage.stores if s.access}


def _touched(stages: Sequence[Stage]) -> set[str]:
    stores = [store for stage in stages for store in stage.stores]
    return buffers_read(stores) | _written(stages)


def scratch_bytes(candidate: Candidate) -> int:
    """Bytes of all buffers of its own."""
    return scratch_layout(candidate.program)[1]


def _fused(
    candidate: Candidate, first: int, last: int, sizes: Mapping[Axis, int]
) -> Candidate | None:
    blocks: Blocks = tuple((axis, size) for axis, size in sizes.items() if size < axis.size)
    if not blocks:
        return None
    with suppress(EmitError):
        program, stages = fuse(candidate.program, candidate.stages, first, last, blocks)
        label = ", ".join(f"{axis.name}/{size}" for axis, size in blocks)
        return replace(
            candidate, label=f"{candidate.label} by {label}", stages=tuple(stages), changed=program
        )
    return None


def _smallest(stages: Sequence[Stage], machine: Machine) -> dict[Axis, int]:
    """Blocks of one tile, one register of the widest lanes, or one element along each axis."""
    values = list(walk([store for stage in stages for store in stage.stores]))
    rows = machine.tensor.rows if machine.tensor else 1
    sizes: dict[Axis, int] = {}
    for axis in shared_axes(stages):
        tiles = [rows for v in values if v.tile and axis in v.tile]
        lanes = [machine.vlen // max(v.type.bits, 8) for v in values if v.lane == axis]
        sizes[axis] = min(max(min(lanes, default=1), *tiles, 1), axis.size)
    return sizes
