"""Which blocks become a region: those connected with a hot one."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from oxegg.sim.blocks import Block

MAX_INSTRUCTIONS = 400
"""Guest instructions of a region; compilation takes about a millisecond for each."""


class Counted(Protocol):
    """A block and how often it was executed."""

    @property
    def block(self) -> Block: ...
    @property
    def runs(self) -> int: ...


Item = TypeVar("Item", bound=Counted)


def successors(block: Block) -> Iterator[int]:
    """Addresses at which execution can go on, as far as the code tells."""
    last = block.instructions[-1]
    name, operands = last.record.name, last.operands
    if last.record.timing == "branch":
        yield last.pc + operands["offset12"]
        yield block.end
    elif name == "jal":
        yield last.pc + operands["offset20"]
        if operands["rd"]:
            yield block.end
    elif last.record.timing != "jump" or operands["rd"]:
        yield block.end


def connected(seed: Item, others: Iterable[Item]) -> list[Item]:
    """``seed`` and the items that were executed more than once, nearest first.

    Items of one address are variants of a block; where one goes, all others at that address may.
    """
    by_pc: dict[int, list[Item]] = {}
    for item in others:
        if item is seed or item.runs > 1:
            by_pc.setdefault(item.block.start, []).append(item)
    near = _neighbours({pc: items[0].block for pc, items in by_pc.items()})
    chosen: list[Item] = [seed]
    size, reached = len(seed.block.instructions), {seed.block.start}
    queue = deque([seed.block.start])
    while queue:
        pc = queue.popleft()
        for item in sorted(by_pc[pc], key=lambda item: -item.runs):
            length = len(item.block.instructions)
            if item is not seed and size + length <= MAX_INSTRUCTIONS:
                chosen.append(item)
                size += length
        fresh = [at for at in near[pc] if at not in reached]
        reached.update(fresh)
        queue.extend(fresh)
    return chosen


def _neighbours(blocks: Mapping[int, Block]) -> dict[int, list[int]]:
    """Blocks before and after each block."""
    near: dict[int, list[int]] = {pc: [] for pc in blocks}
    for pc, block in blocks.items():
        for target in successors(block):
            if target in near:
                near[pc].append(target)
                near[target].append(pc)
    return near
