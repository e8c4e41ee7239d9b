"""What the rule lab says about a wrong rule: the counterexample, inline, and how to replay it."""

from __future__ import annotations

from typing import Any

import numpy as np

from oxegg.ir.types import ElementType
from oxegg.rule_lab.ladder import Counterexample
from oxegg.rules.evidence import FILE, evidence_file
from oxegg.rules.pattern import Rule
from oxegg.rules.text import pattern_text, rule_text
from oxegg.rules.wellformed import variable_types


def refutation(rule: Rule, type_: ElementType, found: Counterexample) -> str:
    """``file:line: refuted: ...`` with the values of both sides."""
    lines = [
        f"{rule.where}: refuted: {rule.name} is wrong at {type_}",
        f"    {rule_text(rule)}",
    ]
    shown = ", ".join(f"{name} = {value_text(value)}" for name, value in found.inputs.items())
    lines.append(f"  counterexample   {shown}")
    sides = {f"left   {pattern_text(rule.left)}": found.left,
             f"right  {pattern_text(rule.right)}": found.right}  # fmt: skip
    width = max(len(side) for side in sides)
    for side, value in sides.items():
        lines.append(f"    {side:<{width}}  = {value_text(value)}")
    lines.append(f"  hint: {_hint(rule, found)}")
    if all(np.ndim(value) == 0 for value in found.inputs.values()):
        words = [f"{name}={_plain(value)}" for name, value in found.inputs.items()]
        replay = " ".join([rule.name, "--at", type_.name, *words, *_option(rule)])
        lines.append(f"      replay: oxegg rules check {replay}")
    return "\n".join(lines)


def _option(rule: Rule) -> list[str]:
    """What loads the row, if it isn't one of oxegg's."""
    file = (rule.where or "").rpartition(":")[0]
    return [] if evidence_file(rule) == FILE else ["--rules", file]


def value_text(value: Any) -> str:
    """Bits and number: ``0xff (-1)``."""
    array = np.asarray(value)
    if array.ndim:
        return "[" + ", ".join(value_text(v) for v in array) + "]"
    if array.dtype.kind in "SU" or array.dtype == object:
        return str(value)
    if array.dtype == np.bool_:
        return str(bool(array))
    digits = 2 * array.dtype.itemsize
    bits = int.from_bytes(array.tobytes(), "little")
    return f"0x{bits:0{digits}x} ({array.item()!s})"


def _plain(value: Any) -> str:
    array = np.asarray(value)
    if array.dtype == np.bool_:
        return str(int(array))
    return f"0x{int.from_bytes(array.tobytes(), 'little'):x}"


def _hint(rule: Rule, found: Counterexample) -> str:
    share = f"{found.points} of the inputs tried differ"
    if rule.kind == "exact" and rule.types and rule.types[0].is_float:
        return f'{share}; if it holds over the reals, say kind="real"'
    names = ", ".join(sorted(variable_types(rule, rule.types[0])))
    return f"{share}; a condition on {names}, or fewer types=, would make it hold"
