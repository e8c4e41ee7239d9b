"""The pattern language: rules are rows of Python expressions over pattern variables.

From one row come the egglog text (:mod:`oxegg.egraph.rule_text`), the terms on which the reference
evaluator can refute the rule and the formulas by which a solver proves it (:mod:`oxegg.rule_lab`).

    x, y = variables("x y")
    family.rule("add-zero", x + constant(0), x, kind="exact", types=INTEGERS, doc="x + 0 = x")
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from oxegg.errors import RuleError
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BOOL, ElementType

Kind = Literal["exact", "real", "approx"]


@dataclass(frozen=True)
class Pattern:
    """Base of all patterns; the operators build :class:`Apply` nodes in the rule's own type."""

    def __add__(self, other: Pattern) -> Apply:
        return apply("add", self, other)

    def __sub__(self, other: Pattern) -> Apply:
        return apply("sub", self, other)

    def __mul__(self, other: Pattern) -> Apply:
        return apply("mul", self, other)

    def __truediv__(self, other: Pattern) -> Apply:
        return apply("div", self, other)

    def __neg__(self) -> Apply:
        return apply("neg", self)

    def __and__(self, other: Pattern) -> Apply:
        return apply("and", self, other)

    def __or__(self, other: Pattern) -> Apply:
        return apply("or", self, other)

    def __xor__(self, other: Pattern) -> Apply:
        return apply("xor", self, other)

    def __lshift__(self, other: Pattern) -> Apply:
        return apply("shl", self, other)

    def __rshift__(self, other: Pattern) -> Apply:
        return apply("shr", self, other)


@dataclass(frozen=True)
class Variable(Pattern):
    """Stands for any term."""

    name: str


@dataclass(frozen=True)
class Constant(Pattern):
    """A number; it takes the type that its place asks for unless ``type`` says otherwise."""

    value: float | int | bool
    type: ElementType | None = None


@dataclass(frozen=True)
class Apply(Pattern):
    """An operation on patterns.

    ``operand_type`` and ``type`` are None where the rule's own type is meant; ``axis`` is the
    name of the axis variable of a reduction or scan.
    """

    operator: str
    children: tuple[Pattern, ...]
    operand_type: ElementType | None = None
    type: ElementType | None = None
    axis: str | None = None


@dataclass(frozen=True)
class Condition:
    """A side condition on what the left side bound: ``independent(x, k)`` is k not in free(x)."""

    name: Literal["independent"]
    variable: str
    axis: str


@dataclass(frozen=True)
class Rule:
    """One named rewrite. ``types`` are the element types it is instantiated at.

    ``where`` is "file:line" of the row.
    """

    name: str
    left: Pattern
    right: Pattern
    kind: Kind
    types: tuple[ElementType, ...]
    doc: str
    when: tuple[Condition, ...] = ()
    both: bool = False  # also from right to left
    error_ulps: float = 0.0  # kind "approx" or "real": stated error of the right side
    phase: Literal["algebra", "elementary"] = "algebra"
    where: str | None = field(default=None, compare=False)

    @property
    def family(self) -> str:
        return self.name.split(".", 1)[0]


@dataclass
class Family:
    """Collects the rows of one file, so that a family can be switched off as a whole."""

    name: str
    rules: list[Rule] = field(default_factory=list[Rule])

    def rule(
        self,
        name: str,
        left: Pattern,
        right: Pattern,
        *,
        kind: Kind,
        types: Sequence[ElementType],
        doc: str,
        when: Sequence[Condition] = (),
        both: bool = False,
        error_ulps: float = 0.0,
        phase: Literal["algebra", "elementary"] = "algebra",
    ) -> None:
        """Add a row; :func:`oxegg.rules.wellformed.check_row` says whether it is well-formed."""
        self.rules.append(
            Rule(
                f"{self.name}.{name}", left, right, kind, tuple(types), doc, tuple(when), both,
                error_ulps, phase, _place(),
            )
        )  # fmt: skip


def variables(names: str) -> tuple[Variable, ...]:
    return tuple(Variable(name) for name in names.split())


def constant(value: float | int | bool, type_: ElementType | None = None) -> Constant:
    return Constant(value, type_)


def apply(operator: str, *children: Pattern, of: ElementType | None = None) -> Apply:
    """A pointwise operation; ``of`` fixes the operand type (default: the rule's type)."""
    if operator not in OPERATIONS:
        raise RuleError(f"unknown operation {operator}", hint="see oxegg/ir/operations.py")
    if len(children) != OPERATIONS[operator].arity:
        raise RuleError(f"{operator} takes {OPERATIONS[operator].arity} operands")
    type_ = BOOL if OPERATIONS[operator].types == "bool" else of
    return Apply(operator, children, of, type_)


def convert(
    child: Pattern, of: ElementType | None, to: ElementType | None, operator: str = "convert"
) -> Apply:
    """A change of format (``convert``, ``to_int`` or ``bitcast``); None is the rule's own type."""
    return Apply(operator, (child,), of, to)


def reduce(operator: str, axis: str, child: Pattern) -> Apply:
    return Apply(f"reduce.{operator}", (child,), axis=axis)


def independent(variable: Variable, axis: str) -> Condition:
    """The variable's value doesn't depend on the axis."""
    return Condition("independent", variable.name, axis)


def names_in(pattern: Pattern) -> set[str]:
    """Variables and axis variables of a pattern."""
    if isinstance(pattern, Variable):
        return {pattern.name}
    if isinstance(pattern, Apply):
        inner = set[str]().union(*(names_in(child) for child in pattern.children))
        return inner | ({pattern.axis} if pattern.axis else set())
    return set()


_HELPERS = ("rule", "_rule")


def _place() -> str | None:
    """The line that states a row: the nearest caller that isn't a helper named ``rule``."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name in ("_place", *_HELPERS):
        frame = frame.f_back
    return f"{_short(frame.f_code.co_filename)}:{frame.f_lineno}" if frame else None


def _short(file: str) -> str:
    """A rule file of the package as ``rules/algebra.py``, any other as it is."""
    path = Path(file)
    return f"rules/{path.name}" if path.parent == Path(__file__).parent else file
