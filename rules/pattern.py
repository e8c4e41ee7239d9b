"""The pattern language: rules are rows of Python expressions over pattern variables.

From one row come the egglog text (:mod:`oxegg.egraph.rule_text`), the terms on which the reference
evaluator can refute the rule and the formulas by which a solver proves it (:mod:`oxegg.rule_lab`).

    x, y = variables("x y")
    family.rule("add-zero", x + constant(0), x, kind="exact", types=INTEGERS, doc="x + 0 = x")
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from oxegg.errors import RuleError
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BOOL, ElementType

Kind = Literal["exact", "real", "approx"]
Phase = Literal["algebra", "elementary"]
_NAME = re.compile(r"[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*")


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
    phase: Phase = "algebra"
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
        phase: Phase = "algebra",
    ) -> None:
        """Add a row; :func:`oxegg.rules.wellformed.check_row` says whether it is well-formed.

        Raises :class:`oxegg.errors.RuleError` for a field that no row could have.
        """
        check_name(f"{self.name}.{name}")
        _one_of("kind", kind, get_args(Kind))
        _one_of("phase", phase, get_args(Phase))
        _all_are("types", types, ElementType, "types=INTEGERS, or types=(F32,)")
        _all_are("when", when, Condition, 'when=(independent(x, "k"),)')
        _patterns(left, right)
        self.rules.append(
            Rule(
                f"{self.name}.{name}", left, right, kind, tuple(types), doc, tuple(when), both,
                error_ulps, phase, _place(),
            )
        )  # fmt: skip


def variables(names: str) -> tuple[Variable, ...]:
    """One variable per word."""
    for name in names.split():
        if not name.isidentifier():
            raise RuleError(f"{name!r} is no name for a variable", hint='variables("x y")')
    return tuple(Variable(name) for name in names.split())


def constant(value: float | int | bool, type_: ElementType | None = None) -> Constant:
    if not _is_number(value):
        raise RuleError(f"{value!r} is no number", hint="constant(2), constant(0.5)")
    return Constant(value, type_)


def apply(operator: str, *children: Pattern, of: ElementType | None = None) -> Apply:
    """A pointwise operation; ``of`` fixes the operand type (default: the rule's type)."""
    if operator not in OPERATIONS:
        raise RuleError(f"no semantics for the operation {operator}",
                        hint="each operation is one row of oxegg/ir/operations.py")  # fmt: skip
    if len(children) != OPERATIONS[operator].arity:
        raise RuleError(f"{operator} takes {OPERATIONS[operator].arity} operands,"
                        f" not {len(children)}", hint='apply("fma", x, y, z)')  # fmt: skip
    _patterns(*children)
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


def variables_in(pattern: Pattern) -> set[str]:
    if isinstance(pattern, Variable):
        return {pattern.name}
    children = pattern.children if isinstance(pattern, Apply) else ()
    return set[str]().union(*map(variables_in, children))


def axes_in(pattern: Pattern) -> set[str]:
    """The axes that a pattern reduces over."""
    if not isinstance(pattern, Apply):
        return set()
    own = {pattern.axis} if pattern.axis else set[str]()
    return own.union(*map(axes_in, pattern.children))


def names_in(pattern: Pattern) -> set[str]:
    """Variables and axis variables of a pattern."""
    return variables_in(pattern) | axes_in(pattern)


# ------------------------------------------------------------------ what rule files get wrong


def _patterns(*values: object) -> None:
    for value in values:
        if isinstance(value, bool):
            raise RuleError(f"{value} is no pattern",
                            hint='comparisons are operations: apply("eq", x, y)')  # fmt: skip
        if not isinstance(value, Pattern):
            number = f"constant({value})" if _is_number(value) else "constant(1)"
            raise RuleError(f"{value!r} is no pattern", hint=f"numbers are written {number}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def check_name(name: object) -> None:
    """Raises :class:`oxegg.errors.RuleError` for what can't be a rule's full name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RuleError(f"{name!r} is no name for a rule",
                        hint="letters, digits and dashes: mine.add-zero")  # fmt: skip


def _one_of(what: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise RuleError(f"{what}={value!r} is not known", hint=f"{what} is {' or '.join(allowed)}")


def _all_are(what: str, values: object, kind: type, example: str) -> None:
    listed: list[object] = list(values) if isinstance(values, Iterable) else [values]  # pyright: ignore
    if not isinstance(values, Iterable) or not all(isinstance(value, kind) for value in listed):
        raise RuleError(f"{what}={values!s} is no sequence of {kind.__name__}s", hint=example)


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
