"""Moves that nobody needs: source and target become one register before anything is scheduled.

Lowering copies an operand that the next instruction overwrites. Where the operand ends there, or
the copy's life and its own never meet, the move would vanish in register allocation anyway; until
then schedulers would give it a place and a unit. Chaitin et al., "Register allocation via
coloring", 1981: as there, every move goes whose registers don't interfere. That takes no more
registers at any point than the moves did.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from oxegg.emit.liveness import Liveness, liveness
from oxegg.emit.program import Loop, Operation, Program, Register
from oxegg.emit.register_allocation import is_move


def coalesced(program: Program, *, shared: bool) -> Program:
    """The same program without the moves between registers that can be one.

    ``shared``: also where the source has other readers, or the target other values. Those then
    have to come before the instruction that overwrites them, which a list scheduler may regret.
    """
    live = liveness(program)
    readers = Counter(r for e in live.effects for r in e.reads if r not in e.updates)
    writers = Counter(r for e in live.effects for r in e.writes if r not in e.updates)
    classes = _Classes(program, live)
    for index in sorted(range(len(live.operations)), key=lambda i: -live.executions[i]):
        operation = live.operations[index]
        if is_move(operation) and live.effects[index].mask is None:
            target, source, *_ = operation.operands
            assert isinstance(target, Register)
            assert isinstance(source, Register)
            if shared or readers[source] == writers[target] == 1:
                classes.join(source, target)
    return replace(program, body=_renamed(program.body, classes))


class _Classes:
    """Registers that have become one, each class under the name of one of them."""

    def __init__(self, program: Program, live: Liveness) -> None:
        self.parent: dict[Register, Register] = {}
        self.ranges = dict(live.ranges)
        self.arguments = set(program.arguments)
        self.in_tuples = {r for e in live.effects for fields in e.tuples for r in fields}
        self.apart: dict[Register, set[Register]] = {}
        for effect in live.effects:
            for overlap in effect.overlaps:
                self.apart.setdefault(overlap.result, set()).add(overlap.source)
                self.apart.setdefault(overlap.source, set()).add(overlap.result)

    def name(self, register: Register) -> Register:
        """The class's name."""
        while register in self.parent:
            register = self.parent[register]
        return register

    def join(self, first: Register, second: Register) -> None:
        """Make two registers one, if their lives and what instructions ask of them allow it."""
        a, b = self.name(first), self.name(second)
        if b in self.arguments:
            a, b = b, a
        if a == b or not self._may_be_one(a, b):
            return
        self.parent[b] = a
        self.ranges[a] |= self.ranges.pop(b)
        self.apart.setdefault(a, set()).update(self.apart.pop(b, ()))
        if b in self.in_tuples:
            self.in_tuples.add(a)

    def _may_be_one(self, a: Register, b: Register) -> bool:
        return (
            (a.bank, a.group) == (b.bank, b.group)
            and a in self.ranges
            and b in self.ranges
            and not self.ranges[a] & self.ranges[b]
            and not {a, b} <= self.arguments
            and not {a, b} <= self.in_tuples
            and all(self.name(other) != b for other in self.apart.get(a, ()))
        )


def _renamed(body: Sequence[Operation | Loop], classes: _Classes) -> list[Operation | Loop]:
    result: list[Operation | Loop] = []
    for item in body:
        if isinstance(item, Loop):
            result.append(replace(item, body=_renamed(item.body, classes)))
            continue
        operands = tuple(classes.name(o) if isinstance(o, Register) else o for o in item.operands)
        renamed = replace(item, operands=operands)
        if not (is_move(renamed) and operands[0] == operands[1]):
            result.append(renamed)
    return result
