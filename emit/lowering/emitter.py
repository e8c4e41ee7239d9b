"""The state of lowering: fresh registers, the list being filled, scopes, constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from oxegg.costmodels import Machine
from oxegg.emit.constants import materialize_constant
from oxegg.emit.lowering.ties import TiedOperation
from oxegg.emit.lowering.tile_file import TileFile
from oxegg.emit.physical import Buffer, Value
from oxegg.emit.program import (
    ZERO,
    Bank,
    Loop,
    MemoryRef,
    Operand,
    Operation,
    Register,
    VectorState,
)
from oxegg.ir.affine import Axis
from oxegg.ir.types import BOOL, ElementType

Combo = tuple[tuple[str, int], ...]  # (axis name, number of the copy), sorted by name


@dataclass(frozen=True)
class Copy:
    """One unrolled copy of a loop body: its first index (beyond the pointers') and lanes."""

    offset: int
    width: int


@dataclass
class Pointer:
    """A register that walks through a buffer in step with the loops around it."""

    buffer: str
    strides: tuple[int, ...]
    offset: int
    register: Register


@dataclass
class Frame:
    """A loop being emitted: ``step`` elements per trip; its preamble runs before it."""

    axis: Axis
    step: int
    trips: int
    preamble: list[Operation] = field(default_factory=list[Operation])
    pointers: list[Pointer] = field(default_factory=list[Pointer])


@dataclass
class Scope:
    """What a level has computed: value instances, addresses."""

    values: dict[tuple[int, Combo], Register] = field(
        default_factory=dict[tuple[int, Combo], Register]
    )
    addresses: dict[tuple[Register, int], Register] = field(
        default_factory=dict[tuple[Register, int], Register]
    )


class Emitter:
    """Lowers one stage after the other into ``body``."""

    def __init__(self, machine: Machine, bases: dict[str, Register], exact: bool) -> None:
        self.machine, self.bases, self.exact = machine, bases, exact
        self.body: list[Operation | Loop] = []
        self.prologue: list[Operation] = []  # constants of the stage
        self.frames: list[Frame] = []
        self.scopes: list[Scope] = [Scope()]
        self.env: dict[Axis, list[Copy]] = {}
        self.lanes = 1  # nominal elements per strip in this stage
        self.positions: dict[Axis, Register] = {}  # where a block starts on axes cut into blocks
        self.held: dict[str, Register] = {}
        self.written: set[str] = set()  # buffers that the stage stores into
        self.fixed_offsets: set[str] = set()  # buffers whose accesses share one stride pattern
        self._numbers: dict[Bank, int] = {"x": 1, "f": 1, "v": 1}
        self.tile_file = TileFile()
        self._labels = 0
        self._constants: dict[tuple[Any, ...], Register] = {}

    # registers and instructions

    def new(self, bank: Bank, group: int = 1) -> Register:
        number = self._numbers[bank]
        self._numbers[bank] += 1
        return Register(bank, number, group)

    def label(self, name: str) -> str:
        self._labels += 1
        clean = "".join(c if c.isalnum() else "_" for c in name)
        return f".L{self._labels}_{clean}"

    def emit(
        self,
        name: str,
        *operands: Operand,
        state: VectorState | None = None,
        memory: MemoryRef | None = None,
        note: str = "",
    ) -> None:
        self.body.append(Operation(name, operands, state, memory, note))

    def emit_tied(self, operation: TiedOperation) -> None:
        self.body.append(operation)

    # vector types

    def lmul(self, bits: int) -> Fraction:
        """LMUL that holds a strip of ``bits``-wide elements (power of two, legal for 64-bit)."""
        strip = max(_power_of_two(self.lanes), self.machine.vlen // 64)
        return max(Fraction(strip * bits, self.machine.vlen), Fraction(1, 8))

    def state(self, type_: ElementType, vl: int, *, keep_tail: bool = False) -> VectorState:
        bits = max(type_.bits, 8)
        return VectorState(bits, self.lmul(bits), vl, tail_undisturbed=keep_tail)

    def vector(self, type_: ElementType) -> Register:
        """A fresh vector register (group) for a strip; masks take one register."""
        bits = max(type_.bits, 8)
        return self.new("v", 1 if type_ is BOOL else max(1, int(self.lmul(bits))))

    def repeat(self, name: str, trips: int, body: Callable[[], None]) -> None:
        """What ``body`` emits, in a counted loop where it runs more than once."""
        if trips <= 1:
            for _ in range(trips):
                body()
            return
        counter = self.new("x")
        self.body += materialize_constant(counter, trips)
        outside, self.body = self.body, []
        self.scopes.append(Scope())
        body()
        self.scopes.pop()
        label = self.label(name)
        self.emit("addi", counter, counter, -1)
        self.emit("bne", counter, ZERO, label)
        inside, self.body = self.body, outside
        self.body.append(Loop(label, trips, inside))

    # scopes

    def find(self, value: Value, combo: Combo) -> Register | None:
        key = (id(value), restrict(value, combo))
        for scope in reversed(self.scopes):
            if key in scope.values:
                return scope.values[key]
        return None

    def define(self, value: Value, combo: Combo, register: Register) -> None:
        self.scopes[-1].values[id(value), restrict(value, combo)] = register

    def start_stage(self) -> None:
        """Constants and invariants are per stage: registers stay free for the next one."""
        self._constants = {}
        self.scopes = [Scope()]
        self.prologue = []

    # constants

    def integer(self, value: int) -> Register:
        """A register with an integer constant, loaded before the stage's loops."""
        if value == 0:
            return ZERO
        key = ("x", value)
        if key not in self._constants:
            register = self.new("x")
            self.prologue += materialize_constant(register, value)
            self._constants[key] = register
        return self._constants[key]

    def float_constant(self, bits: int, type_: ElementType) -> Register:
        """A register with a float constant, loaded before the stage's loops."""
        key = ("f", bits, type_.name)
        if key not in self._constants:
            register = self.new("f")
            source = ZERO
            if bits:
                source = self.new("x")
                signed = bits - (1 << type_.bits) if bits >> (type_.bits - 1) else bits
                self.prologue += materialize_constant(source, signed)
            move = {16: "fmv.h.x", 32: "fmv.w.x", 64: "fmv.d.x"}[type_.bits]
            self.prologue.append(Operation(move, (register, source)))
            self._constants[key] = register
        return self._constants[key]

    def width(self, value: Value, combo: Combo) -> int:
        """Lanes in use for one instance of a value."""
        if value.lane is None or value.lane not in self.env:
            return self.lanes
        number = dict(combo).get(value.lane.name, 0)
        return self.env[value.lane][number].width

    def buffer_base(self, buffer: Buffer) -> Register:
        return self.bases[buffer.name]


def restrict(value: Value, combo: Combo) -> Combo:
    """The part of a combination of copies that a value's result depends on (copy 0 unnamed)."""
    names = {a.name for a in value.axes}
    return tuple(item for item in combo if item[1] and item[0] in names)


def _power_of_two(value: int) -> int:
    return 1 << (value - 1).bit_length()
