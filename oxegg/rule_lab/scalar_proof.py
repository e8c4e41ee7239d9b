"""The scalar engine's code, operation by operation, against the ISA records at bit level.

The emitter writes the instructions for one operation; they are run here on symbolic registers.
Integers arrive sign- or zero-extended in their registers, and must leave so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oxegg.costmodels import load_machine
from oxegg.egraph.rule_text import operator_key
from oxegg.emit.lowering.emitter import Emitter
from oxegg.emit.lowering.scalar import apply as emit_operation
from oxegg.emit.program import ZERO, Operation, Register
from oxegg.ir import Term, input_
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BOOL, ElementType
from oxegg.isa import TABLE
from oxegg.isa.record import Operand
from oxegg.isa.semantics import Apply, Name, Statement
from oxegg.rule_lab import smt
from oxegg.rule_lab.isa_smt import Float, Machine
from oxegg.rule_lab.isa_smt import Register as Bits
from oxegg.rule_lab.proof import Proof, solve
from oxegg.rule_lab.solver import z3
from oxegg.rules.scalar_engine import supported

Held = Bits | Float
XLEN = 64
ROUND_TO_ZERO = 1


@dataclass(frozen=True)
class ScalarObligation:
    """One form of the scalar engine: operation, operand type, target of a conversion."""

    operator: str
    of: ElementType
    to: ElementType | None

    @property
    def name(self) -> str:
        return f"scalar {operator_key(self.operator, self.of, self.to)}"

    @property
    def digest(self) -> str:
        """Changes when the emitted code or a record of it does."""
        code, _, result = self.code()
        records = sorted({(o.name, TABLE[o.name].semantics, TABLE[o.name].syntax) for o in code})
        text = repr(([str(o) for o in code], result, records))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def code(self) -> tuple[list[Operation], list[Register], Register]:
        """Instructions, the registers of the operands, and that of the result."""
        emitter = Emitter(load_machine("ox-card"), {}, exact=True)
        registers = [emitter.new("f" if t.is_float else "x") for t in self.operand_types]
        result = emit_operation(emitter, operator_key(self.operator, self.of, self.to), registers)
        body = [o for o in emitter.body if isinstance(o, Operation)]
        return [*emitter.prologue, *body], registers, result

    @property
    def operand_types(self) -> list[ElementType]:
        types = [self.of] * OPERATIONS[self.operator].arity
        if OPERATIONS[self.operator].types == "select":
            types[0] = BOOL
        return types

    @property
    def result_type(self) -> ElementType:
        if self.to is not None:
            return self.to
        return BOOL if OPERATIONS[self.operator].types == "bool" else self.of


def scalar_obligations() -> Iterator[ScalarObligation]:
    for operator, of, to in supported():
        yield ScalarObligation(operator, of, to)


def prove_scalar(obligation: ScalarObligation, *, seconds: float) -> Proof:
    """Whether the emitted code computes the operation."""
    code, registers, result = obligation.code()
    symbols: dict[str, tuple[Term, Any]] = {}
    values: list[Any] = []
    held: dict[Register, Held] = {ZERO: Bits(z3.BitVecVal(0, XLEN))}
    for number, (type_, register) in enumerate(
        zip(obligation.operand_types, registers, strict=True)
    ):
        name = "xyz"[number]
        width = 1 if type_ is BOOL else type_.bits
        bits = z3.BitVec(name, width)
        symbols[name] = (input_(name, type_, ()), bits)
        values.append(_value(bits, type_))
        held[register] = Bits(bits if type_.is_float else _extended(bits, type_))
    try:
        for operation in code:
            _run(operation, held)
        type_ = obligation.result_type
        wanted = smt.apply(obligation.operator, obligation.of, type_, values)
        differ = _differ(held[result], wanted, type_)
    except smt.NoSemanticsError:
        return Proof("no semantics")
    return solve(differ, symbols, seconds=seconds)


def _value(bits: Any, type_: ElementType) -> Any:
    if type_ is BOOL:
        return bits == 1
    return z3.fpBVToFP(bits, smt.sort(type_)) if type_.is_float else bits


def _extended(bits: Any, type_: ElementType) -> Any:
    missing = XLEN - bits.size()
    return (z3.SignExt if type_.is_signed else z3.ZeroExt)(missing, bits) if missing else bits


def _differ(got: Held, wanted: Any, type_: ElementType) -> Any:
    if type_.is_float:
        value = got.value if isinstance(got, Float) else z3.fpBVToFP(got.bits, smt.sort(type_))
        return z3.Not(value == wanted)
    assert isinstance(got, Bits)
    if type_ is BOOL:
        return got.bits != z3.If(wanted, z3.BitVecVal(1, XLEN), z3.BitVecVal(0, XLEN))
    return got.bits != _extended(wanted, type_)


def _run(operation: Operation, held: dict[Register, Held]) -> None:
    """One instruction on symbolic registers."""
    record = TABLE[operation.name]
    if len(record.statements) != 1:
        raise smt.NoSemanticsError(record.name)
    (statement,) = record.statements
    operands: dict[str, Held] = {}
    constants: dict[str, int] = {}
    target: tuple[Operand, Register] | None = None
    for operand, given in zip(record.operands, operation.operands, strict=False):
        if isinstance(given, Register):
            if operand.writes:
                target = operand, given
            else:
                operands[operand.name] = _read(operand, held[given])
        else:
            constants[operand.name] = int(given)
    assert target is not None
    operand, register = target
    width = operand.width if operand.kind == "f" and operand.width else XLEN
    rounding = smt.TO_ZERO if constants.get("rm") == ROUND_TO_ZERO else smt.NEAREST
    machine = Machine(operands, constants, width, rounding)
    held[register] = _result(machine, statement, operand, width)


def _read(operand: Operand, value: Held) -> Held:
    """A float register is read in the format that it was written in."""
    width = value.width if isinstance(value, Bits) else value.format.bits
    if operand.kind == "f" and operand.width != width:
        raise smt.NoSemanticsError("a float register of another format")
    return value


def _result(machine: Machine, statement: Statement, operand: Operand, width: int) -> Held:
    value = statement.value
    moves = isinstance(value, Name) or (
        isinstance(value, Apply) and value.operation in ("fsgnj", "fsgnjn", "fsgnjx")
    )
    if operand.kind == "f" and not moves:
        return machine.float(value)
    if operand.kind == "f" and isinstance(value, Apply):
        return Bits(machine.bits(value))
    return Bits(machine.low(value, width))
