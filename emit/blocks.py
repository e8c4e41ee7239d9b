"""Blocks: the same computation over parts of its axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from oxegg.emit.physical import Access, Buffer, Value, walk
from oxegg.ir.affine import Axis

Blocks = tuple[tuple[Axis, int], ...]
"""Axes cut into blocks of so many elements, outermost first."""


@dataclass(frozen=True)
class Window:
    """``buffer``: what a block sees of ``source``; ``strides``: bytes per step of the cut axes."""

    buffer: Buffer
    source: str
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Fusion:
    """Loops over blocks that successive stages share.

    Where blocks don't divide an axis, the last one overlaps the one before.
    """

    blocks: Blocks
    windows: tuple[Window, ...]


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
