"""V: loads and stores, unit-stride, strided, indexed, segmented and of whole registers."""

from collections.abc import Iterator
from typing import Literal

from oxegg.isa.record import Instruction, instruction

WIDTH_FIELD = {8: 0, 16: 5, 32: 6, 64: 7}
WIDTHS = tuple(WIDTH_FIELD)
UNIT_STRIDE, INDEXED_UNORDERED, STRIDED, INDEXED_ORDERED = range(4)
# bits 24..20 of a unit-stride access
PLAIN, WHOLE, MASK, FAULT_FIRST = 0x00, 0x08, 0x0B, 0x10

Direction = Literal["load", "store"]
DATA = {"load": "vd", "store": "vs3"}
OPCODE = {"load": 0x07, "store": 0x27}


def _encoding(
    direction: Direction, fields: int, mode: int, middle: str, width: int, mask: str = "vm"
) -> str:
    data = DATA[direction]
    return (
        f"31..29={fields - 1} 28=0 27..26={mode} {mask} {middle} rs1 "
        f"14..12={WIDTH_FIELD[width]} {data} 6..0={OPCODE[direction]}"
    )


def _record(name: str, encoding: str, syntax: str, way: str, direction: Direction) -> Instruction:
    """``way`` is the operation of the semantics after the direction, such as ``strided``."""
    data = DATA[direction]
    address = "rs1" + {"strided": ", rs2", "indexed": ", vs2"}.get(way, "")
    loads = direction == "load"
    semantics = f"vd = load_{way}({address})" if loads else f"store_{way}({address}, {data})"
    suffix = "_segment" if "seg" in name else {"unit": "", "fault_first": ""}.get(way, f"_{way}")
    return instruction(name, "V", encoding, syntax, semantics, f"v{direction}{suffix}", direction)


def _unit_and_strided(direction: Direction, fields: int, width: int) -> Iterator[Instruction]:
    """Accesses whose element width is part of the name."""
    letter, data = direction[0], f"{DATA[direction]}:e{width}^{fields}"
    segment = f"seg{fields}" if fields > 1 else ""
    yield _record(
        f"v{letter}{segment}e{width}.v",
        _encoding(direction, fields, UNIT_STRIDE, f"24..20={PLAIN}", width),
        f"{data}, (rs1), vm", "unit", direction,
    )  # fmt: skip
    yield _record(
        f"v{letter}s{segment}e{width}.v",
        _encoding(direction, fields, STRIDED, "rs2", width),
        f"{data}, (rs1), rs2, vm", "strided", direction,
    )  # fmt: skip
    if direction == "load":
        yield _record(
            f"vl{segment}e{width}ff.v",
            _encoding(direction, fields, UNIT_STRIDE, f"24..20={FAULT_FIRST}", width),
            f"{data}, (rs1), vm", "fault_first", direction,
        )  # fmt: skip


def _indexed(direction: Direction, fields: int, width: int) -> Iterator[Instruction]:
    """Accesses whose index width is part of the name; the data have SEW bits."""
    letter = direction[0]
    data = f"{DATA[direction]}^{fields}"
    segment = f"seg{fields}" if fields > 1 else ""
    for order, mode in (("u", INDEXED_UNORDERED), ("o", INDEXED_ORDERED)):
        yield _record(
            f"v{letter}{order}x{segment}ei{width}.v",
            _encoding(direction, fields, mode, "vs2", width),
            f"{data}, (rs1), vs2:e{width}, vm", "indexed", direction,
        )  # fmt: skip


def _whole(direction: Direction, registers: int, width: int) -> Instruction:
    name = f"vl{registers}re{width}.v" if direction == "load" else f"vs{registers}r.v"
    encoding = _encoding(direction, registers, UNIT_STRIDE, f"24..20={WHOLE}", width, "25=1")
    return _record(name, encoding, f"{DATA[direction]}:r{registers}, (rs1)", "whole", direction)


def _mask(direction: Direction) -> Instruction:
    encoding = _encoding(direction, 1, UNIT_STRIDE, f"24..20={MASK}", 8, "25=1")
    return _record(
        f"v{direction[0]}m.v", encoding, f"{DATA[direction]}:mask, (rs1)", "mask", direction
    )


DIRECTIONS: tuple[Direction, Direction] = ("load", "store")
INSTRUCTIONS: tuple[Instruction, ...] = (
    *(record for direction in DIRECTIONS for fields in range(1, 9) for width in WIDTHS
      for record in (*_unit_and_strided(direction, fields, width),
                     *_indexed(direction, fields, width))),
    *(_whole("load", count, width) for count in (1, 2, 4, 8) for width in WIDTHS),
    *(_whole("store", count, 8) for count in (1, 2, 4, 8)),
    *(_mask(direction) for direction in DIRECTIONS),
)  # fmt: skip
