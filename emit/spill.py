"""Moving live ranges out of the register files: stack slots, or computing the value again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from oxegg.emit.constants import fits_immediate
from oxegg.emit.effects import LA, LI, effects
from oxegg.emit.program import (
    STACK_POINTER,
    ZERO,
    Loop,
    MemoryRef,
    Operation,
    Program,
    Register,
    operations,
)

Body = Sequence[Operation | Loop]

SCALAR_BYTES = 8
STACK_BUFFER = "(stack)"
SPILL, AGAIN = "spill", "computed again"
"""How the notes of added operations begin."""
_SCALAR_ACCESS = {
    ("load", "x"): "ld",
    ("load", "f"): "fld",
    ("store", "x"): "sd",
    ("store", "f"): "fsd",
}

# Results that depend on nothing but immediates, a vector state, and registers never rewritten.
_REMATERIALIZABLE = (
    LI,
    LA,
    "lui",
    "addi",
    "vmv.v.i",
    "vmv.v.x",
    "vfmv.v.f",
    "vid.v",
    "fmv.w.x",
    "fmv.d.x",
)


def is_added(operation: Operation) -> bool:
    """Whether the operation is here because registers didn't suffice."""
    return operation.note.startswith((SPILL, AGAIN))


@dataclass
class Stack:
    """Spill slots above ``sp``; offsets and sizes in bytes. ``vlen`` fixes the vector slots."""

    vlen: int
    slots: dict[Register, int] = field(default_factory=dict[Register, int])
    size: int = 0

    def slot(self, register: Register) -> int:
        """Offset of the register's slot, allocated on first use."""
        if register not in self.slots:
            size, alignment = SCALAR_BYTES, SCALAR_BYTES
            if register.bank == "v":
                size, alignment = register.group * self.vlen // 8, 16
            offset = -(-self.size // alignment) * alignment
            self.slots[register] = offset
            self.size = offset + size
        return self.slots[register]


@dataclass
class Spilled:
    """``program`` without the victims; ``temporaries`` are the short ranges in their place."""

    program: Program
    temporaries: set[Register]
    stores: int = 0
    reloads: int = 0
    rematerialized: int = 0


def rematerializable(program: Program) -> dict[Register, Operation]:
    """Registers with one definition that can be repeated anywhere, and that definition.

    Its sources must never change again: they are arguments or written once, outside all loops.
    """
    writes: dict[Register, int] = dict.fromkeys(program.arguments, 1)
    definitions: dict[Register, Operation] = {}
    for operation in operations(program.body):
        for register in effects(operation).writes:
            writes[register] = writes.get(register, 0) + 1
            definitions[register] = operation
    outside = [item for item in program.body if isinstance(item, Operation)]
    stable = {*program.arguments, *(r for item in outside for r in effects(item).writes)}
    stable = {register for register in stable if writes[register] == 1}
    return {
        register: operation
        for register, operation in definitions.items()
        if writes[register] == 1
        and operation.name in _REMATERIALIZABLE
        and effects(operation).mask is None
        and stable.issuperset(effects(operation).reads)
        and register not in effects(operation).reads
    }


def spill(
    program: Program, victims: Sequence[Register], stack: Stack, numbers: Iterator[int]
) -> Spilled:
    """Replace every use and definition of ``victims`` by short-lived temporaries."""
    constants = rematerializable(program)
    # A victim computed from another victim would only bring that one back.
    again = {
        register: constants[register]
        for register in victims
        if register in constants and not set(effects(constants[register]).reads) & set(victims)
    }
    rewriter = _Rewriter(set(victims), again, stack, numbers)
    body = rewriter.body(program.body)
    arguments: list[Register] = []
    entry: list[Operation | Loop] = []
    for argument in program.arguments:
        if argument in rewriter.victims:
            temporary = rewriter.temporary(argument)
            entry.extend(rewriter.store(argument, temporary))
            argument = temporary
        arguments.append(argument)
    rewriter.result.program = replace(program, arguments=tuple(arguments), body=[*entry, *body])
    return rewriter.result


class _Rewriter:
    def __init__(
        self,
        victims: set[Register],
        again: dict[Register, Operation],
        stack: Stack,
        numbers: Iterator[int],
    ) -> None:
        self.victims = victims
        self.again = again
        self.stack = stack
        self.numbers = numbers
        self.result = Spilled(Program("", ()), set())

    def body(self, body: Body) -> list[Operation | Loop]:
        result: list[Operation | Loop] = []
        for item in body:
            if isinstance(item, Loop):
                result.append(replace(item, body=self.body(item.body)))
            else:
                result.extend(self.operation(item))
        return result

    def operation(self, operation: Operation) -> Iterator[Operation]:
        effect = effects(operation)
        touched = [r for r in dict.fromkeys((*effect.reads, *effect.writes)) if r in self.victims]
        if not touched:
            yield operation
            return
        if touched == [*effect.writes] and self.again.get(touched[0]) == operation:
            return
        names = {register: self.temporary(register) for register in touched}
        for register in touched:
            if register in effect.reads:
                yield from self.load(register, names[register])
        operands = tuple(
            names.get(value, value) if isinstance(value, Register) else value
            for value in operation.operands
        )
        yield replace(operation, operands=operands)
        for register in touched:
            if register in effect.writes:
                yield from self.store(register, names[register])

    def temporary(self, like: Register) -> Register:
        register = Register(like.bank, next(self.numbers), like.group)
        self.result.temporaries.add(register)
        return register

    def load(self, victim: Register, target: Register) -> Iterator[Operation]:
        if victim in self.again:
            self.result.rematerialized += 1
            definition = self.again[victim]
            operands = tuple(target if o == victim else o for o in definition.operands)
            yield replace(definition, operands=operands, note=AGAIN)
            return
        self.result.reloads += 1
        yield from self.access(victim, target, "load")

    def store(self, victim: Register, source: Register) -> Iterator[Operation]:
        self.result.stores += 1
        yield from self.access(victim, source, "store")

    def access(
        self, victim: Register, register: Register, kind: Literal["load", "store"]
    ) -> Iterator[Operation]:
        """Load or store ``register`` at the slot of ``victim``."""
        offset = self.stack.slot(victim)
        base = STACK_POINTER
        # Whole-register accesses take no offset.
        if offset and (victim.bank == "v" or not fits_immediate(offset)):
            base = self.temporary(ZERO)
            yield from _address(base, offset)
        if victim.bank == "v":
            name = f"vl{victim.group}re8.v" if kind == "load" else f"vs{victim.group}r.v"
            operands = (register, base)
            size = victim.group * self.stack.vlen // 8
        else:
            name = _SCALAR_ACCESS[kind, victim.bank]
            operands = (register, offset if base == STACK_POINTER else 0, base)
            size = SCALAR_BYTES
        memory = MemoryRef(STACK_BUFFER, kind, offset, size)
        yield Operation(name, operands, memory=memory, note=f"{SPILL} {kind}")


def _address(base: Register, offset: int) -> Iterator[Operation]:
    """``base = sp + offset``."""
    if fits_immediate(offset):
        yield Operation("addi", (base, STACK_POINTER, offset))
    else:
        yield Operation(LI, (base, offset))
        yield Operation("add", (base, base, STACK_POINTER))
