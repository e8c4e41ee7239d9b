"""Where the tile shape is set, and which loads go ahead of their loop."""

from __future__ import annotations

from itertools import count

from oxegg.emit.lowering.rotation import rotated
from oxegg.emit.lowering.tile_shapes import UNKNOWN, with_shapes
from oxegg.emit.program import Loop, MemoryRef, Operation, Register, TileShape

FULL, RAGGED = (16, 16, 64), (16, 3, 64)
BASE = Register("x", 1)


def _integer(value: int) -> Register:
    return Register("x", 1000 + value)


def _multiply(tile: TileShape) -> Operation:
    return Operation("ox.mm.ss", (16, 0, 1), tile=tile)


def _names(body: list[Operation | Loop]) -> list[str]:
    return [item.name if isinstance(item, Operation) else "loop" for item in body]


def test_a_shape_is_set_once_before_a_loop_that_keeps_it() -> None:
    loop = Loop("l", 4, [_multiply(FULL), _multiply(FULL)])
    body, end = with_shapes([loop], UNKNOWN, _integer)
    assert end == FULL
    assert _names(body) == ["ox.tset.m", "ox.tset.n", "ox.tset.k", "loop"]
    assert isinstance(body[-1], Loop)
    assert _names(body[-1].body) == ["ox.mm.ss", "ox.mm.ss"]


def test_a_shape_that_changes_in_a_loop_is_set_in_every_iteration() -> None:
    both: list[Operation | Loop] = [_multiply(FULL), _multiply(RAGGED)]
    body, end = with_shapes([Loop("l", 4, both)], UNKNOWN, _integer)
    assert end == RAGGED
    loop = body[-1]
    assert isinstance(loop, Loop)
    inside = _names(loop.body)
    assert inside == ["ox.tset.n", "ox.mm.ss", "ox.tset.n", "ox.mm.ss"]


def test_nothing_is_set_for_instructions_that_take_any_shape() -> None:
    body, end = with_shapes([Operation("ox.tzero", (16,), tile=(0, 0, 0))], FULL, _integer)
    assert (_names(body), end) == (["ox.tzero"], FULL)


def test_a_shape_that_is_set_already_is_not_set_again() -> None:
    body, _ = with_shapes([_multiply(RAGGED)], FULL, _integer)
    assert _names(body) == ["ox.tset.n", "ox.mm.ss"]


def _load(tile: int, buffer: str = "a") -> Operation:
    memory = MemoryRef(buffer, "load")
    return Operation("ox.tld.a", (tile, BASE, BASE), memory=memory, tile=FULL)


def test_loads_of_tiles_that_the_body_has_not_touched_go_ahead() -> None:
    body: list[Operation | Loop] = [_load(0), _load(1), _multiply(FULL), _load(0)]
    split = rotated(body)
    assert split is not None
    assert [chain[-1].operands[0] for chain in split.ahead] == [0, 1]
    assert _names(list(split.rest)) == ["ox.mm.ss", "ox.tld.a"]


def test_loads_from_memory_that_the_body_writes_stay() -> None:
    store = Operation("ox.tst.c", (16, BASE, BASE), memory=MemoryRef("a", "store"), tile=FULL)
    assert rotated([_load(0), _multiply(FULL), store]) is None


def test_a_load_takes_its_address_along() -> None:
    numbers = count(10)
    address = Register("x", next(numbers))
    first = Operation("addi", (address, BASE, 64))
    load = Operation("ox.tld.b", (1, address, BASE), memory=MemoryRef("b", "load"), tile=FULL)
    split = rotated([first, load, _multiply(FULL)])
    assert split is not None
    assert split.ahead == ((first, load),)
    assert _names(list(split.rest)) == ["ox.mm.ss"]
