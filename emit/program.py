"""What the back half of emit works on: a loop tree of instructions over virtual registers.

A :class:`Program` is a leaf function. Its body is a list of operations and counted loops; every
loop runs a statically known number of times (at least once), so a value is defined exactly when
it is written earlier in the text. Virtual registers aren't SSA: accumulators and induction
pointers are written again and again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from typing import Literal

Bank = Literal["x", "f", "v"]

GROUP_SIZES = (1, 2, 4, 8)
ELEMENT_WIDTHS = (8, 16, 32, 64)
LMULS = tuple(Fraction(2) ** exponent for exponent in range(-3, 4))


@dataclass(frozen=True, order=True)
class Register:
    """A virtual register; ``group`` is how many hardware registers it needs (LMUL groups)."""

    bank: Bank
    number: int
    group: int = 1

    def __str__(self) -> str:
        suffix = f"m{self.group}" if self.group > 1 else ""
        return f"%{self.bank}{self.number}{suffix}"


ZERO = Register("x", 0)
"""The hardwired zero, ``x0``."""

STACK_POINTER = Register("x", -2)
"""The stack pointer, ``x2``; like ``ZERO`` it isn't allocated. Other numbers begin at 1."""


@dataclass(frozen=True)
class VectorState:
    """``vtype`` and ``vl`` under which a vector operation runs.

    ``sew`` in bits, ``lmul`` a power of two from 1/8 to 8, ``vl`` a static number of elements.
    The undisturbed flags say that the old tail or masked-off elements of the destination must
    survive: the destination is then an input too. Otherwise they are unspecified afterwards.
    """

    sew: int
    lmul: Fraction
    vl: int
    tail_undisturbed: bool = False
    mask_undisturbed: bool = False

    def __str__(self) -> str:
        lmul = f"m{self.lmul}" if self.lmul >= 1 else f"mf{1 / self.lmul}"
        tail = "tu" if self.tail_undisturbed else "ta"
        mask = "mu" if self.mask_undisturbed else "ma"
        return f"e{self.sew},{lmul},{tail},{mask},vl={self.vl}"

    def maximum_vl(self, vlen: int) -> int:
        """VLMAX: elements in a register group on a machine with ``vlen``-bit registers."""
        return int(vlen * self.lmul / self.sew)


@dataclass(frozen=True)
class MemoryRef:
    """The bytes that an operation reads or writes.

    ``offset`` and ``size`` are in bytes, relative to a point of ``buffer`` that is common to all
    references in one straight-line block (an iteration's origin, say); ``None`` means unknown.
    Buffers never overlap each other.
    """

    buffer: str
    kind: Literal["load", "store"]
    offset: int | None = None
    size: int | None = None

    def conflicts(self, other: "MemoryRef") -> bool:
        """Whether the order of the two accesses matters."""
        if self.buffer != other.buffer or self.kind == other.kind == "load":
            return False
        if self.offset is None or other.offset is None or self.size is None or other.size is None:
            return True
        return self.offset < other.offset + other.size and other.offset < self.offset + self.size


Operand = Register | int | str

TileShape = tuple[int, int, int]
"""Rows, columns and bytes of a row (m, n, k) under which a tile instruction runs; 0: any."""


@dataclass(frozen=True)
class Operation:
    """One instruction.

    ``operands`` are in assembly order: registers, immediates (int) and labels (str); a masked
    operation has its mask register last, an unmasked one omits it. ``state`` is needed by
    every operation that depends on ``vtype`` or ``vl``. ``memory`` is ``None`` for operations
    that don't touch memory, and for accesses about which nothing is known. ``tile`` is the shape
    that a tile instruction needs.
    """

    name: str
    operands: tuple[Operand, ...] = ()
    state: VectorState | None = None
    memory: MemoryRef | None = None
    note: str = ""
    tile: TileShape | None = None

    def __str__(self) -> str:
        operands = ", ".join(str(operand) for operand in self.operands)
        state = f"  [{self.state}]" if self.state is not None else ""
        note = f"  # {self.note}" if self.note else ""
        return f"{self.name} {operands}{state}{note}".rstrip()


@dataclass
class Loop:
    """``body`` runs ``trips`` >= 1 times; its last operation is the branch back to ``label``."""

    label: str
    trips: int
    body: "list[Operation | Loop]"


@dataclass
class Program:
    """A kernel as a leaf function.

    ``arguments`` are in the order of the C prototype: ``x`` registers for pointers (inputs,
    outputs, scratch) and integer scalars, ``f`` registers for float scalars (LP64D).
    ``constants`` are bytes that lie behind the code, 64-byte aligned; the pseudo instruction
    ``la register, "name"`` loads the address of one. ``li register, value`` loads any constant.
    """

    name: str
    arguments: tuple[Register, ...]
    body: list[Operation | Loop] = field(default_factory=list[Operation | Loop])
    constants: Mapping[str, bytes] = field(default_factory=dict[str, bytes])

    def __str__(self) -> str:
        arguments = ", ".join(str(register) for register in self.arguments)
        return "\n".join([f"{self.name}({arguments})", *_lines(self.body, "  ")])


def _lines(body: list[Operation | Loop], indent: str) -> Iterator[str]:
    for item in body:
        if isinstance(item, Loop):
            yield f"{indent}{item.label}: x{item.trips}"
            yield from _lines(item.body, indent + "  ")
        else:
            yield f"{indent}{item}"


def operations(body: list[Operation | Loop]) -> Iterator[Operation]:
    """All operations in text order, each once whatever its trip count."""
    for item in body:
        if isinstance(item, Loop):
            yield from operations(item.body)
        else:
            yield item


def loops(body: list[Operation | Loop]) -> Iterator[Loop]:
    """All loops, outer before inner."""
    for item in body:
        if isinstance(item, Loop):
            yield item
            yield from loops(item.body)


def fresh_numbers(program: Program) -> Iterator[int]:
    """Register numbers that ``program`` doesn't use, in any bank."""
    used = [register.number for register in program.arguments]
    for operation in operations(program.body):
        used += [value.number for value in operation.operands if isinstance(value, Register)]
    return count(max([0, *used]) + 1)
