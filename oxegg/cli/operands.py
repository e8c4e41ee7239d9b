"""Operands of one instruction as a person types them: ``a0, 8(sp)``, ``v8, (a0), v0.t``."""

import re
from collections.abc import Iterable, Mapping

from oxegg.errors import UsageError
from oxegg.isa import Instruction, Operand
from oxegg.isa.registers import CSR_NUMBERS, F_NAMES, ROUNDING_MODES, X_NAMES, tile_name
from oxegg.isa.vtype import LMULS, SEWS

OPTIONAL = ("mask", "v0", "rm")  # what encode() fills in when it is left out
FENCE_SET = "wroi"  # from bit 0 upwards


def _numbered(prefix: str, count: int) -> dict[str, int]:
    return {f"{prefix}{number}": number for number in range(count)}


def _named(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


TILES = {tile_name(number): number for number in range(8)}
ACCUMULATORS = {tile_name(number): number for number in range(16, 20)}
NAMES: Mapping[str, Mapping[str, int]] = {
    "x": {**_named(X_NAMES), **_numbered("x", 32), "fp": 8},
    "f": {**_named(F_NAMES), **_numbered("f", 32)},
    "v": _numbered("v", 32),
    "t": {**TILES, **ACCUMULATORS},
    "tr": TILES,
    "acc": ACCUMULATORS,
    "g": _numbered("g", 8),
    "h": _numbered("h", 8),
    "s": _numbered("s", 8),
    "mask": {"v0.t": 1},
    "v0": {"v0": 1},
    "rm": {name: number for number, name in ROUNDING_MODES.items()},
}
VTYPE: Mapping[str, int] = {
    **{f"e{sew}": field << 3 for field, sew in enumerate(SEWS)},
    **{f"m{lmul}": field for lmul, field in LMULS.items() if lmul >= 1},
    **{f"mf{lmul.denominator}": field for lmul, field in LMULS.items() if lmul < 1},
    **{"ta": 1 << 6, "tu": 0, "ma": 1 << 7, "mu": 0},
}


def parse_operands(text: str, instruction: Instruction) -> tuple[int | bool, ...]:
    """Values in assembly order of register names, immediates and branch targets (byte offsets).

    Optional operands that the text leaves out are left out. Raises ``UsageError``.
    """
    words = re.findall(r"[^\s,()]+", text)
    hint = f"write {instruction.name} {instruction.syntax}".rstrip()
    values: list[int | bool] = []
    for operand in instruction.operands:
        if operand.kind == "vtype":
            values.append(_vtype(words))
            words = []
        elif words:
            values.append(_value(words.pop(0), operand))
        elif operand.kind not in OPTIONAL:
            raise UsageError(f"operand {operand.name} is missing", hint=hint)
    if words:
        raise UsageError(f"there is no operand for {words[0]!r}", hint=hint)
    return tuple(values)


def _value(word: str, operand: Operand) -> int | bool:
    names = NAMES.get(operand.kind)
    if names is None:
        return _number(word, operand)
    if word not in names:
        shown = ", ".join(list(names)[:3]) + (", ..." if len(names) > 3 else "")
        raise UsageError(
            f"{word!r} is not a value for operand {operand.name}", hint=f"it can be {shown}"
        )
    return bool(names[word]) if operand.kind in ("mask", "v0") else names[word]


def _number(word: str, operand: Operand) -> int:
    if operand.kind == "csr" and word in CSR_NUMBERS:
        return CSR_NUMBERS[word]
    if operand.name in ("pred", "succ") and set(word) <= set(FENCE_SET):
        return sum(1 << FENCE_SET.index(letter) for letter in word)
    try:
        return int(word, 0)
    except ValueError:
        raise UsageError(
            f"{word!r} is not a number for operand {operand.name}",
            hint="immediates and branch targets (byte offsets) are written as numbers",
        ) from None


def _vtype(words: list[str]) -> int:
    """The bits of ``e32, m4, ta, ma``."""
    unknown = [word for word in words if word not in VTYPE]
    if unknown or not words:
        raise UsageError(
            f"{unknown[0] if unknown else 'nothing'!r} is not part of a vtype",
            hint="write it like e32, m4, ta, ma",
        )
    return sum(VTYPE[word] for word in words)
