"""What an ISA record computes of one element, as algebra on element types.

In a record, integers are mathematical, and a result keeps the low bits
(:mod:`oxegg.isa.semantics`). Here an expression is written in the result's own type where only
the low bits matter, else in the narrowest type that holds every value it can take.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from dataclasses import dataclass

from oxegg.ir.types import BOOL, F16, F32, F64, INTEGERS, ElementType, bits_to_value
from oxegg.isa.record import Instruction
from oxegg.isa.semantics import Apply as Node
from oxegg.isa.semantics import Const, Expression, Name
from oxegg.rules.pattern import Apply, Pattern, Variable, apply, constant, convert
from oxegg.rules.selection import Place

Interval = tuple[int, int]
Kind = dict[int, ElementType]
"""The element types of one kind, by their bits."""

SIGNED: Kind = {t.bits: t for t in INTEGERS if t.is_signed}
UNSIGNED: Kind = {t.bits: t for t in INTEGERS if not t.is_signed}
FLOATS: Kind = {t.bits: t for t in (F16, F32, F64)}


class NotDerivableError(Exception):
    """The semantics is no pointwise algebra of element types."""


@dataclass(frozen=True)
class Reading:
    """One record at one element width: the type of each operand, and of the result."""

    record: Instruction
    sew: int
    operands: dict[str, tuple[Variable, Place, ElementType]]
    type: ElementType

    def result(self) -> Pattern:
        (statement,) = self.record.statements
        if self.type is BOOL:
            return self.truth(statement.value)
        if self.type.is_float:
            return self.real(statement.value, self.type)
        return self.low(statement.value, self.type)

    # -------------------------------------------------------------- integers

    def low(self, node: Expression, to: ElementType) -> Pattern:
        """A pattern of type ``to`` with the low bits of an integer."""
        if isinstance(node, Const):
            span = 1 << to.bits
            value = node.value % span
            return constant(value if value <= to.maximum else value - span, to)
        if isinstance(node, Name) or (isinstance(node, Node) and node.operation == "s"):
            return self._operand(node, to)
        if not isinstance(node, Node):
            raise NotDerivableError("no expression of elements")
        if node.operation in MODULAR:
            return apply(node.operation, *(self.low(a, to) for a in node.arguments), of=to)
        if node.operation == "select":
            test, *cases = node.arguments
            return apply("select", self.truth(test), *(self.low(c, to) for c in cases), of=to)
        if node.operation in COMPARED:
            return apply("select", self.truth(node), constant(1, to), constant(0, to), of=to)
        if node.operation in ("shl", "shr"):
            return self._shifted(node, to)
        if node.operation in ("min", "max"):
            inner = self._holding(*node.arguments, like=to)
            sides = (self.low(a, inner) for a in node.arguments)
            return _resized(apply(node.operation, *sides, of=inner), inner, to)
        if node.operation in ("sat_s", "sat_u"):
            return self._saturated(node, to)
        raise NotDerivableError(node.operation)

    def _operand(self, node: Expression, to: ElementType) -> Pattern:
        """A register's bits as an integer: extended as they are read, or cut."""
        name, signed = _read(node)
        if name not in self.operands:
            raise NotDerivableError(name)
        variable, _, own = self.operands[name]
        if own.bits >= to.bits:
            return _resized(variable, own, to)
        same = UNSIGNED[own.bits] if not signed else SIGNED[own.bits]
        return _resized(_resized(variable, own, same), same, to)

    def _shifted(self, node: Node, to: ElementType) -> Pattern:
        value, amount = node.arguments
        if _high_half(value, amount, self.sew):
            assert isinstance(value, Node)
            if to.bits == self.sew and all(_within(self.interval(a), to) for a in value.arguments):
                return apply("mulh", *(self.low(a, to) for a in value.arguments), of=to)
        inner = to if node.operation == "shl" else self._holding(value, like=to)
        if isinstance(amount, Const) or (isinstance(amount, Name) and amount.name == "sew"):
            count = amount.value if isinstance(amount, Const) else self.sew
            if count >= inner.bits:
                raise NotDerivableError("a shift by the whole width")
            by: Pattern = constant(count, inner)
        else:
            by = self._amount(amount, inner)
        return _resized(apply(node.operation, self.low(value, inner), by, of=inner), inner, to)

    def _amount(self, amount: Expression, inner: ElementType) -> Pattern:
        """``rhs & (sew - 1)``: shifts of the algebra take their amount modulo the width, too."""
        masks = (Node("sub", (Name("sew"), Const(1))), Const(inner.bits - 1))
        match amount:
            case Node("and", (Name() as name, mask)) if mask in masks and inner.bits == self.sew:
                return self.low(name, inner)
            case _:
                raise NotDerivableError("a shift by an unknown amount")

    def _saturated(self, node: Node, to: ElementType) -> Pattern:
        bounds = (SIGNED if node.operation == "sat_s" else UNSIGNED)[to.bits]
        if bounds is not to:
            raise NotDerivableError("bounds of the other kind")
        (value,) = node.arguments
        low, high = self.interval(value)
        inner = self._holding(value, Const(to.maximum), like=to)
        cut = self.low(value, inner)
        if low < to.minimum:
            cut = apply("max", cut, constant(to.minimum, inner), of=inner)
        if high > to.maximum:
            cut = apply("min", cut, constant(to.maximum, inner), of=inner)
        return _resized(cut, inner, to)

    def truth(self, node: Expression) -> Pattern:
        """A condition as a truth value."""
        if not isinstance(node, Node):
            raise NotDerivableError("a number as a condition")
        if node.operation in FLOAT_COMPARED:
            format_ = FLOATS[self.sew]
            sides = [self.real(a, format_) for a in node.arguments]
            return _compared(FLOAT_COMPARED[node.operation], sides, format_)
        if node.operation not in COMPARED:
            raise NotDerivableError(node.operation)
        name, swapped = COMPARED[node.operation]
        inner = self._holding(*node.arguments, like=SIGNED[self.sew])
        sides = [self.low(a, inner) for a in node.arguments]
        return _compared(name, sides[::-1] if swapped else sides, inner)

    def _holding(self, *nodes: Expression, like: ElementType) -> ElementType:
        """``like`` if it holds what the nodes can be, else the narrowest type that does."""
        intervals = [self.interval(node) for node in nodes]
        low, high = min(a for a, _ in intervals), max(b for _, b in intervals)
        unsigned_first = all(not own.is_signed for _, _, own in self.operands.values())
        kinds = (UNSIGNED, SIGNED) if unsigned_first else (SIGNED, UNSIGNED)
        for type_ in (like, *(types[bits] for bits in SIGNED for types in kinds)):
            if type_.bits >= self.sew and _within((low, high), type_):
                return type_
        raise NotDerivableError("numbers of more than 64 bits")

    def interval(self, node: Expression) -> Interval:
        """Bounds of an integer."""
        if isinstance(node, Const):
            return node.value, node.value
        if isinstance(node, Name) and node.name == "sew":
            return self.sew, self.sew
        if isinstance(node, Name) or (isinstance(node, Node) and node.operation == "s"):
            name, signed = _read(node)
            if name not in self.operands:
                raise NotDerivableError(name)
            own = (SIGNED if signed else UNSIGNED)[self.operands[name][2].bits]
            return int(own.minimum), int(own.maximum)
        assert isinstance(node, Node)
        if node.operation == "select":
            _, yes, no = node.arguments
            return _union(self.interval(yes), self.interval(no))
        if node.operation in COMPARED or node.operation in FLOAT_COMPARED:
            return 0, 1
        if node.operation == "shr":
            return _union(self.interval(node.arguments[0]), (0, 0))
        if node.operation in ("sat_s", "sat_u"):
            bounds = (SIGNED if node.operation == "sat_s" else UNSIGNED)[self.type.bits]
            return int(bounds.minimum), int(bounds.maximum)
        if node.operation not in INTERVALS:
            raise NotDerivableError(node.operation)
        return INTERVALS[node.operation](*(self.interval(a) for a in node.arguments))

    # -------------------------------------------------------------- floats

    def real(self, node: Expression, to: ElementType) -> Pattern:
        """A float expression in the format ``to``; constants are bit patterns."""
        if isinstance(node, Const):
            return constant(float(bits_to_value(node.value, to)), to)
        if isinstance(node, Name) and node.name in self.operands:
            variable, _, own = self.operands[node.name]
            if own is not to:
                raise NotDerivableError("another format")
            return variable
        if not isinstance(node, Node):
            raise NotDerivableError("no float")
        if node.operation == "select":
            test, *cases = node.arguments
            return apply("select", self.truth(test), *(self.real(c, to) for c in cases), of=to)
        if node.operation == "widen" and to.bits // 2 in FLOATS:
            half = FLOATS[to.bits // 2]
            return convert(self.real(node.arguments[0], half), half, to)
        if node.operation == "fsgnjx" and node.arguments[0] == node.arguments[1]:
            return apply("abs", self.real(node.arguments[0], to), of=to)
        if node.operation not in REAL:
            raise NotDerivableError(node.operation)
        return apply(REAL[node.operation], *(self.real(a, to) for a in node.arguments), of=to)


# ------------------------------------------------------------------ helpers and tables


def _read(node: Expression) -> tuple[str, bool]:
    """The name of a register, and whether its sign counts."""
    match node:
        case Node("s", (Name(name),)):
            return name, True
        case Name(name):
            return name, False
        case _:
            raise NotDerivableError("the sign of an expression")


def _resized(pattern: Pattern, of: ElementType, to: ElementType) -> Pattern:
    return pattern if of is to else convert(pattern, of, to)


def _compared(operator: str, sides: list[Pattern], of: ElementType) -> Pattern:
    return Apply(operator, tuple(sides), of, BOOL)


def _within(interval: Interval, type_: ElementType) -> bool:
    return type_.minimum <= interval[0] and interval[1] <= type_.maximum


def _union(a: Interval, b: Interval) -> Interval:
    return min(a[0], b[0]), max(a[1], b[1])


def _high_half(value: Expression, amount: Expression, sew: int) -> bool:
    whole = (Name("sew"), Const(sew))
    return isinstance(value, Node) and value.operation == "mul" and amount in whole


def _corners(function: Callable[..., int]) -> Callable[..., Interval]:
    """Bounds of a function that is monotone in each operand."""

    def bounds(*operands: Interval) -> Interval:
        values = [function(*corner) for corner in itertools.product(*operands)]
        return min(values), max(values)

    return bounds


def _of_bits(*intervals: Interval) -> Interval:
    """Bitwise operations stay within the bits of their operands."""
    bits = max(max(low.bit_length(), high.bit_length()) for low, high in intervals)
    return (-(1 << bits) if any(low < 0 for low, _ in intervals) else 0), (1 << bits) - 1


MODULAR = ("add", "sub", "mul", "neg", "and", "or", "xor", "not")
"""Operations whose low bits need only low bits; in the algebra they have the same names."""

INTERVALS: dict[str, Callable[..., Interval]] = {
    "add": _corners(operator.add),
    "sub": _corners(operator.sub),
    "mul": _corners(operator.mul),
    "neg": _corners(int.__neg__),
    "not": _corners(int.__invert__),
    "min": _corners(min),
    "max": _corners(max),
    "and": _of_bits,
    "or": _of_bits,
    "xor": _of_bits,
}

COMPARED: dict[str, tuple[str, bool]] = {
    "eq": ("eq", False),
    "ne": ("ne", False),
    "lt": ("lt", False),
    "le": ("le", False),
    "gt": ("lt", True),
    "ge": ("le", True),
}
"""Comparisons: the algebra's operation, and whether its operands are exchanged."""

FLOAT_COMPARED = {"feq": "eq", "flt": "lt", "fle": "le"}
REAL = {
    "fadd": "add",
    "fsub": "sub",
    "fmul": "mul",
    "fdiv": "div",
    "fsqrt": "sqrt",
    "fma": "fma",
    "fneg": "neg",
    "fmin": "minnum",
    "fmax": "maxnum",
    "fsgnj": "copysign",
}
