"""Instruction selection against the ISA records, at bit level.

For each encoding of each row: the record's own semantics, on symbolic operands, equals the row's
algebra. Where NumPy leaves a result open (floats out of an integer's range) nothing has to hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from oxegg.ir import Term, input_
from oxegg.ir.types import BOOL, I32, ElementType
from oxegg.isa import TABLE, Instruction
from oxegg.isa.semantics import Apply as Node
from oxegg.isa.semantics import Expression, Name, Statement
from oxegg.rule_lab import smt
from oxegg.rule_lab.instances import to_term
from oxegg.rule_lab.isa_smt import Machine, Register
from oxegg.rule_lab.proof import Proof, solve
from oxegg.rule_lab.solver import z3
from oxegg.rule_lab.symbolic import Bits, Elements, Reals, World
from oxegg.rules.pattern import Apply, Pattern, Rule, names_in
from oxegg.rules.selection import Encoding, Selection
from oxegg.rules.vector_engine import LANE_REDUCTIONS, SELECTIONS
from oxegg.rules.wellformed import variable_types

Value = Any


@dataclass(frozen=True)
class Obligation:
    """One way to write one row down; ``name`` is unique."""

    name: str
    row: Selection
    encoding: Encoding

    @property
    def digest(self) -> str:
        """Changes when the row or the record does."""
        record = TABLE[self.encoding.instruction]
        text = repr((self.row, self.encoding, record.semantics, record.syntax, record.operands))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def obligations() -> Iterator[Obligation]:
    """Every encoding of every row of the vector engine."""
    seen: dict[str, int] = {}
    for row in SELECTIONS:
        for encoding in row.form.encodings:
            use = f"{row.reduction}:" if row.reduction else ""
            name = f"select {use}{encoding.instruction} {row.form.key}"
            seen[name] = seen.get(name, 0) + 1
            suffix = f" #{seen[name]}" if seen[name] > 1 else ""
            yield Obligation(name + suffix, row, encoding)


def prove_selection(obligation: Obligation, *, seconds: float) -> Proof:
    """Whether the instruction computes the row's algebra."""
    row, encoding = obligation.row, obligation.encoding
    record = TABLE[encoding.instruction]
    world: World = Bits() if row.kind == "exact" else Reals()
    elements = Elements(world)
    try:
        inputs = _inputs(row)
        wanted = _algebra(row, inputs, elements)
        got = _instruction(row, encoding, record, inputs, elements)
        where = _defined(row, inputs, elements)
    except smt.NoSemanticsError:
        return Proof("no semantics")
    return solve(z3.And(where, z3.Not(got == wanted)), elements.inputs, seconds=seconds)


def _inputs(row: Selection) -> dict[str, Term]:
    """Operands as scalars; the accumulator of a reduction and constants among them."""
    type_ = row.form.type
    types = variable_types(_as_rule(row.pattern, type_), type_)
    types |= {name: type_ for name, _ in row.constants}
    if row.reduction:
        types["acc"] = type_
    return {name: input_(name, of, ()) for name, of in types.items()}


def _as_rule(pattern: Pattern, type_: ElementType) -> Rule:
    return Rule("selection", pattern, pattern, "exact", (type_,), "")


def _algebra(row: Selection, inputs: dict[str, Term], elements: Elements) -> Value:
    type_ = row.form.type
    body = to_term(row.pattern, type_, type_, inputs, {})
    value = elements.at(body, {})
    if row.reduction:
        total = elements.at(inputs["acc"], {})
        return elements.world.apply(row.reduction, type_, type_, [total, value])
    return value


def _defined(row: Selection, inputs: dict[str, Term], elements: Elements) -> Value:
    """Where an instruction need not follow the algebra: NumPy leaves narrow conversions open."""
    pattern = row.pattern
    if not isinstance(pattern, Apply) or pattern.operator != "convert":
        return z3.BoolVal(True)
    of, to = pattern.operand_type, pattern.type
    if of is None or to is None or not (of.is_float and to.is_integer and to.bits < I32.bits):
        return z3.BoolVal(True)
    (name,) = names_in(pattern)
    return smt.fits(of, to, elements.at(inputs[name], {}), smt.TO_ZERO)


def _instruction(
    row: Selection,
    encoding: Encoding,
    record: Instruction,
    inputs: dict[str, Term],
    elements: Elements,
) -> Value:
    """What the record's semantics makes of the operands, as a value of the row's type."""
    if not record.statements:
        raise smt.NoSemanticsError(record.name)
    (statement,) = record.statements
    names = [o.name for o in record.operands]
    bound: dict[str, Value] = {}
    constants: dict[str, int] = {"sew": row.form.sew.bits}
    if encoding.tied:
        bound["vd"] = _value(encoding.tied, row, inputs, elements)
    for name, word in zip(names, encoding.assembly, strict=False):
        if isinstance(word, int):
            constants[name] = word
        elif word != "d":
            bound["v0" if name in ("vm", "v0") else name] = _value(word, row, inputs, elements)
    if isinstance(elements.world, Reals):
        result = _over_reals(statement, bound)
    else:
        result = _to_the_bit(row, statement, bound, constants)
    if row.form.masked:
        return z3.If(elements.at(inputs["c"], {}), result, elements.at(inputs["old"], {}))
    return result


def _value(name: str, row: Selection, inputs: dict[str, Term], elements: Elements) -> Value:
    constants = dict(row.constants)
    if name in constants:
        return elements.world.constant(constants[name], inputs[name].type)
    return elements.at(inputs[name], {})


def _to_the_bit(
    row: Selection, statement: Statement, bound: dict[str, Value], constants: dict[str, int]
) -> Value:
    type_ = row.form.type
    registers = {name: Register(_raw(value)) for name, value in bound.items()}
    machine = Machine(registers, constants, max(1, type_.bits))
    if type_.is_float:
        if _is_plain(statement):
            return z3.fpBVToFP(machine.low(statement.value, type_.bits), smt.sort(type_))
        return machine.float(statement.value).value
    bits = machine.low(statement.value, max(1, type_.bits))
    return bits == 1 if type_ is BOOL else bits


def _is_plain(statement: Statement) -> bool:
    """A merge moves bits: no float operation is involved."""
    return isinstance(statement.value, Node) and statement.value.operation == "select"


def _raw(value: Value) -> Value:
    """A value's bits in a register."""
    if z3.is_fp(value):
        return value.arg(0) if z3.is_app_of(value, z3.Z3_OP_FPA_TO_FP) else z3.fpToIEEEBV(value)
    if z3.is_bool(value):
        return z3.If(value, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))
    return value


def _over_reals(statement: Statement, bound: dict[str, Value]) -> Value:
    """Float operations as those of a field; what is widened stays the same number."""
    def real(node: Expression) -> Value:
        if isinstance(node, Name):
            return bound[node.name]
        if not isinstance(node, Node) or node.operation not in _FIELD:
            raise smt.NoSemanticsError(repr(node))
        return _FIELD[node.operation](*map(real, node.arguments))

    return real(statement.value)


def _multiply_add(x: Value, y: Value, z: Value) -> Value:
    return x * y + z


def _negated(x: Value) -> Value:
    return -x


def _unchanged(x: Value) -> Value:
    return x


_FIELD: dict[str, Callable[..., Value]] = {
    "fma": _multiply_add,
    "fneg": _negated,
    "widen": _unchanged,
}


def prove_lane_reductions() -> dict[str, bool]:
    """Whether each instruction that folds lanes folds the reduction it stands for."""
    verdicts: dict[str, bool] = {}
    for (operator, kind), name in LANE_REDUCTIONS.items():
        (statement,) = TABLE[name].statements
        node = statement.value
        assert isinstance(node, Node)
        signed = any(isinstance(a, Node) and a.operation == "s" for a in node.arguments)
        wanted = _FOLDS[operator, kind]
        orders = operator in ("min", "max")
        verdicts[name + f" {operator}.{kind}"] = node.operation == wanted and (
            not orders or signed == (kind == "int")
        )
    return verdicts


_FOLDS = {
    **{(op, k): f"reduce_{op}" for op in ("add", "min", "max", "and", "or", "xor")
       for k in ("int", "uint")},
    ("add", "float"): "reduce_fadd",
    ("minnum", "float"): "reduce_fmin",
    ("maxnum", "float"): "reduce_fmax",
}  # fmt: skip
"""The whole-vector functions of the semantics language that fold with each operator."""
