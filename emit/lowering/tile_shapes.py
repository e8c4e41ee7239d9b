"""Putting ``ox.tset`` where the tile shape changes.

Rows, columns and bytes of a row (m, n, k) are set separately. A loop finds the same shape on every
iteration when it is set before the loop and either never changes inside or is back at the end.
"""

from __future__ import annotations

from collections.abc import Callable

from oxegg.emit.program import ZERO, Loop, Operation, Register, TileShape

Integer = Callable[[int], Register]
"""Gives a register that holds a number."""

UNKNOWN: TileShape = (0, 0, 0)
"""Nothing is known of the shape: each of its numbers is set before it is needed."""
_SETTERS = ("ox.tset.m", "ox.tset.n", "ox.tset.k")


def with_shapes(
    body: list[Operation | Loop], shape: TileShape, integer: Integer
) -> tuple[list[Operation | Loop], TileShape]:
    """``body`` with the shapes set that its tile instructions ask for, and the shape behind it.

    ``shape`` is set already.
    """
    result: list[Operation | Loop] = []
    for item in body:
        if isinstance(item, Loop):
            before, inside, shape = _loop(item, shape, integer)
            result += [*before, inside]
        else:
            if item.tile is not None:
                changes, shape = _changes(shape, item.tile, integer)
                result += changes
            result.append(item)
    return result, shape


def _loop(
    loop: Loop, shape: TileShape, integer: Integer
) -> tuple[list[Operation], Loop, TileShape]:
    """What to set before a loop, the loop, and the shape behind it."""
    before, shape = _changes(shape, _first(loop.body), integer)
    body, end = with_shapes(loop.body, shape, integer)
    if end != shape:
        kept = tuple(a if a == b else 0 for a, b in zip(shape, end, strict=True))
        assert len(kept) == 3
        body, end = with_shapes(loop.body, kept, integer)
    return before, Loop(loop.label, loop.trips, body), end


def _first(body: list[Operation | Loop]) -> TileShape:
    """What the first tile instructions of a body ask for."""
    m = n = k = 0
    for item in body:
        wanted = _first(item.body) if isinstance(item, Loop) else item.tile
        if wanted is not None:
            m, n, k = m or wanted[0], n or wanted[1], k or wanted[2]
    return m, n, k


def _changes(
    shape: TileShape, wanted: TileShape, integer: Integer
) -> tuple[list[Operation], TileShape]:
    changes: list[Operation] = []
    result = list(shape)
    for number, (old, new) in enumerate(zip(shape, wanted, strict=True)):
        if new and new != old:
            changes.append(Operation(_SETTERS[number], (ZERO, integer(new))))
            result[number] = new
    m, n, k = result
    return changes, (m, n, k)
