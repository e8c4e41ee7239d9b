"""Assembly text, derived from the records."""

import re
from collections.abc import Callable, Mapping, Sequence

from oxegg.isa.codec import complete, encode
from oxegg.isa.record import Instruction, Operand
from oxegg.isa.registers import F_NAMES, ROUNDING_MODES, X_NAMES, tile_name
from oxegg.isa.table import TABLE
from oxegg.isa.vtype import decode_vtype

FENCE_BITS = "iorw"
RENDER: Mapping[str, Callable[[int], str]] = {
    "x": lambda value: X_NAMES[value],
    "f": lambda value: F_NAMES[value],
    "v": lambda value: f"v{value}",
    "mask": lambda value: "v0.t" if value else "",
    "v0": lambda _: "v0",
    "imm": str,
    "label": str,
    "csr": hex,
    "rm": lambda value: ROUNDING_MODES[value],
    "vtype": lambda value: str(decode_vtype(value) or value),
    "t": tile_name,
    "tr": tile_name,
    "acc": tile_name,
    "g": lambda value: f"g{value}",
    "h": lambda value: f"h{value}",
    "s": lambda value: f"s{value}",
}


def _fence_set(value: int) -> str:
    names = "".join(name for bit, name in zip((8, 4, 2, 1), FENCE_BITS, strict=True) if value & bit)
    return names or "0"


def _render(operand: Operand, value: int) -> str:
    if operand.name in ("pred", "succ"):
        return _fence_set(value)
    return RENDER[operand.kind](value)


def operand_text(record: Instruction, values: Sequence[int | bool]) -> str:
    """The operand part of the assembly text; an absent mask and a default rounding mode vanish."""
    texts = {
        operand.name: _render(operand, int(value))
        for operand, value in zip(record.operands, values, strict=True)
    }
    for operand, value in zip(record.operands, values, strict=True):
        if operand.kind == "rm" and value == operand.default:
            texts[operand.name] = ""
    text = re.sub(r"[a-z]\w*", lambda match: texts[match[0]], record.syntax)
    return text.removesuffix(", ")


def assembly(name: str, operands: Sequence[int | bool]) -> str:
    """Text that an assembler turns into ``encode(name, operands)``.

    Instructions of non-standard extensions (``X...``), OXM-1's own among them, become ``.insn r``
    with the mnemonic in a comment, so that an assembler that has never heard of them takes them.
    """
    record = TABLE[name]
    values = complete(record, operands)
    text = f"{name} {operand_text(record, values)}".rstrip()
    if not record.extension.startswith("X"):
        return text
    word = encode(name, operands)
    fields = (word & 0x7F, word >> 12 & 7, word >> 25)
    registers = ", ".join(f"x{word >> shift & 31}" for shift in (7, 15, 20))
    return ".insn r {:#x}, {}, {}, ".format(*fields) + f"{registers} # {text}"
