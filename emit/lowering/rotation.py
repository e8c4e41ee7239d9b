"""Tile loads one iteration ahead: while the array multiplies, the port fetches.

A loop whose body starts by loading tiles makes the array wait for them. Rotated, the loads of the
first iteration stand before the loop, each iteration loads what the next one starts with, and
the last iteration, which has nothing to load, follows the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from oxegg.emit.program import Loop, Operation, Register

INPUT_TILE = "ox.tld"
_MEMORY_BASE = 1  # place of the address among a tile load's operands
Body = list[Operation | Loop]


@dataclass(frozen=True)
class Rotated:
    """``ahead`` are loads with their addresses; ``rest`` is the remainder of the body."""

    ahead: tuple[tuple[Operation, ...], ...]
    rest: tuple[Operation, ...]


def rotated(body: Sequence[Operation | Loop]) -> Rotated | None:
    """Split a straight-line body; None when nothing can be loaded ahead."""
    operations = [item for item in body if isinstance(item, Operation)]
    if len(operations) < len(body):
        return None
    written = {o.memory.buffer for o in operations if o.memory and o.memory.kind == "store"}
    touched: set[int] = set()
    chains: list[tuple[Operation, ...]] = []
    for index, operation in enumerate(operations):
        if operation.tile is None:
            continue
        tiles = {o for o in operation.operands if isinstance(o, int)}
        safe = operation.memory is not None and operation.memory.buffer not in written
        if _is_load(operation) and safe and not tiles & touched:
            chains.append(_with_address(operations[:index], operation))
        touched |= tiles
    if not chains:
        return None
    moved = {id(chain[-1]) for chain in chains}
    addresses = {id(o) for chain in chains for o in chain[:-1]}
    rest = [o for o in operations if id(o) not in moved]
    return Rotated(tuple(chains), tuple(_without_dead(rest, addresses)))


def start_of_loop(body: Sequence[Operation | Loop]) -> int | None:
    """Where the only loop of a body begins, if tiles are at work before it."""
    places = [index for index, item in enumerate(body) if isinstance(item, Loop)]
    if len(places) != 1:
        return None
    (start,) = places
    loop = body[start]
    assert isinstance(loop, Loop)
    if any(isinstance(item, Loop) for item in loop.body):
        return None
    tiles = any(isinstance(item, Operation) and item.tile is not None for item in body[:start])
    return start if tiles else None


def relabelled(
    body: Sequence[Operation | Loop], label: Callable[[str], str]
) -> list[Operation | Loop]:
    """A second copy of a body, its loops under labels of their own."""
    result: list[Operation | Loop] = []
    for item in body:
        if isinstance(item, Loop):
            name = label(item.label.partition("_")[2])
            inner = relabelled(item.body[:-1], label)
            branch = item.body[-1]
            assert isinstance(branch, Operation)
            back = replace(branch, operands=(*branch.operands[:-1], name))
            item = Loop(name, item.trips, [*inner, back])
        result.append(item)
    return result


def _is_load(operation: Operation) -> bool:
    target = operation.operands[0]
    return operation.name.startswith(INPUT_TILE) and isinstance(target, int) and target < 8


def _with_address(before: Sequence[Operation], load: Operation) -> tuple[Operation, ...]:
    """A load behind what computes its address inside the body."""
    wanted = {load.operands[_MEMORY_BASE]}
    chain = [load]
    for operation in reversed(before):
        target = operation.operands[0] if operation.operands else None
        if operation.tile is None and target in wanted and isinstance(target, Register):
            chain.append(operation)
            wanted |= {o for o in operation.operands[1:] if isinstance(o, Register)}
    return tuple(reversed(chain))


def _without_dead(operations: Sequence[Operation], suspects: set[int]) -> list[Operation]:
    """Without those address computations that nothing uses any more."""
    needed: set[Register] = set()
    kept: list[Operation] = []
    for operation in reversed(operations):
        if id(operation) in suspects and operation.operands[0] not in needed:
            continue
        kept.append(operation)
        needed |= {o for o in operation.operands if isinstance(o, Register)}
    return kept[::-1]


def fresh(chain: Sequence[Operation], new: Callable[[], Register]) -> list[Operation]:
    """A copy of a load with its address in registers of its own."""
    names: dict[Register, Register] = {}
    for operation in chain[:-1]:
        target = operation.operands[0]
        assert isinstance(target, Register)
        names.setdefault(target, new())
    return [
        replace(
            o, operands=tuple(names.get(x, x) if isinstance(x, Register) else x for x in o.operands)
        )
        for o in chain
    ]


def interleaved(
    rest: Sequence[Operation], steps: Sequence[Operation], ahead: Sequence[Sequence[Operation]]
) -> list[Operation]:
    """The body of a rotated loop: pointers step after their last use, loads as soon as they may.

    ``steps`` advance one pointer each.
    """
    last: dict[Register | int, int] = {}
    for index, operation in enumerate(rest):
        for operand in operation.operands:
            if isinstance(operand, Register) or (operation.tile and isinstance(operand, int)):
                last[operand] = index
    places: dict[int, list[Operation]] = {}
    stepped: dict[Register, int] = {}
    for step in steps:
        pointer = step.operands[0]
        assert isinstance(pointer, Register)
        stepped[pointer] = last.get(pointer, -1)
        places.setdefault(stepped[pointer], []).append(step)
    for chain in ahead:
        tile = chain[-1].operands[0]
        assert isinstance(tile, int)
        used = [o for part in chain for o in part.operands if isinstance(o, Register)]
        place = max([last.get(tile, -1), *(stepped[r] for r in used if r in stepped)])
        places.setdefault(place, []).extend(chain)
    result = list(places.get(-1, []))
    for index, operation in enumerate(rest):
        result.append(operation)
        result += places.get(index, [])
    return result
