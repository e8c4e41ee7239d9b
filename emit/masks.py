"""Mask operands live in v0: which masks can stay there, and copies for the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from oxegg.emit.effects import effects
from oxegg.emit.liveness import Liveness, liveness, read_point
from oxegg.emit.program import Loop, Operation, Program, Register, operations

Body = Sequence[Operation | Loop]


def legalize_masks(program: Program, numbers: Iterator[int]) -> tuple[Program, frozenset[Register]]:
    """A program all of whose mask operands can be in v0 at once, and those registers.

    A mask whose life meets no use of another mask simply lives in v0; the others are copied
    there with ``vmv1r.v`` before their uses (before a loop that uses no other mask).
    """
    live = liveness(program)
    resident = _resident_masks(live)
    copier = _Copier(resident, numbers)
    rewritten = replace(program, body=copier.body(program.body, None))
    return rewritten, frozenset(resident | copier.copies)


def _resident_masks(live: Liveness) -> set[Register]:
    """Masks that may occupy v0 for their whole life, those used most often first."""
    uses: dict[Register, int] = {}
    weight: dict[Register, int] = {}
    for index, (effect, times) in enumerate(zip(live.effects, live.executions, strict=True)):
        if effect.mask is not None:
            uses[effect.mask] = uses.get(effect.mask, 0) | 1 << read_point(index)
            weight[effect.mask] = weight.get(effect.mask, 0) + times
    resident: set[Register] = set()
    for mask in sorted(uses, key=lambda register: -weight[register]):
        others = 0
        for other, points in uses.items():
            others |= points if other != mask else 0
        alone = not live.ranges[mask] & others
        if alone and not any(live.interfere(mask, other) for other in resident):
            resident.add(mask)
    return resident


@dataclass(frozen=True)
class _Copy:
    """v0 holds ``source`` (its copy is ``register``)."""

    source: Register
    register: Register


class _Copier:
    def __init__(self, resident: set[Register], numbers: Iterator[int]) -> None:
        self.resident = resident
        self.numbers = numbers
        self.copies: set[Register] = set()

    def body(self, body: Body, held: _Copy | None) -> list[Operation | Loop]:
        """``held`` is a copy made before the loop whose body this is: it stays valid."""
        hoisted = held
        result: list[Operation | Loop] = []
        for item in body:
            if isinstance(item, Loop):
                held = hoisted or self._hoistable(item, result)
                result.append(replace(item, body=self.body(item.body, held)))
                held = hoisted
                continue
            effect = effects(item)
            mask = effect.mask
            if mask is not None and mask not in self.resident:
                if held is None or held.source != mask:
                    held = self._copy(mask, result)
                item = replace(item, operands=(*item.operands[:-1], held.register))
            elif self.resident.intersection((*effect.reads, *effect.writes)):
                held = None
            if held is not None and held.source in effect.writes:
                held = None
            result.append(item)
        return result

    def _copy(self, mask: Register, result: list[Operation | Loop]) -> _Copy:
        copy = _Copy(mask, Register("v", next(self.numbers)))
        self.copies.add(copy.register)
        result.append(Operation("vmv1r.v", (copy.register, mask), note="mask to v0"))
        return copy

    def _hoistable(self, loop: Loop, result: list[Operation | Loop]) -> _Copy | None:
        """A copy before ``loop`` when v0 holds nothing else in all of it."""
        inside = [effects(operation) for operation in operations(loop.body)]
        masks = {effect.mask for effect in inside if effect.mask is not None}
        touched = {register for effect in inside for register in (*effect.reads, *effect.writes)}
        written = {register for effect in inside for register in effect.writes}
        if len(masks) != 1 or masks & self.resident or masks & written or touched & self.resident:
            return None
        return self._copy(masks.pop(), result)
