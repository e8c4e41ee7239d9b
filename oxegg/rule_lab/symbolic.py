"""Terms with symbolic elements: one formula per element, reductions written out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from oxegg.ir import Axis, Term
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import ElementType
from oxegg.rule_lab import reals, smt
from oxegg.rule_lab.solver import z3

Value = Any
Point = Mapping[Axis, int]


class World(Protocol):
    """What numbers are: bit patterns or reals.

    ``assumptions`` is what a proof takes as given, ``needs`` what the terms built so far need to
    mean anything.
    """

    assumptions: list[Value]
    needs: list[Value]

    def symbol(self, name: str, type_: ElementType) -> tuple[Value, Value]: ...
    def constant(self, value: float | int | bool, type_: ElementType) -> Value: ...
    def apply(
        self, name: str, of: ElementType, to: ElementType, operands: list[Value]
    ) -> Value: ...


class Bits:
    """Every format to the bit."""

    constant = staticmethod(smt.constant)
    apply = staticmethod(smt.apply)

    def __init__(self) -> None:
        self.assumptions: list[Value] = []
        self.needs: list[Value] = []

    def symbol(self, name: str, type_: ElementType) -> tuple[Value, Value]:
        """An unknown value, and the bits that it is made of."""
        if not type_.is_float:
            unknown = z3.Const(name, smt.sort(type_))
            return unknown, unknown
        bits = z3.BitVec(name, type_.bits)
        return z3.fpBVToFP(bits, smt.sort(type_)), bits


class Numbers(Bits):
    """Every format to the bit, of inputs that are numbers: stronger than over the reals."""

    def symbol(self, name: str, type_: ElementType) -> tuple[Value, Value]:
        value, bits = super().symbol(name, type_)
        if type_.is_float:
            self.assumptions.append(z3.Not(z3.fpIsNaN(value)))
        return value, bits


class Reals(reals.RealAlgebra):
    """Floats as real numbers."""

    constant = staticmethod(reals.constant)

    def symbol(self, name: str, type_: ElementType) -> tuple[Value, Value]:
        unknown = z3.Const(name, reals.sort(type_))
        return unknown, unknown


class Elements:
    """Formulas for the elements of terms, each built once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.known: dict[tuple[int, tuple[int, ...]], Value] = {}
        self.inputs: dict[str, tuple[Term, Value]] = {}

    def at(self, term: Term, point: Point) -> Value:
        """The element of ``term`` at ``point`` (which may fix more axes than the term has)."""
        key = (id(term), tuple(point[a] for a in term.axes))
        if key not in self.known:
            build = _STRUCTURAL.get(term.operator, Elements.pointwise)
            self.known[key] = build(self, term, point)
        return self.known[key]

    def input_(self, term: Term, point: Point) -> Value:
        name, layout = term.attributes
        indices = "".join(f".{point[a]}" for a in layout)
        value, symbol = self.world.symbol(name + indices, term.type)
        self.inputs[name + indices] = (term, symbol)
        return value

    def const(self, term: Term, point: Point) -> Value:
        del point
        value = term.constant
        assert value is not None
        return self.world.constant(value, term.type)

    def iota(self, term: Term, point: Point) -> Value:
        return self.world.constant(point[term.axes[0]], term.type)

    def reduce(self, term: Term, point: Point) -> Value:
        name, axis = term.attributes
        (child,) = term.children
        total = self.at(child, {**point, axis: 0})
        for step in range(1, axis.size):
            element = self.at(child, {**point, axis: step})
            total = self.world.apply(name, term.type, term.type, [total, element])
        return total

    def pointwise(self, term: Term, point: Point) -> Value:
        if term.operator not in OPERATIONS:
            raise smt.NoSemanticsError(term.operator)
        operands = [self.at(child, point) for child in term.children]
        return self.world.apply(term.operator, term.children[-1].type, term.type, operands)


_STRUCTURAL: dict[str, Callable[[Elements, Term, Point], Value]] = {
    "input": Elements.input_,
    "const": Elements.const,
    "iota": Elements.iota,
    "reduce": Elements.reduce,
}


def points(axes: tuple[Axis, ...]) -> list[dict[Axis, int]]:
    """All index points of some axes."""
    ranges = (range(axis.size) for axis in axes)
    return [dict(zip(axes, index, strict=True)) for index in itertools.product(*ranges)]
