"""Hardware registers for the webs of a hand-written loop: circular colouring of its kernel.

Every operation of the kernel's text has two points, read and write; a web is taken from the point
that writes it to the point that reads it last, around the end of the text if need be. What comes in
and goes out keeps its place, so prologue and epilogue use the same registers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oxegg.emit.colouring import Failure, Overlap, Problem, Unit, colour
from oxegg.emit.exact_colouring import colour_exactly
from oxegg.emit.modulo.body import Body
from oxegg.emit.modulo.graph import Schedule
from oxegg.emit.modulo.lifetimes import Lifetime, lifetimes
from oxegg.emit.program import Bank, Register
from oxegg.emit.source.flow import Place
from oxegg.emit.source.instructions import hardware

_FIRST_NEW = 100


@dataclass(frozen=True)
class Assignment:
    """``registers[web]`` for the text; ``homes`` is the hardware behind each of them."""

    registers: tuple[Register, ...]
    homes: Mapping[Register, int]


def assign(
    body: Body, schedule: Schedule, allowed: frozenset[Place], invariant: frozenset[Register]
) -> Assignment | None:
    """Registers for every web, ``None`` when there are too few.

    ``allowed`` are the hardware registers that may be written, ``invariant`` what the loop only
    reads: it stays where it is.
    """
    lives = {life.web: life for life in lifetimes(body.graph, schedule)}
    registers = [
        carrier
        if carrier in invariant or body.graph.webs[web].resident
        else Register(carrier.bank, _FIRST_NEW + web, carrier.group)
        for web, carrier in enumerate(body.carrier)
    ]
    homes = {register: hardware(register) for register in body.carrier}
    banks: Sequence[Bank] = ("x", "f", "v")
    for bank in banks:
        webs = [w for w, r in enumerate(registers) if r.bank == bank and r not in invariant]
        bases = tuple(sorted(number for b, number in allowed if b == bank))
        units = tuple(_unit(body, w, registers[w], lives[w]) for w in webs)
        problem = Problem(units, tuple(_overlaps(body, registers, webs)), bases)
        result = colour(problem, spread=False)
        found = colour_exactly(problem) if isinstance(result, Failure) else result
        if found is None:
            return None
        homes.update(zip((registers[w] for w in webs), found, strict=True))
    return Assignment(tuple(registers), homes)


def _unit(body: Body, web: int, register: Register, life: Lifetime) -> Unit:
    count = 2 * body.graph.count
    whole = (1 << count) - 1
    of_web = body.graph.webs[web]
    if of_web.resident:
        taken = whole
    else:
        length = min(count, max(1, 2 * (life.length - of_web.overhang)))
        straight = ((1 << length) - 1) << (2 * life.start + 1)
        taken = (straight | straight >> count) & whole
    fixed = 0 if of_web.mask else hardware(register) if of_web.resident else None
    return Unit(((register, 0),), (taken,) * register.group, register.group, fixed)


def _overlaps(body: Body, registers: Sequence[Register], webs: Sequence[int]) -> list[Overlap]:
    """Constraints of the vector specification between results and sources that end there."""
    mine = set(webs)
    found: list[Overlap] = []
    for index, effect in enumerate(body.values.effects):
        for overlap in effect.overlaps:
            result = body.writes[index].get(overlap.result)
            source = body.reads[index].get(overlap.source)
            if result in mine and source in mine and result != source:
                assert result is not None
                assert source is not None
                found.append(Overlap(registers[result], registers[source], overlap.kind))
    return found
