"""The reference interpreter of scalar and per-element semantics: slow, and plainly right.

It evaluates the expression trees of the records with mathematical integers and ``ieee``. The
simulator falls back on it for rounding modes and formats without a fast path, and the tests hold
generated code against it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from oxegg.isa import Instruction
from oxegg.isa.semantics import Apply, Const, Expression, Fold, Index, Name, operations
from oxegg.sim import ieee
from oxegg.sim.estimates import frec7, frsqrt7
from oxegg.sim.integers import (
    byte_or,
    byte_reverse,
    leading_zeros,
    population,
    trailing_zeros,
    truncated_quotient,
    truncated_remainder,
)


def signed(value: int, bits: int) -> int:
    """The low ``bits`` as two's complement."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def low_bits(value: int, bits: int) -> int:
    """The low ``bits`` as an unsigned number."""
    return value & ((1 << bits) - 1)


def negate(form: ieee.Format, a: int) -> int:
    """-a: the sign bit flipped, also of a NaN."""
    return a ^ form.sign


def inject(form: ieee.Format, a: int, b: int) -> int:
    """a with b's sign."""
    return a & ~form.sign | b & form.sign


def inject_opposite(form: ieee.Format, a: int, b: int) -> int:
    """a with the opposite of b's sign."""
    return a & ~form.sign | ~b & form.sign


def inject_product(form: ieee.Format, a: int, b: int) -> int:
    """a with the sign of a * b."""
    return a ^ b & form.sign


INTEGER: Mapping[str, Callable[..., int]] = {
    "add": int.__add__, "sub": int.__sub__, "mul": int.__mul__, "neg": int.__neg__,
    "and": int.__and__, "or": int.__or__, "xor": int.__xor__, "not": int.__invert__,
    "shl": int.__lshift__, "shr": int.__rshift__,
    "eq": int.__eq__, "ne": int.__ne__, "lt": int.__lt__, "le": int.__le__,
    "gt": int.__gt__, "ge": int.__ge__,
    "sext": signed, "low": low_bits,
    "div": truncated_quotient, "rem": truncated_remainder, "min": min, "max": max,
    "clz": leading_zeros, "ctz": trailing_zeros, "popcount": population,
    "byte_reverse": byte_reverse, "byte_or": byte_or,
}  # fmt: skip
ROUNDED: Mapping[str, Callable[..., int]] = {
    "fadd": ieee.fadd, "fsub": ieee.fsub, "fmul": ieee.fmul, "fdiv": ieee.fdiv,
    "fsqrt": ieee.fsqrt, "fma": ieee.fma, "frec7": frec7, "frsqrt7": frsqrt7,
}  # fmt: skip
UNROUNDED: Mapping[str, Callable[..., int]] = {
    "fmin": ieee.fmin, "fmax": ieee.fmax, "feq": ieee.feq, "flt": ieee.flt, "fle": ieee.fle,
}  # fmt: skip
QUIET: Mapping[str, Callable[..., int]] = {
    "fneg": negate, "fsgnj": inject, "fsgnjn": inject_opposite, "fsgnjx": inject_product,
    "fclass": ieee.fclass,
}  # fmt: skip
TO_INT = {"f_to_s": True, "f_to_u": False, "f_to_s_rtz": True, "f_to_u_rtz": False}
RAISING = frozenset(ROUNDED) | frozenset(UNROUNDED) | frozenset(TO_INT) | {
    "s_to_f", "u_to_f", "fcvt", "fcvt_odd", "widen", "bf16_widen", "bf16_narrow",
    "reduce_fadd", "reduce_fadd_ordered", "reduce_fmin", "reduce_fmax",
}  # fmt: skip
"""Operations that can raise IEEE exceptions."""


def raises_flags(record: Instruction) -> bool:
    """Whether executing the instruction can change fflags."""
    # Engine instructions (tiles, near memory) leave fflags alone.
    return not record.is_custom and any(
        operation in RAISING
        for statement in record.statements
        for operation in operations(statement.value)
    )


@dataclass(frozen=True)
class Context:
    """Operand values and what they mean.

    ``values`` are unsigned bit patterns of ``widths`` bits (constants as they are); floats are
    unboxed already. ``mode`` is the rounding mode, ``target_width`` the width of the result;
    exceptions accrue in ``flags`` when it is given.
    """

    values: Mapping[str, int]
    widths: Mapping[str, int]
    target_width: int
    sew: int = 0
    mode: int = ieee.NEAREST_EVEN
    flags: ieee.Flags | None = None

    def evaluate(self, e: Expression) -> int:
        """Integer value, or bit pattern of a float value."""
        match e:
            case Const(value):
                return value
            case Name("sew"):
                return self.sew
            case Name(name):
                return self.values[name]
            case Apply("s", (Name(name),)):
                return signed(self.values[name], self.widths[name])
            case Apply("select", (test, a, b)):
                return self.evaluate(a if self.evaluate(test) else b)
            case Apply("s" | "raw", (a,)):
                return self.evaluate(a)
            case Apply(operation, arguments) if operation in INTEGER:
                return INTEGER[operation](*map(self.evaluate, arguments))
            case Apply():
                return self._float(e)
            case Index() | Fold():
                raise TypeError(f"{e} needs the elements of a tile")

    def _float(self, e: Apply) -> int:
        operation, arguments = e.operation, e.arguments
        form = ieee.FORMATS.get(self.width(arguments[0]), ieee.HALF)
        if operation in ("s_to_f", "u_to_f"):
            target = ieee.FORMATS[self.target_width]
            return ieee.from_int(target, self.evaluate(arguments[0]), self.mode, self.flags)
        values = [self.evaluate(argument) for argument in arguments]
        if operation in ROUNDED:
            return ROUNDED[operation](form, *values, self.mode, self.flags)
        if operation in UNROUNDED:
            return UNROUNDED[operation](form, *values, self.flags)
        if operation in QUIET:
            return QUIET[operation](form, *values)
        if operation in TO_INT:
            mode = ieee.TOWARDS_ZERO if operation.endswith("rtz") else self.mode
            signed_result = TO_INT[operation]
            return ieee.to_int(form, values[0], values[1], signed_result, mode, self.flags)
        return self._convert(operation, form, values[0])

    def _convert(self, operation: str, form: ieee.Format, value: int) -> int:
        """Conversions between formats."""
        match operation:
            case "widen":
                target = ieee.FORMATS[2 * form.width]
            case "bf16_widen":
                form, target = ieee.BFLOAT16, ieee.SINGLE
            case "bf16_narrow":
                form, target = ieee.SINGLE, ieee.BFLOAT16
            case _:
                target = ieee.FORMATS[self.target_width]
        mode = ieee.ODD if operation == "fcvt_odd" else self.mode
        return ieee.fcvt(target, form, value, mode, self.flags)

    def width(self, e: Expression) -> int:
        """Width in bits of a float expression."""
        match e:
            case Name(name):
                return self.widths.get(name, 64)
            case Apply("widen" | "bf16_widen", (a,)):
                return 2 * self.width(a)
            case Apply("fneg", (a,)):
                return self.width(a)
            case _:
                return self.target_width
