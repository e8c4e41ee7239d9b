"""What terms mean over a prime field with uninterpreted functions.

Each operation is what the simulator makes of the instruction that does it
(:mod:`oxegg.sim.uninterpreted`): sums and products are the field's, the rest are functions by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.errors import IRError
from oxegg.ir import Axis, Term, topological
from oxegg.ir.evaluate import interpret
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BF16, BOOL, ElementType, bits_to_value, value_to_bits
from oxegg.sim import ieee
from oxegg.sim.domains import ARITHMETIC, COMPARISONS, HELD, decode, encode
from oxegg.sim.reference import INTEGER
from oxegg.sim.uninterpreted import (
    TO_FLOAT,
    Integer,
    Opaque,
    UninterpretedField,
    Value,
    integer_operation,
)

Array = npt.NDArray[Any]
FORMATS = {"f16": ieee.HALF, "bf16": ieee.BFLOAT16, "f32": ieee.SINGLE, "f64": ieee.DOUBLE}
ISA_NAMES = {
    "add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "fma": "fma",
    "min": "fmin", "max": "fmax", "minnum": "fmin", "maxnum": "fmax", "sqrt": "fsqrt",
    "eq": "feq", "lt": "flt", "le": "fle",
}  # fmt: skip
"""Operations on floats in the language of the instruction set."""
ESTIMATES = {"reciprocal_estimate": "frec7", "rsqrt_estimate": "frsqrt7"}
FIELD_OPERATIONS = frozenset(
    {"neg", "add", "sub", "mul", "div", "fma", "fms", "fnma", "reciprocal"}
)
MOVES = frozenset({"select", "bitcast"})
KEEPING = MOVES | {"neg", "abs", "copysign"}
"""Operations that keep the bits of a float, but for its sign."""
INTEGER_OPERATIONS = frozenset(
    {"add", "sub", "mul", "neg", "and", "or", "xor", "not", "shl", "shr", "min", "max", "eq", "ne",
     "lt", "le"}
)  # fmt: skip
LOGIC = frozenset({"and", "or", "xor", "not", "eq", "ne"})


@dataclass(frozen=True)
class Float:
    """A float that no instruction has computed: its bits are known, whatever it stands for."""

    bits: int
    residue: Value
    sign: int
    """The sign bit."""


def values(
    roots: Sequence[Term], inputs: Mapping[str, Array], field: UninterpretedField
) -> list[Array]:
    """Values of ``roots``: residues, and integers as bits. Axes of each in sorted-name order.

    Floats of ``inputs`` are residues. Raises ``IRError`` or ``NoMeaning`` for operations that no
    instruction does alone, and where the value of an opaque integer matters.
    """
    _check_integers(roots)
    stored = dict(inputs)
    for term in topological(roots):
        if term.operator == "input" and stays_number(term.type, term.attributes[1]):
            name = term.attributes[0]
            stored[name] = _each(partial(_float, field, term.type), inputs[name])
    meanings = partial(_constant, field), partial(_pointwise, field), partial(_index, field)
    found = interpret(roots, stored, *meanings)
    return [
        _each(_residue if root.type.is_float else partial(_stored_bits, field, root.type), value)
        for root, value in zip(roots, found, strict=True)
    ]


def _check_integers(roots: Sequence[Term]) -> None:
    """Raise ``IRError`` for uses of opaque integers that need more than to know what they are."""
    opaque: set[int] = set()
    for term in topological(roots):
        from_float = any(child.type.is_float for child in term.children)
        below = [id(child) in opaque for child in term.children]
        if term.type.is_integer and (from_float or any(below)):
            opaque.add(id(term))
        if any(below) and term.operator in ("reduce", "scan"):
            raise IRError("the order of a sum of opaque integers has no meaning")
        if term.operator == "gather" and below[1]:
            raise IRError("an opaque position has no meaning")


def _stored_bits(field: UninterpretedField, type_: ElementType, value: Integer) -> int:
    if not isinstance(value, Opaque):
        return int(value)
    if type_.bits not in HELD:
        raise IRError(f"an element in {type_.bits} bits")
    return _wrapped(encode(field, HELD[type_.bits][0], value.value), type_)


def stays_number(type_: ElementType, layout: Sequence[Axis]) -> bool:
    """Whether an input is stored as floats instead of elements.

    Scalars are, in registers, and so are bfloat16s: scalar code widens them by integer operations.
    """
    return type_.is_float and (not layout or type_ is BF16)


def functions(roots: Sequence[Term]) -> list[str]:
    """Operations that ``roots`` depend on and that aren't the field's: ``max``, ``shl.i32``."""
    found: set[str] = set()
    for term in topological(roots):
        name = term.attributes[0] if term.operator in ("reduce", "scan") else term.operator
        if name in OPERATIONS and name not in {*MOVES, "convert"} and term.children:
            operand = term.children[-1].type
            if not (operand.is_float and name in FIELD_OPERATIONS):
                found.add(name if operand.is_float else f"{name}.{operand}")
    return sorted(found)


def _each(function: Callable[[Any], Any], array: Array) -> Array:
    return np.asarray(np.frompyfunc(function, 1, 1)(array), object)


def _residue(value: Any) -> Any:
    return value.residue if isinstance(value, Float) else value


def _float(field: UninterpretedField, type_: ElementType, number: float) -> Float:
    return _from_bits(field, type_, value_to_bits(number, type_))


def _from_bits(field: UninterpretedField, type_: ElementType, bits: int) -> Float:
    pattern = bits % (1 << type_.bits)
    return Float(pattern, decode(field, FORMATS[type_.name], pattern), 1 << (type_.bits - 1))


def _constant(field: UninterpretedField, term: Term) -> Array:
    bits, type_ = term.attributes[0], term.type
    result = np.empty((), object)
    known = _from_bits(field, type_, bits) if type_.is_float else bits_to_value(bits, type_)
    result[()] = known
    return result


def _index(field: UninterpretedField, positions: Array, type_: ElementType) -> Array:
    whole = [int(position) for position in positions]
    return np.array([field.literal(Fraction(v)) if type_.is_float else v for v in whole], object)


def _pointwise(field: UninterpretedField, term: Term, operands: Sequence[Array]) -> Array:
    function = _function(field, term.operator, term.children[-1].type, term.type)
    if term.operator not in KEEPING:
        operands = [_each(_residue, operand) for operand in operands]
    return np.asarray(np.frompyfunc(function, len(operands), 1)(*operands), dtype=object)


def _function(
    field: UninterpretedField, name: str, operand: ElementType, result: ElementType
) -> Callable[..., Any]:
    """An operation on single values."""
    if name == "select":
        return _chosen
    if name in _CONVERSIONS:
        kinds = operand.is_float, result.is_float
        return partial(_CONVERSIONS[name][kinds], field, operand, result)
    if operand is BOOL and name in LOGIC:
        return partial(_logic, name)
    if operand.is_float and name in _FLOAT:
        return partial(_FLOAT[name], field)
    if operand.is_integer and name in INTEGER_OPERATIONS:
        return partial(_integer, field, name, operand)
    raise IRError(f"{name} of {operand} is no instruction's")


def _logic(name: str, *operands: bool) -> bool:
    return bool(INTEGER[name](*operands) & 1)


def _chosen(condition: bool, yes: Any, no: Any) -> Any:
    return yes if condition else no


# Floats


def _negated(field: UninterpretedField, a: Value | Float) -> Value | Float:
    if isinstance(a, Float):
        return Float(a.bits ^ a.sign, field.negate(a.residue), a.sign)
    return field.negate(a)


def _negative(field: UninterpretedField, a: Value | Float) -> bool:
    return bool(a.bits & a.sign) if isinstance(a, Float) else field.less(a, 0)


def _absolute(field: UninterpretedField, a: Value | Float) -> Value | Float:
    return _negated(field, a) if _negative(field, a) else a


def _copysign(field: UninterpretedField, a: Value | Float, b: Value | Float) -> Value | Float:
    return _negated(field, a) if _negative(field, a) != _negative(field, b) else a


def _fms(field: UninterpretedField, a: Value, b: Value, c: Value) -> Value:
    return field.add(field.multiply(a, b), field.negate(c))


def _fnma(field: UninterpretedField, a: Value, b: Value, c: Value) -> Value:
    return field.add(c, field.negate(field.multiply(a, b)))


def _unequal(field: UninterpretedField, a: Value, b: Value) -> bool:
    return a != b


def _reciprocal(field: UninterpretedField, a: Value) -> Value:
    return field.divide(1, a)


def _estimate(name: str, field: UninterpretedField, a: Value) -> Value:
    return field.uninterpreted(name, a)


_FLOAT: Mapping[str, Callable[..., Any]] = {
    **{name: {**ARITHMETIC, **COMPARISONS}[isa] for name, isa in ISA_NAMES.items()},
    **{name: partial(_estimate, isa) for name, isa in ESTIMATES.items()},
    "neg": _negated, "abs": _absolute, "copysign": _copysign, "fms": _fms, "fnma": _fnma,
    "ne": _unequal, "reciprocal": _reciprocal,
}  # fmt: skip


# Integers


def _integer(
    field: UninterpretedField, name: str, type_: ElementType, *operands: Integer
) -> Integer | bool:
    plain = [operand for operand in operands if not isinstance(operand, Opaque)]
    if len(plain) < len(operands):
        found = integer_operation(field, name, list(operands), type_.bits)
        return found if isinstance(found, Opaque) else bool(found)
    if name in ("shl", "shr"):
        plain[1] %= type_.bits
    result = INTEGER[name](*plain)
    return result if isinstance(result, bool) else _wrapped(result, type_)


def _wrapped(value: int, type_: ElementType) -> int:
    return (value - type_.minimum) % (1 << type_.bits) + type_.minimum


# Conversions: field, type before, type after, value


def _unchanged(
    field: UninterpretedField, before: ElementType, after: ElementType, value: Any
) -> Any:
    return value


def _to_integer(
    name: str, field: UninterpretedField, before: ElementType, after: ElementType, value: Value
) -> Opaque | bool:
    if after is BOOL:
        return _unequal(field, value, 0)
    return Opaque(field.uninterpreted(name.format("s" if after.is_signed else "u"), value))


def _to_float(
    field: UninterpretedField, before: ElementType, after: ElementType, value: Integer
) -> Value:
    if isinstance(value, Opaque):
        return field.uninterpreted(TO_FLOAT, value.value)
    return field.literal(Fraction(int(value)))


def _resized(
    field: UninterpretedField, before: ElementType, after: ElementType, value: Integer
) -> Integer | bool:
    if after is BOOL:
        return value != 0
    return value if isinstance(value, Opaque) else _wrapped(int(value), after)


def _bits(
    field: UninterpretedField, before: ElementType, after: ElementType, value: Value | Float
) -> Integer:
    if isinstance(value, Float):
        return _wrapped(value.bits, after)
    if isinstance(value, float):
        raise IRError("the bits of an infinity")
    return Opaque(value)


def _float_of_bits(
    field: UninterpretedField, before: ElementType, after: ElementType, value: Integer
) -> Value | Float:
    return value.value if isinstance(value, Opaque) else _from_bits(field, after, value)


_CONVERSIONS: Mapping[str, Mapping[tuple[bool, bool], Callable[..., Any]]] = {
    "convert": {(True, True): _unchanged, (True, False): partial(_to_integer, "f_to_{}_rtz"),
                (False, True): _to_float, (False, False): _resized},
    "to_int": {(True, False): partial(_to_integer, "f_to_{}")},
    "bitcast": {(True, False): _bits, (False, True): _float_of_bits, (False, False): _resized,
                (True, True): _unchanged},
}  # fmt: skip
"""By whether the type before and the type after are floats."""
