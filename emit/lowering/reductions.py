"""Accumulators: where reductions start, how they advance, how they end."""

from __future__ import annotations

from dataclasses import dataclass, field

from oxegg.emit.lowering import scalar, vector
from oxegg.emit.lowering.emitter import Combo, Emitter
from oxegg.emit.lowering.vector import Lookup
from oxegg.emit.physical import Value
from oxegg.emit.program import ZERO, Register
from oxegg.errors import EmitError
from oxegg.ir.types import U8, ElementType, value_to_bits
from oxegg.rules.vector_engine import FORMS, LANE_REDUCTIONS

_PAIR = {  # combining two partial results of a reduction, by kind of type
    "add": ("vfadd.vv", "vadd.vv", "vadd.vv"),
    "mul": ("vfmul.vv", "vmul.vv", "vmul.vv"),
    "minnum": ("vfmin.vv", "", ""),
    "maxnum": ("vfmax.vv", "", ""),
    "min": ("", "vmin.vv", "vminu.vv"),
    "max": ("", "vmax.vv", "vmaxu.vv"),
    "and": ("", "vand.vv", "vand.vv"),
    "or": ("", "vor.vv", "vor.vv"),
    "xor": ("", "vxor.vv", "vxor.vv"),
}
_FIRST_FORM = {  # the instruction that starts an accumulator with a product
    "vfmacc.vv": "vfmul.vv",
    "vfmacc.vf": "vfmul.vf",
    **{
        f"v{wide}macc{u}.{places}": f"v{wide}mul{u}.{places}"
        for wide, u in (("", ""), ("w", ""), ("w", "u"))
        for places in ("vv", "vx")
    },
}
_FIRST_WIDENED = {"vwadd.wv": "vwadd.vx", "vwaddu.wv": "vwaddu.vx"}  # plus x0


@dataclass
class Accumulator:
    """Partial results of one element of a reduction.

    ``registers[i]`` is None before the first update of a reduction that is fully unrolled; such
    accumulators are renamed by every update, those of loops are updated in place.
    """

    type: ElementType
    operator: str
    vl: int
    in_loop: bool
    registers: list[Register | None] = field(default_factory=list[Register | None])


def operator_of(value: Value) -> str:
    """add, maxnum, ...: the reduction that a value performs."""
    return value.name


def identity(operator: str, type_: ElementType, *, exact: bool) -> float | int:
    """The value that changes nothing; -0 for exact sums, because 0 + -0 is 0."""
    if operator == "add":
        return -0.0 if exact and type_.is_float else 0
    if operator == "mul":
        return 1
    if type_.is_float:
        return float("inf") if operator in ("min", "minnum") else float("-inf")
    table = {
        "min": type_.maximum, "max": type_.minimum, "and": -1 if type_.is_signed else type_.maximum,
        "or": 0, "xor": 0,
    }  # fmt: skip
    return table[operator]


def start(emitter: Emitter, value: Value, combo: Combo, count: int, in_loop: bool) -> Accumulator:
    """Fresh accumulators; those that live through a loop start as the identity."""
    operator = operator_of(value)
    vl = _widest(emitter, value, combo)
    accumulator = Accumulator(value.type, operator, vl, in_loop)
    for _ in range(count):
        if not in_loop:
            accumulator.registers.append(None)
            continue
        accumulator.registers.append(_identity_register(emitter, value, operator, vl))
    return accumulator


def _identity_register(emitter: Emitter, value: Value, operator: str, vl: int) -> Register:
    start_value = _immediate(identity(operator, value.type, exact=emitter.exact), value.type)
    if _is_vector(value):
        register = emitter.vector(value.type)
        vector.fill(emitter, register, value.type, start_value, vl, (), _never)
        return register
    register = scalar.fresh(emitter, value.type)
    scalar.move(emitter, register, vector.constant(emitter, start_value), value.type)
    return register


def _never(value: Value, combo: Combo) -> Register:
    raise EmitError(f"{value.kind} is not a constant")


def _immediate(number: float | int, type_: ElementType) -> Value:
    return Value("immediate", type_, frozenset(), bits=value_to_bits(number, type_))


def _is_vector(value: Value) -> bool:
    return value.kind == "lanes" or value.space == "v"


def _widest(emitter: Emitter, value: Value, combo: Combo) -> int:
    if value.kind == "lanes":
        assert value.lane is not None
        return min(emitter.lanes, value.lane.size)
    return emitter.width(value, combo)


def update(
    emitter: Emitter,
    value: Value,
    accumulator: Accumulator,
    slot: int,
    combo: Combo,
    lookup: Lookup,
) -> None:
    """One step: fold the operands' instance into slot ``slot``."""
    current = accumulator.registers[slot]
    if not _is_vector(value):
        _update_scalar(emitter, value, accumulator, slot, combo, lookup)
        return
    form = FORMS[value.form]
    vl = emitter.width(value, combo)
    operands = vector.bind(emitter, form, value.operands, combo, lookup)
    state = emitter.state(form.sew, vl, keep_tail=vl < accumulator.vl)
    if current is None:
        accumulator.registers[slot] = _first(emitter, value, operands, accumulator, combo)
        return
    target = current if accumulator.in_loop else emitter.vector(value.type)
    operands["acc"] = current
    vector.issue(emitter, form, target, operands, state)
    accumulator.registers[slot] = target


def _first(
    emitter: Emitter,
    value: Value,
    operands: dict[str, vector.Operand | Value],
    accumulator: Accumulator,
    combo: Combo,
) -> Register:
    """Start a fully unrolled reduction without adding to an identity where that is possible."""
    form = FORMS[value.form]
    encoding = form.encodings[0]
    vl = emitter.width(value, combo)
    if vl == accumulator.vl:
        names = [n for n, _ in form.operands if n != "acc"]
        only = operands[names[0]]
        if len(names) == 1 and isinstance(only, Register) and form.sew == form.type:
            return only
        started = _FIRST_FORM.get(encoding.instruction)
        widened = _FIRST_WIDENED.get(encoding.instruction)
        if started or widened:
            target = emitter.vector(value.type)
            words = [operands[str(w)] for w in encoding.assembly[1:] if w != "acc"]
            if widened:
                words.append(ZERO)
            elif started and started.endswith((".vf", ".vx")):
                words.reverse()  # vfmul.vf takes the scalar last
            registers = [vector.constant(emitter, w) if isinstance(w, Value) else w for w in words]
            state = emitter.state(form.sew, vl)
            emitter.emit(started or widened or "", target, *registers, state=state)
            return target
    register = _identity_register(emitter, value, accumulator.operator, accumulator.vl)
    target = emitter.vector(value.type)
    operands["acc"] = register
    state = emitter.state(form.sew, vl, keep_tail=vl < accumulator.vl)
    vector.issue(emitter, form, target, operands, state)
    return target


def _update_scalar(
    emitter: Emitter,
    value: Value,
    accumulator: Accumulator,
    slot: int,
    combo: Combo,
    lookup: Lookup,
) -> None:
    current = accumulator.registers[slot]
    operands = [scalar_operand(emitter, o, combo, lookup) for o in value.operands]
    form = value.form
    if value.kind == "count":
        operands, form = [_population(emitter, value, operands[0], combo)], f"add.{value.type}"
    name, _, type_ = form.partition(".")
    if current is None:
        if len(operands) == 1:
            accumulator.registers[slot] = operands[0]
            return
        accumulator.registers[slot] = scalar.apply(emitter, f"mul.{type_}", operands)
        return
    ordered = [*operands, current] if name == "fma" else [current, *operands]
    result = scalar.apply(emitter, form, ordered)
    if accumulator.in_loop:
        scalar.move(emitter, current, result, value.type)
    else:
        accumulator.registers[slot] = result


def _population(emitter: Emitter, value: Value, mask: Register, combo: Combo) -> Register:
    target = emitter.new("x")
    emitter.emit("vcpop.m", target, mask, state=emitter.state(U8, emitter.width(value, combo)))
    return target


def scalar_operand(emitter: Emitter, value: Value, combo: Combo, lookup: Lookup) -> Register:
    return vector.constant(emitter, value) if value.kind == "immediate" else lookup(value, combo)


def finish(emitter: Emitter, value: Value, accumulator: Accumulator) -> Register:
    """Combine the partial results; fold the lanes where the reduced axis lies across them."""
    parts = [r for r in accumulator.registers if r is not None]
    while len(parts) > 1:
        parts = [
            _pair(emitter, value, accumulator, *parts[i : i + 2])
            if i + 1 < len(parts)
            else parts[i]
            for i in range(0, len(parts), 2)
        ]
    return _fold_lanes(emitter, value, accumulator, parts[0]) if value.kind == "lanes" else parts[0]


def _pair(
    emitter: Emitter, value: Value, accumulator: Accumulator, left: Register, right: Register
) -> Register:
    if not _is_vector(value):
        return scalar.apply(emitter, f"{accumulator.operator}.{value.type}", [left, right])
    column = {"float": 0, "int": 1, "uint": 2}[value.type.kind]
    target = emitter.vector(value.type)
    state = emitter.state(value.type, accumulator.vl)
    emitter.emit(_PAIR[accumulator.operator][column], target, left, right, state=state)
    return target


def _fold_lanes(
    emitter: Emitter, value: Value, accumulator: Accumulator, register: Register
) -> Register:
    type_, operator = value.type, accumulator.operator
    name = LANE_REDUCTIONS.get((operator, type_.kind))
    if name is None:
        raise EmitError(f"no instruction folds lanes by {operator}")
    state = emitter.state(type_, accumulator.vl)
    seed, target = emitter.new("v"), emitter.new("v")
    start_value = _immediate(identity(operator, type_, exact=emitter.exact), type_)
    source = vector.constant(emitter, start_value)
    emitter.emit("vfmv.s.f" if type_.is_float else "vmv.s.x", seed, source, state=state)
    emitter.emit(name, target, register, seed, state=state)
    return vector.first_lane(emitter, target, type_, accumulator.vl)
