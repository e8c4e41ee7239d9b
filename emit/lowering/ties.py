"""Instructions that overwrite an operand: choosing which, and copying when it is still needed.

A multiply-add can replace its addend (``vfmacc``) or a factor (``vfmadd``). Lowering leaves the
choice open in a :class:`TiedOperation`; once the whole program is known, the encoding whose
overwritten operand dies there is taken, else the operand is copied first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from oxegg.emit.effects import effects
from oxegg.emit.program import Loop, Operand, Operation, Register


@dataclass(frozen=True)
class Choice:
    """One encoding; the destination register stands in ``operands`` where it is written."""

    name: str
    operands: tuple[Operand, ...]
    tied: Register


@dataclass(frozen=True)
class TiedOperation(Operation):
    """An operation to be resolved: ``operands`` lists what it reads and writes, for liveness."""

    target: Register | None = None
    choices: tuple[Choice, ...] = ()


def resolve(body: list[Operation | Loop]) -> list[Operation | Loop]:
    """Replace every TiedOperation under ``body`` by real instructions."""
    return _resolve(body, _last_uses(body))


def _last_uses(body: list[Operation | Loop]) -> dict[Register, tuple[int, int]]:
    """Register -> (id of the list, index) of its last occurrence in program order."""
    last: dict[Register, tuple[int, int]] = {}

    def visit(items: list[Operation | Loop]) -> None:
        for index, item in enumerate(items):
            if isinstance(item, Loop):
                visit(item.body)
            else:
                for operand in item.operands:
                    if isinstance(operand, Register):
                        last[operand] = (id(items), index)

    visit(body)
    return last


def _resolve(
    items: list[Operation | Loop], last: dict[Register, tuple[int, int]]
) -> list[Operation | Loop]:
    resolved: list[Operation | Loop] = []
    defined: set[Register] = set()
    for index, item in enumerate(items):
        if isinstance(item, Loop):
            resolved.append(Loop(item.label, item.trips, _resolve(item.body, last)))
            continue
        if isinstance(item, TiedOperation):
            resolved += _pick(item, defined, last, (id(items), index))
        else:
            resolved.append(item)
        if item.operands and isinstance(item.operands[0], Register):
            defined.add(item.operands[0])
    return resolved


def _pick(
    item: TiedOperation,
    defined: set[Register],
    last: dict[Register, tuple[int, int]],
    here: tuple[int, int],
) -> list[Operation | Loop]:
    target = item.target
    assert target is not None
    for choice in item.choices:
        dies = choice.tied in defined and last[choice.tied] == here
        if choice.tied == target or dies:
            return [*_copy(target, choice.tied), _final(item, choice, target)]
    choice = item.choices[0]
    return [*_copy(target, choice.tied), _final(item, choice, target)]


def _copy(target: Register, source: Register) -> list[Operation]:
    """A move, which register allocation makes disappear where the source ends here.

    Of whole registers: the operation may run at half the width (widening) or keep a tail.
    """
    if target == source:
        return []
    return [Operation(f"vmv{target.group}r.v", (target, source))]


def _final(item: TiedOperation, choice: Choice, target: Register) -> Operation:
    """The encoding; what else reads the operand reads its copy, so that the operand ends there."""
    copied = tuple(target if operand == choice.tied else operand for operand in choice.operands)
    final = Operation(choice.name, copied, item.state, item.memory, item.note)
    if any(overlap.result == overlap.source for overlap in effects(final).overlaps):
        return replace(final, operands=choice.operands)
    return final
