"""Which stages to run block by block on operands that DMA brings, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from math import ceil, prod

from oxegg.costmodels import Machine
from oxegg.emit.blocks import Fusion
from oxegg.emit.fusion import fuse, ranges, shared_axes
from oxegg.emit.lowering.copies import with_copies
from oxegg.emit.physical import Buffer, PhysicalProgram, walk
from oxegg.emit.stages import Stage
from oxegg.emit.streaming import stream
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis
from oxegg.search.fused import scratch_bytes
from oxegg.search.programs import Candidate

FEWEST_BLOCKS = 4  # the first one's transfer and the last one's are not hidden
SMALLEST = 1024  # bytes that a block moves, for what every block costs
BLOCK_COST = 150.0  # cycles from a block's last results to the next one's first


def streamed(candidate: Candidate, machine: Machine, room: int) -> Iterator[list[Candidate]]:
    """``candidate`` with as many successive stages as possible over blocks of one axis.

    For each axis those whose streams ``room`` bytes of scratchpad hold, the largest blocks first.
    """
    for first, last in sorted(ranges(candidate.stages), key=lambda r: r[0] - r[1]):
        axes = shared_axes(candidate.stages[first:last])
        found = [list(_sized(candidate, first, last, axis, room)) for axis in axes]
        if any(found):
            yield from filter(None, found)
            return


def _sized(
    candidate: Candidate, first: int, last: int, axis: Axis, room: int
) -> Iterator[Candidate]:
    """Blocks of a quarter, an eighth and so on of an axis."""
    size = ceil(axis.size / FEWEST_BLOCKS)
    smallest = False
    while size < axis.size and not smallest:
        with suppress(EmitError):
            program, stages = fuse(
                candidate.program, candidate.stages, first, last, ((axis, size),)
            )
            program, stages = stream(program, stages)
            label = f"{candidate.label} streamed by {axis.name}/{size}"
            one = replace(candidate, label=label, stages=tuple(stages), changed=program)
            blocks = _fusion(stages)
            left = room - scratch_bytes(one) - blocks.staging_bytes
            if left >= 0:
                smallest = blocks.place_bytes <= SMALLEST
                yield replace(one, changed=_others_copied(program, blocks, left))
        smallest = smallest or size == 1
        size = ceil(size / 2)


def _others_copied(program: PhysicalProgram, blocks: Fusion, room: int) -> PhysicalProgram:
    """What every block reads anew comes to the scratchpad as a whole."""
    windows = {window.source for window in blocks.windows}
    read = {v.access.buffer.name for v in walk(program.stores) if v.access} - windows
    return with_copies(program, room, read.__contains__)


def _fusion(stages: Sequence[Stage]) -> Fusion:
    return next(stage.fusion for stage in stages if stage.fusion is not None)


def fusion(candidate: Candidate) -> Fusion | None:
    """The blocks that a program's streams move in, if it has any."""
    found = (stage.fusion for stage in candidate.stages if stage.fusion is not None)
    return next((one for one in found if one.streams), None)


def all_near(candidate: Candidate) -> bool:
    """Whether whatever loops read arrives by DMA, in blocks or as a whole."""
    blocks = fusion(candidate)
    return blocks is not None and not any(b.role == "input" for b in _far(candidate, blocks))


def _far(candidate: Candidate, blocks: Fusion) -> set[Buffer]:
    """Buffers that loops access where they lie in DRAM."""
    near = {window.buffer.name for window, _ in blocks.streams}
    near |= {buffer.name for buffer, _ in candidate.program.copies}
    used = {v.access.buffer for v in walk(candidate.program.stores) if v.access}
    return {b for b in used if b.name not in near and b.role != "scratch"}


def cycles(candidate: Candidate, work: float, machine: Machine) -> float:
    """Cycles of a program whose core is busy for ``work``, apart from what blocks cost.

    Either that or the memory sets the pace; the first block comes and the last one leaves while
    nothing is computed, and nothing is moved while the last one is computed.
    """
    blocks = fusion(candidate)
    assert blocks is not None
    counts = [ceil(axis.size / size) for axis, size in blocks.blocks]
    number, rate = prod(counts), machine.dram_bytes_per_cycle
    bytes_ = sum(t.rows * t.row_bytes for _, t in blocks.streams)
    # The next block's operands are asked for when the last one's have arrived.
    moving = bytes_ / rate + machine.dram_latency + (machine.dma.setup if machine.dma else 0)
    computing = work / number + BLOCK_COST
    copied = [buffer for buffer, _ in candidate.program.copies]
    waited = sum(buffer.bytes for buffer in (*_far(candidate, blocks), *copied))
    busy = max(number * computing + moving, number * moving + computing)
    return busy + waited / rate + machine.dram_latency * prod(counts[:-1])
