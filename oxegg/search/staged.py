"""Which blocks of a product to stage through the scratchpad, by what they move and compute."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from math import ceil, prod

from oxegg.costmodels import Machine
from oxegg.emit.lowering.staging import Stream, chunks, staging_bytes, streams
from oxegg.emit.nest import Nest
from oxegg.emit.physical import walk
from oxegg.emit.stages import Stage
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis

SPM_SHARE = 0.9  # of the scratchpad; the rest holds spilled registers and small buffers
L2_SHARE = 0.5  # of the cache; the rest holds what else passes through it
BLOCK_COST = 120.0  # cycles from a block's last product to the next one's first
KEPT = 3  # ways to cut that are worth trying


def staged_nests(stage: Stage, nest: Nest, work: float, machine: Machine) -> list[Nest]:
    """The best ways to cut a stage's result into blocks; ``work``: cycles of its products alone."""
    found: list[tuple[float, Nest]] = []
    choices = itertools.product(_cuts(stage, nest, machine), _cacheable(stage, machine))
    for blocks, cached in choices:
        cut = replace(nest, blocks=blocks, cached=cached)
        cycles = staged_cycles(stage, cut, work + block_costs(cut), machine)
        if cycles is not None:
            found.append((cycles, cut))
    return [nest for _, nest in sorted(found, key=lambda one: one[0])[:KEPT]]


def block_costs(nest: Nest) -> float:
    """Cycles between the products of successive blocks."""
    return BLOCK_COST * prod(ceil(axis.size / size) for axis, size in nest.blocks)


def _cacheable(stage: Stage, machine: Machine) -> list[tuple[str, ...]]:
    """Nothing, or one operand that fits the L2 cache."""
    size = L2_SHARE * machine.l2.bytes if machine.l2 else 0
    loads = [v.access.buffer for v in walk(stage.stores) if v.access and v.kind == "tile load"]
    fitting = [buffer.name for buffer in loads if buffer.bytes <= size]
    return [(), *((name,) for name in dict.fromkeys(fitting))]


def unstaged_cycles(stage: Stage, work: float, machine: Machine) -> float:
    """Cycles when every line's first touch is waited for: memory and products one by one."""
    buffers = {v.access.buffer.name: v.access.buffer for v in walk(stage.stores) if v.access}
    kept = "scratch" if stage.fusion else None  # a block's buffers stay near
    moved = {name: b.bytes for name, b in buffers.items() if b.role != kept}
    return work + sum(moved.values()) / machine.dram_bytes_per_cycle


def _cuts(stage: Stage, nest: Nest, machine: Machine) -> Iterator[tuple[tuple[Axis, int], ...]]:
    """Sizes of blocks along the two axes of the result's tiles, in either order."""
    tensor, tile = machine.tensor, stage.stores[0].tile
    if tensor is None or tile is None or machine.dma is None or len(stage.stores) > 1:
        return
    sizes = [_block_sizes(axis, tensor.rows, nest.copies(axis)) for axis in tile]
    for first, second in itertools.product(*sizes):
        for chunk in _chunks(stage, nest, 4 * tensor.rows):
            yield (tile[0], first), (tile[1], second), *chunk
            yield (tile[1], second), (tile[0], first), *chunk


def _chunks(stage: Stage, nest: Nest, depth: int) -> list[tuple[tuple[Axis, int], ...]]:
    """The reduced axis whole, in halves or in quarters; ``depth``: bytes of a tile's row."""
    (product,) = stage.stores[0].operands
    found: list[tuple[tuple[Axis, int], ...]] = [()]
    if product.kind == "tile product" and product.axis is not None:
        axis = product.axis
        step = nest.copies(axis) * max(1, depth // product.operands[0].type.bytes)
        sizes = [step * ceil(axis.size / (parts * step)) for parts in (2, 4)]
        found += [((axis, size),) for size in dict.fromkeys(sizes) if size < axis.size]
    return found


def _block_sizes(axis: Axis, rows: int, copies: int) -> list[int]:
    """Steps of the nest and their doubles, divisors of the axis, and all of it."""
    step = rows * copies
    doubles = [step << number for number in range(axis.size.bit_length())]
    divisors = [s for s in range(step, axis.size, step) if axis.size % s == 0]
    return [*dict.fromkeys(s for s in (*doubles, *divisors) if s < axis.size), axis.size]


def staged_cycles(stage: Stage, nest: Nest, work: float, machine: Machine) -> float | None:
    """Cycles of a staged nest whose core is busy for ``work``; None if it doesn't fit.

    Either products or transfers set the pace, each with what they wait for.
    """
    try:
        if staging_bytes(stage, nest) > SPM_SHARE * machine.spm_bytes:
            return None
        found = chunks(stage, nest)
        return sum(_chunk_cycles(*chunk, work / len(found), machine) for chunk in found)
    except EmitError:
        return None


def _chunk_cycles(stage: Stage, nest: Nest, work: float, machine: Machine) -> float:
    parts = list(streams(stage, nest).values())
    (outer, big), (inner, small) = nest.blocks
    rows, columns = outer.size / big, inner.size / small
    rate = machine.dram_bytes_per_cycle
    moved = sum(_traffic(part, rows, columns) for part in parts)
    cached = {part.access.buffer: part.access for part in parts if part.kind == "cached"}
    fetched = sum(
        prod(axis.size for axis, _ in access.strides) * buffer.type.bytes
        for buffer, access in cached.items()
    )
    first = sum(part.rows * part.row_bytes for part in parts if part.kind == "load")
    last = sum(part.rows * part.row_bytes for part in parts if part.kind == "store")
    # Before the first block of every outer step, its operands are waited for; the last results of
    # a step leave after its last products, however late their operands came.
    waiting = fetched + rows * first + last  # bytes that nothing is computed behind
    computing = waiting / rate + work
    moving = (fetched + moved) / rate + work / ceil(columns)
    return max(computing, moving) + rows * machine.dram_latency


def _traffic(part: Stream, rows: float, columns: float) -> float:
    times = rows * (columns if part.moves[1] else 1)
    return part.rows * part.row_bytes * times


def stageable(stage: Stage) -> bool:
    """Whether a stage is one product over two axes whose operands lie in memory."""
    values = list(walk(stage.stores))
    tiles = all(v.tile for v in values if v.kind != "immediate")
    return tiles and stage.fusion is None and len(stage.stores[0].axes) == 2
