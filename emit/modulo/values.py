"""The values of a loop body: which definition each read sees, and how values change per iteration.

Registers of the body are split into values (static single assignment across the back edge): a read
sees a definition of this iteration, of the one before, or a register that the loop never writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from oxegg.emit.effects import Effects, bind, effects
from oxegg.emit.program import ZERO, Operation, Register
from oxegg.isa import TABLE


@dataclass(frozen=True)
class Definition:
    """The value that an operation writes to a register, ``distance`` iterations ago."""

    operation: int
    distance: int


@dataclass(frozen=True)
class Affine:
    """``register``'s value before the loop + ``offset`` + ``step`` * iteration.

    ``step`` is ``None`` when it isn't a constant.
    """

    register: Register
    offset: int
    step: int | None


@dataclass(frozen=True)
class Values:
    """Definitions behind the reads of ``operations``, a loop body in text order."""

    operations: tuple[Operation, ...]
    effects: tuple[Effects, ...]
    sources: tuple[dict[Register, Definition | None], ...] = field(repr=False)
    last_writer: dict[Register, int] = field(repr=False)

    def pointer(self, index: int) -> Affine | None:
        """The address of a memory operation with a base register, if it is affine."""
        operation = self.operations[index]
        base, displacement = address_of(operation)
        if base is None:
            return None
        affine = self.affine(index, base)
        return (
            None
            if affine is None
            else Affine(affine.register, affine.offset + displacement, affine.step)
        )

    def affine(self, index: int, register: Register) -> Affine | None:
        """What operation ``index`` reads from ``register``, as a function of the iteration."""
        offset = 0
        while True:
            source = self.sources[index].get(register) if register != ZERO else None
            if source is None:
                return Affine(register, offset, 0)
            if source.distance:
                step = self.step(register)
                return None if step is None else Affine(register, offset, step)
            definition = self.operations[source.operation]
            if definition.name != "addi":
                return None
            _, before, constant = definition.operands
            assert isinstance(before, Register)
            assert isinstance(constant, int)
            register = before
            offset += constant
            index = source.operation

    def step(self, register: Register) -> int | None:
        """By how much a register changes per iteration; ``None`` when that isn't constant."""
        return self._steps.get(register)

    @cached_property
    def _steps(self) -> dict[Register, int]:
        found: dict[Register, int] = {}
        for register, writer in self.last_writer.items():
            total, index, current = 0, writer, register
            for _ in range(len(self.operations)):
                operation = self.operations[index]
                if operation.name != "addi":
                    break
                _, current, constant = operation.operands
                assert isinstance(current, Register)
                assert isinstance(constant, int)
                total += constant
                source = self.sources[index].get(current)
                if source is None:
                    break
                if source.distance:
                    if current == register:
                        found[register] = total
                    break
                index = source.operation
        return found

    def size(self, index: int) -> int | None:
        """Bytes from the first to behind the last that a memory operation touches, if known."""
        operation = self.operations[index]
        record = TABLE[operation.name]
        if not record.is_vector:
            return SCALAR_SIZES.get(operation.name)
        if record.timing not in ("vload", "vstore") or operation.state is None:
            return None
        width = max(o.element_width(operation.state.sew) for o in record.operands if o.kind == "v")
        return operation.state.vl * width // 8


SCALAR_SIZES = {
    **dict.fromkeys(("lb", "lbu", "sb"), 1),
    **dict.fromkeys(("lh", "lhu", "sh", "flh", "fsh"), 2),
    **dict.fromkeys(("lw", "lwu", "sw", "flw", "fsw"), 4),
    **dict.fromkeys(("ld", "sd", "fld", "fsd"), 8),
}


def address_of(operation: Operation) -> tuple[Register | None, int]:
    """Base register and displacement of a memory operation."""
    displacement = 0
    base: Register | None = None
    for bound in bind(operation):
        value = bound.values[0] if bound.values else None
        if bound.operand.name == "rs1" and isinstance(value, Register):
            base = value
        elif bound.operand.name in ("imm12", "store12") and isinstance(value, int):
            displacement = value
    return base, displacement


def values_of(
    operations: Sequence[Operation], places: Mapping[Register, Register] | None = None
) -> Values:
    """The values of a loop body. ``places`` names the larger register that a register is part of:

    it stands for all of its parts.
    """
    every = tuple(_placed(effects(operation), places or {}) for operation in operations)
    last: dict[Register, int] = {}
    for index, effect in enumerate(every):
        last.update(dict.fromkeys(effect.writes, index))
    current: dict[Register, Definition] = {r: Definition(i, 1) for r, i in last.items()}
    sources: list[dict[Register, Definition | None]] = []
    for index, effect in enumerate(every):
        sources.append({register: current.get(register) for register in effect.reads})
        current.update((register, Definition(index, 0)) for register in effect.writes)
    return Values(tuple(operations), every, tuple(sources), last)


def _placed(effect: Effects, places: Mapping[Register, Register]) -> Effects:
    if not any(register in places for register in (*effect.reads, *effect.writes)):
        return effect

    def placed(registers: Sequence[Register]) -> tuple[Register, ...]:
        return tuple(dict.fromkeys(places.get(register, register) for register in registers))

    mask = places.get(effect.mask, effect.mask) if effect.mask is not None else None
    return replace(
        effect,
        reads=placed(effect.reads),
        writes=placed(effect.writes),
        updates=placed(effect.updates),
        mask=mask,
        overlaps=(),
    )
