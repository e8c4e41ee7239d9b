"""Blocks: the same computation over parts of its axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from oxegg.emit.physical import Access, Buffer, Value, walk
from oxegg.ir.affine import Axis

Blocks = tuple[tuple[Axis, int], ...]
"""Axes cut into blocks of so many elements, outermost first."""


LINE = 64
"""Bytes: the alignment of blocks in the scratchpad, the size of a DMA descriptor."""


@dataclass(frozen=True)
class Transfer:
    """A block's part of an array on its way through the scratchpad: ``kind`` says where to.

    ``rows`` rows of ``row_bytes`` bytes lie ``stride`` bytes apart outside, the first one
    ``offset`` bytes behind the block's start, and ``pitch`` bytes apart inside.
    """

    kind: Literal["load", "store"]
    offset: int
    rows: int
    row_bytes: int
    stride: int
    pitch: int

    @property
    def bytes(self) -> int:
        """Of its place in the scratchpad, whole lines."""
        return -(-self.rows * self.pitch // LINE) * LINE


@dataclass(frozen=True)
class Window:
    """``buffer``: what a block sees of ``source``; ``strides``: bytes per step of the cut axes.

    With a ``transfer`` the buffer lies in the scratchpad.
    """

    buffer: Buffer
    source: str
    strides: tuple[int, ...]
    transfer: Transfer | None = None


@dataclass(frozen=True)
class Fusion:
    """Loops over blocks that successive stages share.

    Where blocks don't divide an axis, the last one overlaps the one before.
    """

    blocks: Blocks
    windows: tuple[Window, ...]

    @property
    def streams(self) -> list[tuple[Window, Transfer]]:
        """The windows that DMA fills or empties."""
        return [(w, w.transfer) for w in self.windows if w.transfer is not None]

    @property
    def place_bytes(self) -> int:
        """Of one place in the scratchpad for all streams; there are two, to take turns."""
        return sum(transfer.bytes for _, transfer in self.streams)

    @property
    def staging_bytes(self) -> int:
        """Of scratchpad for the streams: both places, and descriptors."""
        count = len(self.streams)
        return (1 + count) * LINE + 2 * self.place_bytes if count else 0


def cut(axis: Axis, sizes: Mapping[Axis, int]) -> Axis:
    """``axis`` as a block sees it."""
    return Axis(axis.name, sizes.get(axis, axis.size))


def cut_stores(
    stores: Sequence[Value], sizes: Mapping[Axis, int], place: Callable[[Access], Access]
) -> list[Value]:
    """``stores`` and all under them over cut axes; ``place``: where a block's data lie."""
    made: dict[int, Value] = {}
    for value in _with_states(stores):
        made[id(value)] = replace(
            value,
            axes=frozenset(cut(axis, sizes) for axis in value.axes),
            lane=value.lane and cut(value.lane, sizes),
            operands=tuple(made[id(operand)] for operand in value.operands),
            states=tuple(made[id(state)] for state in value.states),
            axis=value.axis and cut(value.axis, sizes),
            access=value.access and place(value.access),
            tile=value.tile and (cut(value.tile[0], sizes), cut(value.tile[1], sizes)),
        )
    return [made[id(store)] for store in stores]


def _with_states(stores: Sequence[Value]) -> list[Value]:
    """Every value under ``stores``, operands first; a fold's states (leaves) before the fold."""
    values = list(walk(stores))
    states = [state for value in values for state in value.states]
    return list({id(v): v for v in [*walk(states), *values]}.values())
