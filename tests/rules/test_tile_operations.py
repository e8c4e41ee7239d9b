"""Rows of operations on tiles: the pattern is what the instruction's record says of an element."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from oxegg.ir import Axis, evaluate, input_
from oxegg.ir.types import ElementType
from oxegg.isa import TABLE
from oxegg.rule_lab.instances import random_values, to_term
from oxegg.rules.pattern import Apply, Pattern, Variable
from oxegg.rules.tensor_engine import OPERATIONS, TileOperation
from oxegg.sim.tile import Tiles
from oxegg.sim.tile_reference import TileReference

R = 8
ROWS, COLUMNS = Axis("i", R), Axis("j", R)


def operand_type(pattern: Pattern, of: ElementType) -> ElementType | None:
    """The type in which a pattern reads its variable."""
    if isinstance(pattern, Variable):
        return of
    if not isinstance(pattern, Apply):
        return None
    own = pattern.operand_type or of
    return next(filter(None, (operand_type(child, own) for child in pattern.children)), None)


def elements(row: TileOperation, type_: ElementType, seed: int) -> npt.NDArray[Any]:
    """Numbers of all sizes that the row admits, its limits among them."""
    rng = np.random.default_rng(seed)
    values = random_values(rng, input_("x", type_, (ROWS, COLUMNS)), special=True)
    if type_.is_integer:
        values = values >> rng.integers(0, 31, (R, R)).astype(values.dtype)
    if row.among is not None:
        values = np.clip(values, *row.among)
        values[0, :2] = row.among
    return values.astype(type_.numpy)


@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.key)
def test_pattern_is_the_record(row: TileOperation) -> None:
    type_ = operand_type(row.pattern, row.type)
    assert type_ is not None
    x = input_("x", type_, (ROWS, COLUMNS))
    term = to_term(row.pattern, row.type, row.type, {"x": x}, {})
    record = TABLE[row.instruction]
    target = 3 if row.narrow else 16
    values = [{"rd": target, "rs1": 17}.get(operand.name, 0) for operand in record.operands]
    for seed in range(20):
        array = elements(row, type_, seed)
        tiles = Tiles(R)
        tiles.m, tiles.n, tiles.k = R, R, 4 * R
        tiles.register(17)[:] = np.ascontiguousarray(array).view(np.uint8).reshape(R, 4 * R)
        reference = TileReference(tiles, load=_nothing, store=_nothing)
        reference.execute(record, values, {"rs2": row.scalar or 0})
        bytes_ = tiles.register(target)[:, : R * row.type.bytes]
        found = np.ascontiguousarray(bytes_).view(row.type.numpy)
        (expected,) = evaluate([term], {"x": array})
        same = (found == expected) | ((found != found) & (expected != expected))
        assert same.all(), (array[~same], found[~same], expected[~same])


def _nothing(*arguments: int) -> Any:
    raise AssertionError(f"no operation on tiles reads or writes memory: {arguments}")
