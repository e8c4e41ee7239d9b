"""Operands of one instruction as a person types them: ``a0, 8(sp)``, ``v8, (a0), v0.t``."""

import re
from collections.abc import Mapping

from oxegg.errors import UsageError
from oxegg.isa import Operand

X_NAMES = "zero ra sp gp tp t0-2 s0-1 a0-7 s2-11 t3-6"
F_NAMES = "ft0-7 fs0-1 fa0-7 fs2-11 ft8-11"
ROUNDING = {"rne": 0, "rtz": 1, "rdn": 2, "rup": 3, "rmm": 4, "dyn": 7}
FENCE_SET = "wroi"  # bit 0 upwards
VTYPE = {
    **{f"e{8 << code}": code << 3 for code in range(4)},
    **{f"m{1 << code}": code for code in range(4)},
    **{f"mf{1 << (8 - code)}": code for code in (5, 6, 7)},
    **{"ta": 1 << 6, "ma": 1 << 7, "tu": 0, "mu": 0},
}


def _numbered(prefix: str, count: int, first: int = 0) -> dict[str, int]:
    return {f"{prefix}{index}": first + index for index in range(count)}


def _named(ranges: str) -> dict[str, int]:
    """Numbers from 0 upwards for names in order, where ``t0-2`` stands for t0, t1 and t2."""
    names: list[str] = []
    for word in ranges.split():
        match = re.fullmatch(r"([a-z]+)(\d+)-(\d+)", word)
        if match:
            names += [f"{match[1]}{index}" for index in range(int(match[2]), int(match[3]) + 1)]
        else:
            names.append(word)
    return {name: index for index, name in enumerate(names)}


REGISTERS: Mapping[str, Mapping[str, int]] = {
    "x": {**_numbered("x", 32), **_named(X_NAMES), "fp": 8},
    "f": {**_numbered("f", 32), **_named(F_NAMES)},
    "v": _numbered("v", 32),
    "t": {**_numbered("tr", 8), **_numbered("acc", 4, first=16)},
    "tr": _numbered("tr", 8),
    "acc": _numbered("acc", 4, first=16),
    "g": _numbered("g", 8),
    "h": _numbered("h", 8),
    "s": _numbered("s", 8),
    "mask": {"v0.t": 1},
    "rm": ROUNDING,
}
ABSENT: Mapping[str, int | bool] = {"mask": False, "rm": ROUNDING["dyn"]}


def parse_operands(text: str, operands: tuple[Operand, ...]) -> tuple[int | bool, ...]:
    """Values in assembly order; register names and numbers, immediates, byte offsets.

    An absent mask is ``False``, an absent rounding mode ``dyn``. Raises ``UsageError``.
    """
    words = re.findall(r"[^\s,()]+", text)
    values: list[int | bool] = []
    for operand in operands:
        if operand.kind == "vtype":
            values.append(_vtype(words))
        elif words:
            values.append(_value(words.pop(0), operand))
        elif operand.kind in ABSENT:
            values.append(ABSENT[operand.kind])
        else:
            raise UsageError(f"operand {operand.name} is missing", hint=_expected(operands))
    if words:
        raise UsageError(f"there is no operand for {words[0]!r}", hint=_expected(operands))
    return tuple(values)


def _value(word: str, operand: Operand) -> int | bool:
    if operand.kind in REGISTERS:
        names = REGISTERS[operand.kind]
        if word not in names:
            shown = ", ".join(list(names)[:3])
            raise UsageError(
                f"{word!r} is not a value for operand {operand.name}",
                hint=f"write one of {shown}{', ...' if len(names) > 3 else ''}",
            )
        return bool(names[word]) if operand.kind == "mask" else names[word]
    if operand.name in ("pred", "succ") and set(word) <= set(FENCE_SET):
        return sum(1 << FENCE_SET.index(letter) for letter in word)
    return _number(word, operand.name)


def _number(word: str, name: str) -> int:
    try:
        return int(word, 0)
    except ValueError:
        raise UsageError(
            f"{word!r} is not a number for operand {name}",
            hint="immediates, CSRs and branch targets (byte offsets) are written as numbers",
        ) from None


def _vtype(words: list[str]) -> int:
    """The vtype bits of ``e32, m4, ta, ma`` (all of ``words``), or one plain number."""
    taken, words[:] = list(words), []
    if len(taken) == 1 and taken[0] not in VTYPE:
        return _number(taken[0], "vtype")
    unknown = [word for word in taken if word not in VTYPE]
    if unknown or not taken:
        raise UsageError(
            f"{unknown[0] if unknown else 'nothing'!r} is not part of a vtype",
            hint="write it like e32, m4, ta, ma",
        )
    return sum(VTYPE[word] for word in taken)


def _expected(operands: tuple[Operand, ...]) -> str:
    return f"the operands are {', '.join(operand.name for operand in operands) or 'none'}"
