# Rows of lambdas over formulas, whose types z3 does not state.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
"""The pointwise operations over the real numbers, for rules of kind "real".

Floats are reals without rounding, infinities or NaN; conversions between float formats are the
identity. What a term needs to mean anything (divisors that aren't 0, roots of what isn't negative)
is collected: the equality is proved where the left side has a meaning, and so has the right one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from oxegg.ir.types import BOOL, ElementType, bits_to_value, value_to_bits
from oxegg.rule_lab.smt import NoSemanticsError
from oxegg.rule_lab.solver import z3

Value = Any


def sort(type_: ElementType) -> Any:
    if type_ is BOOL:
        return z3.BoolSort()
    return z3.RealSort() if type_.is_float else z3.IntSort()


def constant(value: float | int | bool, type_: ElementType) -> Value:
    """The number that ``value`` is in the format ``type_``."""
    if type_ is BOOL:
        return z3.BoolVal(bool(value))
    if not type_.is_float:
        return z3.IntVal(int(value))
    rounded = bits_to_value(value_to_bits(value, type_), type_)
    if rounded != rounded or rounded in (float("inf"), float("-inf")):
        raise NoSemanticsError(f"{value} is no real number")
    exact = Fraction(rounded)
    return z3.RatVal(exact.numerator, exact.denominator)


@dataclass
class RealAlgebra:
    """Builds formulas; ``assumptions`` hold of its functions, ``needs`` of meaningful operands."""

    assumptions: list[Value] = field(default_factory=list[Value])
    needs: list[Value] = field(default_factory=list[Value])

    def apply(self, name: str, of: ElementType, to: ElementType, operands: list[Value]) -> Value:
        if name == "select":
            return z3.If(*operands)
        if name in ("convert",) and of.is_float and to.is_float:
            return operands[0]
        if name == "convert" and of is BOOL:
            return z3.If(operands[0], constant(1, to), constant(0, to))
        if of is BOOL:
            return _TRUTH[name](*operands)
        if not of.is_float and name not in _EXACT_ON_INTEGERS:
            raise NoSemanticsError(name)
        if name in _PLAIN:
            return _PLAIN[name](*operands)
        if name in _DEFINED:
            return _DEFINED[name](self, of, *operands)
        if of.is_float and name in _FUNCTIONS:
            return self.function(name, operands[0])
        raise NoSemanticsError(name)

    def function(self, name: str, x: Value) -> Value:
        """An elementary function: the same at equal arguments, whatever it is."""
        return z3.Function(name, z3.RealSort(), z3.RealSort())(x)

    def divide(self, of: ElementType, x: Value, y: Value) -> Value:
        del of
        self.needs.append(y != 0)
        return x / y

    def reciprocal(self, of: ElementType, x: Value) -> Value:
        return self.divide(of, z3.RealVal(1), x)

    def sqrt(self, of: ElementType, x: Value) -> Value:
        del of
        root = self.function("sqrt", x)
        self.needs.append(x >= 0)
        self.assumptions.append(z3.Implies(x >= 0, z3.And(root >= 0, root * root == x)))
        return root

    def rsqrt(self, of: ElementType, x: Value) -> Value:
        return self.reciprocal(of, self.sqrt(of, x))

    def sigmoid(self, of: ElementType, x: Value) -> Value:
        power = self.function("exp", -x)
        self.assumptions.append(power > 0)
        return self.reciprocal(of, 1 + power)


def _minimum(x: Value, y: Value) -> Value:
    return z3.If(y < x, y, x)


def _maximum(x: Value, y: Value) -> Value:
    return z3.If(x < y, y, x)


_PLAIN: dict[str, Callable[..., Value]] = {
    "neg": lambda x: -x,
    "abs": lambda x: z3.If(x < 0, -x, x),
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "fma": lambda x, y, z: x * y + z,
    "fms": lambda x, y, z: x * y - z,
    "fnma": lambda x, y, z: z - x * y,
    "min": _minimum,
    "max": _maximum,
    "minnum": _minimum,
    "maxnum": _maximum,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
}
# Integers inside a real rule count elements or compare; what could wrap has no place there.
_EXACT_ON_INTEGERS = ("add", "eq", "ne", "lt", "le", "min", "max")
_DEFINED: dict[str, Callable[..., Value]] = {
    "div": RealAlgebra.divide,
    "reciprocal": RealAlgebra.reciprocal,
    "sqrt": RealAlgebra.sqrt,
    "rsqrt": RealAlgebra.rsqrt,
    "sigmoid": RealAlgebra.sigmoid,
}
_FUNCTIONS = ("exp", "exp2", "log", "log2", "sin", "cos", "tanh", "erf")
_TRUTH: dict[str, Callable[..., Value]] = {
    "and": lambda x, y: z3.And(x, y),
    "or": lambda x, y: z3.Or(x, y),
    "xor": lambda x, y: z3.Xor(x, y),
    "not": lambda x: z3.Not(x),
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: z3.Xor(x, y),
}
