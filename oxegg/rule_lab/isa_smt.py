# Rows of lambdas over formulas, whose types z3 does not state.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
"""The semantics language of the ISA records (:mod:`oxegg.isa.semantics`) as solver formulas.

Integers are mathematical there; here each is a two's complement bit vector wide enough for every
value it can take. Where only low bits are kept, only those are built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oxegg.ir.types import BF16, F16, F32, F64, ElementType, value_to_bits
from oxegg.isa.semantics import Apply, Const, Expression, Name
from oxegg.rule_lab import smt
from oxegg.rule_lab.solver import z3

Value = Any
FORMATS = {16: F16, 32: F32, 64: F64}


@dataclass(frozen=True)
class Register:
    """An operand's bits; as an integer, unsigned."""

    bits: Value

    @property
    def width(self) -> int:
        return self.bits.size()


@dataclass(frozen=True)
class Float:
    """A float result; its bits are known but for which NaN a NaN is."""

    value: Value
    format: ElementType


@dataclass(frozen=True)
class Machine:
    """What names mean in one instruction: operands, and the element width."""

    operands: Mapping[str, Register | Float]
    constants: Mapping[str, int]
    result: int  # width of the destination
    rounding: Value = smt.NEAREST

    # -------------------------------------------------------------- integers

    def low(self, expression: Expression, width: int) -> Value:
        """The low bits of an integer."""
        if isinstance(expression, Apply):
            modular = _MODULAR.get(expression.operation)
            if modular is not None:
                return modular(*(self.low(a, width) for a in expression.arguments))
            if expression.operation == "select":
                test, yes, no = expression.arguments
                return z3.If(self.true(test), self.low(yes, width), self.low(no, width))
        return _resize(self.exact(expression), width)

    def exact(self, expression: Expression) -> Value:
        """An integer as a signed bit vector that is wide enough."""
        if isinstance(expression, Const):
            return _number(expression.value)
        if isinstance(expression, Name):
            if expression.name in self.constants:
                return _number(self.constants[expression.name])
            return z3.ZeroExt(1, self.bits(expression))
        assert isinstance(expression, Apply)
        return self._operation(expression)

    def _operation(self, node: Apply) -> Value:
        name, arguments = node.operation, node.arguments
        if name == "s":
            return self.bits(arguments[0])
        if name == "raw":
            return z3.ZeroExt(1, self.bits(arguments[0]))
        if name in ("sext", "low"):
            width = self.constant(arguments[1])
            cut = self.low(arguments[0], width)
            return cut if name == "sext" else z3.ZeroExt(1, cut)
        if name in _COMPARE:
            a, b = _level(self.exact(arguments[0]), self.exact(arguments[1]))
            return _truth(_COMPARE[name](a, b))
        if name in _FLOAT_COMPARE:
            x, y = (self.float(a).value for a in arguments)
            return _truth(_FLOAT_COMPARE[name](x, y))
        if name == "select":
            yes, no = _level(self.exact(arguments[1]), self.exact(arguments[2]))
            return z3.If(self.true(arguments[0]), yes, no)
        if name in ("f_to_s", "f_to_u", "f_to_s_rtz", "f_to_u_rtz"):
            return self._to_integer(name, arguments)
        if name in ("sat_s", "sat_u"):
            return self._saturated(self.exact(arguments[0]), signed=name == "sat_s")
        if name == "round_shift" and self.constant(arguments[1]) == 0:
            return self.exact(arguments[0])  # nothing that vxrm could round
        if name in _EXACT:
            return _EXACT[name](*(self.exact(a) for a in arguments))
        raise smt.NoSemanticsError(name)

    def _saturated(self, value: Value, *, signed: bool) -> Value:
        """Clamped to the destination's range."""
        low, high = (
            (-(1 << self.result - 1), (1 << self.result - 1) - 1)
            if signed
            else (0, (1 << self.result) - 1)
        )
        least, value = _level(_number(low), value)
        most, value = _level(_number(high), z3.If(value < least, least, value))
        return z3.If(value > most, most, value)

    def bits(self, expression: Expression) -> Value:
        """A register's own bits (of a float: up to which NaN)."""
        if isinstance(expression, Name) and expression.name in self.operands:
            held = self.operands[expression.name]
            return held.bits if isinstance(held, Register) else _canonical(held)
        if isinstance(expression, Apply) and expression.operation in ("s", "raw"):
            return self.bits(expression.arguments[0])
        if isinstance(expression, Apply) and expression.operation in _SIGN_BITS:
            first, second = (self.bits(a) for a in expression.arguments)
            top = first.size() - 1
            signs = (z3.Extract(top, top, v) for v in (first, second))
            sign = _SIGN_BITS[expression.operation](*signs)
            return z3.Concat(sign, z3.Extract(top - 1, 0, first))
        raise smt.NoSemanticsError("bits")

    def true(self, expression: Expression) -> Value:
        value = self.exact(expression)
        return value != 0

    def constant(self, expression: Expression) -> int:
        value = z3.simplify(self.exact(expression))
        if not z3.is_bv_value(value):
            raise smt.NoSemanticsError("a width that isn't constant")
        return value.as_signed_long()

    # -------------------------------------------------------------- floats

    def float(self, expression: Expression) -> Float:
        """A float value in the format that its place has."""
        if isinstance(expression, Name):
            held = self.operands[expression.name]
            return held if isinstance(held, Float) else _as_float(held.bits, FORMATS[held.width])
        assert isinstance(expression, Apply)
        name, arguments = expression.operation, expression.arguments
        if name in _SIGN_BITS or name == "raw":
            bits = self.bits(expression)
            return _as_float(bits, FORMATS[bits.size()])
        if name in _WIDENINGS:
            return self._widened(name, arguments[0])
        if name in ("fcvt", "s_to_f", "u_to_f"):
            return self._converted(name, arguments[0])
        if name in _FLOAT:
            operands = [self.float(a) for a in arguments]
            format_ = operands[0].format
            return Float(_FLOAT[name](format_, *(o.value for o in operands)), format_)
        raise smt.NoSemanticsError(name)

    def _widened(self, name: str, argument: Expression) -> Float:
        if name == "bf16_widen":
            return _as_float(z3.Concat(self.bits(argument), z3.BitVecVal(0, 16)), F32)
        inner = self.float(argument)
        if name == "bf16_narrow":
            return Float(smt.apply("convert", F32, BF16, [inner.value]), BF16)
        wide = FORMATS[2 * inner.format.bits]
        return Float(smt.apply("convert", inner.format, wide, [inner.value]), wide)

    def _converted(self, name: str, argument: Expression) -> Float:
        to = FORMATS[self.result]
        if name == "fcvt":
            inner = self.float(argument)
            return Float(smt.apply("convert", inner.format, to, [inner.value]), to)
        whole = self.exact(argument)
        if name == "u_to_f":
            return Float(z3.fpUnsignedToFP(smt.NEAREST, whole, smt.sort(to)), to)
        return Float(z3.fpSignedToFP(smt.NEAREST, whole, smt.sort(to)), to)

    def _to_integer(self, name: str, arguments: tuple[Expression, ...]) -> Value:
        """Saturating; NaN gives the largest."""
        x, width = self.float(arguments[0]), self.constant(arguments[1])
        to = ElementType("i" if "_s" in name else "u", "int" if "_s" in name else "uint", width)
        mode = smt.TO_ZERO if name.endswith("rtz") else self.rounding
        value = smt.saturated(x.format, to, x.value, mode)
        return value if to.is_signed else z3.ZeroExt(1, value)


def _canonical(held: Float) -> Value:
    """The bits of a result: the machine has one NaN to give."""
    nan = z3.BitVecVal(value_to_bits(float("nan"), held.format), held.format.bits)
    return z3.If(z3.fpIsNaN(held.value), nan, z3.fpToIEEEBV(held.value))


def _as_float(bits: Value, format_: ElementType) -> Float:
    return Float(z3.fpBVToFP(bits, smt.sort(format_)), format_)


def _number(value: int) -> Value:
    return z3.BitVecVal(value, value.bit_length() + 1)


def _resize(value: Value, width: int) -> Value:
    size = value.size()
    if size >= width:
        return z3.Extract(width - 1, 0, value) if size > width else value
    return z3.SignExt(width - size, value)


def _level(a: Value, b: Value, more: int = 0) -> tuple[Value, Value]:
    """Both as wide as the wider, and ``more`` bits."""
    width = max(a.size(), b.size()) + more
    return _resize(a, width), _resize(b, width)


def _truth(condition: Value) -> Value:
    return z3.If(condition, _number(1), z3.BitVecVal(0, 2))


def _grown(function: Callable[[Value, Value], Value]) -> Callable[[Value, Value], Value]:
    return lambda a, b: function(*_level(a, b, 1))


def _product(a: Value, b: Value) -> Value:
    width = a.size() + b.size()
    return _resize(a, width) * _resize(b, width)


def _shift_left(a: Value, amount: Value) -> Value:
    known = z3.simplify(amount)
    largest = known.as_long() if z3.is_bv_value(known) else 63
    width = max(a.size() + largest, amount.size())
    return _resize(a, width) << _resize(amount, width)


def _shift_right(a: Value, amount: Value) -> Value:
    a, amount = _level(a, amount)
    return a >> amount


def _divided(
    unsigned: Callable[[Value, Value], Value], signed: Callable[[Value, Value], Value]
) -> Callable[[Value, Value], Value]:
    """Zero-extended numbers divide as they do in the fewer bits that they came from."""

    def divide(a: Value, b: Value) -> Value:
        cores = [_core(v, z3.Z3_OP_ZERO_EXT) for v in (a, b)]
        width = max(core.size() for core in cores)
        if width < a.size() and width < b.size():
            x, y = (z3.ZeroExt(width - c.size(), c) if c.size() < width else c for c in cores)
            return z3.ZeroExt(1, unsigned(x, y))
        return signed(*_level(a, b, 1))

    return divide


def _remainder(a: Value, b: Value) -> Value:
    """Of sign-extended numbers: as in the fewer bits (only quotients can overflow there)."""
    cores = [_core(v, z3.Z3_OP_SIGN_EXT) for v in (a, b)]
    width = max(core.size() for core in cores)
    return z3.SRem(*(_resize(core, width) for core in cores))


def _core(value: Value, extension: int) -> Value:
    while z3.is_app_of(value, extension):
        value = value.arg(0)
    return value


_MODULAR: dict[str, Callable[..., Value]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: -a,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "not": lambda a: ~a,
}
"""Operations whose low bits need only low bits."""

_EXACT: dict[str, Callable[..., Value]] = {
    "add": _grown(lambda a, b: a + b),
    "sub": _grown(lambda a, b: a - b),
    "mul": _product,
    "neg": lambda a: -_resize(a, a.size() + 1),
    "not": lambda a: ~a,
    "and": lambda a, b: (lambda x, y: x & y)(*_level(a, b)),
    "or": lambda a, b: (lambda x, y: x | y)(*_level(a, b)),
    "xor": lambda a, b: (lambda x, y: x ^ y)(*_level(a, b)),
    "shl": _shift_left,
    "shr": _shift_right,
    "div": _divided(z3.UDiv, lambda a, b: a / b),
    "rem": _divided(z3.URem, _remainder),
    "min": lambda a, b: (lambda x, y: z3.If(y < x, y, x))(*_level(a, b)),
    "max": lambda a, b: (lambda x, y: z3.If(x < y, y, x))(*_level(a, b)),
}
_COMPARE: dict[str, Callable[[Value, Value], Value]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
_FLOAT_COMPARE: dict[str, Callable[[Value, Value], Value]] = {
    "feq": z3.fpEQ,
    "flt": z3.fpLT,
    "fle": z3.fpLEQ,
}
_SIGN_BITS: dict[str, Callable[[Value, Value], Value]] = {
    "fsgnj": lambda a, b: b,
    "fsgnjn": lambda a, b: ~b,
    "fsgnjx": lambda a, b: a ^ b,
}
_WIDENINGS = ("widen", "bf16_widen", "bf16_narrow")


def _same(name: str) -> Callable[..., Value]:
    """The operation of the algebra that a float operation of the ISA is."""
    return lambda t, *operands: smt.apply(name, t, t, list(operands))


_FLOAT: dict[str, Callable[..., Value]] = {
    "fadd": _same("add"),
    "fsub": _same("sub"),
    "fmul": _same("mul"),
    "fdiv": _same("div"),
    "fsqrt": _same("sqrt"),
    "fma": _same("fma"),
    "fneg": _same("neg"),
    "fmin": _same("minnum"),
    "fmax": _same("maxnum"),
    "frec7": _same("reciprocal_estimate"),
    "frsqrt7": _same("rsqrt_estimate"),
}
