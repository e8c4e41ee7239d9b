"""Static checks of rule rows, before any engine sees them: the first rung of the evidence ladder.

A row is refused with its file and line, the rule as text, a caret under the culprit, and a hint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite

from oxegg.errors import RuleError
from oxegg.ir.operations import OPERATIONS, REDUCTIONS
from oxegg.ir.types import BOOL, ElementType, bits_to_value, value_to_bits
from oxegg.rules.pattern import (
    Apply,
    Constant,
    Pattern,
    Rule,
    Variable,
    axes_in,
    names_in,
    variables_in,
)
from oxegg.rules.text import constant_text, pattern_text, pointed

Side = tuple[Pattern, Pattern]
DEEPEST = 100
"""Operations inside each other in a pattern; oxegg's own rows have up to 35."""


def check_rules(rules: Sequence[Rule], others: Iterable[Rule] = ()) -> None:
    """Refuse ``rules`` unless each is well-formed and none repeats another (or one of ``others``).

    Raises :class:`oxegg.errors.RuleError` for the first that isn't.
    """
    known = {key: rule for rule in others for key in _keys(rule)}
    names = {rule.name: rule for rule in others}
    for rule in rules:
        check_row(rule)
        if rule.name in names:
            raise RuleError(f"rule {rule.name}: the name is taken", where=rule.where,
                            hint=f"the other one stands in {names[rule.name].where}")  # fmt: skip
        names[rule.name] = rule
        for key in _keys(rule):
            if key in known:
                raise _duplicate(rule, known[key])
            known[key] = rule


def check_row(rule: Rule) -> None:
    """Bound, grounded, matchable, with semantics, and of one type, at every type of the row."""
    if not rule.types:
        raise _error(rule, "no types", hint="say types=INTEGERS, or types=(F32,)")
    if not rule.doc:
        raise _error(rule, "no doc", hint="state the algebra in doc=")
    if rule.kind == "approx" and not rule.error_ulps > 0:
        raise _error(rule, "an approximation of unstated error", hint="state it: error_ulps=2")
    if max(depth(rule.left), depth(rule.right)) > DEEPEST:
        raise RuleError(f"rule {rule.name}: a side nests more than {DEEPEST} deep",
                        where=rule.where, hint="make several rules of it")  # fmt: skip
    if rule.left == rule.right:
        raise _error(rule, "both sides are the same", hint="it would match and change nothing")
    for left, right in _directions(rule):
        _check_left(rule, left, right)
        _check_bound(rule, left, right)
    for pattern in (rule.left, rule.right):
        _check_semantics(rule, pattern)
    _check_axes(rule)
    for type_ in rule.types:
        variable_types(rule, type_)


def _directions(rule: Rule) -> list[Side]:
    return [(rule.left, rule.right)] + ([(rule.right, rule.left)] if rule.both else [])


def _check_left(rule: Rule, left: Pattern, right: Pattern) -> None:
    if isinstance(left, Apply):
        return
    what = "variable" if isinstance(left, Variable) else "constant"
    raise _error(
        rule,
        f"the left side is a bare {what}",
        sides=(left, right),
        hint="it would match every term: write the rule for the operation around it",
    )


def _check_bound(rule: Rule, left: Pattern, right: Pattern) -> None:
    bound = names_in(left)
    for name in sorted(names_in(right) - bound):
        raise _error(
            rule,
            f"`{name}` on the right side is not bound on the left",
            name,
            sides=(left, right),
            at_right=True,
            hint=f"the left side binds {', '.join(sorted(bound)) or 'nothing'}",
        )
    for condition in rule.when:
        for name in sorted({condition.variable, condition.axis} - bound):
            raise _error(
                rule,
                f"the condition {condition.name}({condition.variable}, {condition.axis}) is about"
                f" `{name}`, which the left side doesn't bind",
                sides=(left, right),
                hint=f"the left side binds {', '.join(sorted(bound))}",
            )


def _check_semantics(rule: Rule, pattern: Pattern) -> None:
    if not isinstance(pattern, Apply):
        return
    name, reduces = pattern.operator.removeprefix("reduce."), pattern.axis is not None
    if name not in (REDUCTIONS if reduces else OPERATIONS):
        kind = "reduction" if reduces else "operation"
        raise _error(rule, f"no semantics for the {kind} {name}", pattern.operator,
                     hint="each operation is one row of oxegg/ir/operations.py")  # fmt: skip
    if not reduces and len(pattern.children) != OPERATIONS[name].arity:
        raise _error(rule, f"{name} takes {OPERATIONS[name].arity} operands,"
                     f" not {len(pattern.children)}", pattern.operator)  # fmt: skip
    for child in pattern.children:
        _check_semantics(rule, child)


def depth(pattern: Pattern) -> int:
    """How many operations stand inside each other, counted as far as ``DEEPEST`` and one more."""
    layer, levels = {id(pattern): pattern}, 0
    while layer and levels <= DEEPEST:
        levels += 1
        operations = [p for p in layer.values() if isinstance(p, Apply)]
        layer = {id(child): child for p in operations for child in p.children}
    return levels


def _check_axes(rule: Rule) -> None:
    sides = (rule.left, rule.right)
    for name in sorted(set[str]().union(*map(axes_in, sides)) & variables_in(rule.left)):
        raise _error(rule, f"`{name}` is an axis and a variable", name,
                     hint='name the axis otherwise: reduce("add", "k", x)')  # fmt: skip


def variable_types(rule: Rule, type_: ElementType) -> dict[str, ElementType]:
    """Element type of each variable in the instance at ``type_``.

    Raises :class:`oxegg.errors.RuleError` where the instance isn't well-typed.
    """
    found: dict[str, ElementType] = {}
    left = _infer(rule, rule.left, type_, None, found)
    right = _infer(rule, rule.right, type_, left, found)
    if left is not right:
        raise _error(rule, f"at {type_} the left side is {left}, the right side {right}",
                     at_right=True, hint="give both sides one type: convert, or of=")  # fmt: skip
    return found


def operand_types(pattern: Apply, rule_type: ElementType) -> list[ElementType]:
    """The type that each child of ``pattern`` has in the instance at ``rule_type``."""
    types = [pattern.operand_type or rule_type] * len(pattern.children)
    row = OPERATIONS.get(pattern.operator)
    if row is not None and row.types == "select":
        types[0] = BOOL
    return types


def result_type(pattern: Apply, rule_type: ElementType) -> ElementType:
    """The type of ``pattern`` in the instance at ``rule_type``."""
    operand = pattern.operand_type or rule_type
    row = OPERATIONS.get(pattern.operator)
    if row is not None and row.types == "convert":
        return pattern.type or rule_type
    return BOOL if row is not None and row.types == "bool" else operand


def _infer(
    rule: Rule,
    pattern: Pattern,
    type_: ElementType,
    wanted: ElementType | None,
    found: dict[str, ElementType],
) -> ElementType:
    if isinstance(pattern, Variable):
        own = found.setdefault(pattern.name, wanted or type_)
        if wanted is not None and own is not wanted:
            raise _error(rule, f"at {type_} `{pattern.name}` is {own} and {wanted}",
                         pattern.name, hint="say the operand type where it isn't the rule's own: of=")  # fmt: skip
        return own
    if isinstance(pattern, Constant):
        own = pattern.type or wanted or type_
        _check_constant(rule, pattern, own)
        return own
    assert isinstance(pattern, Apply)
    operand = pattern.operand_type or type_
    if not pattern.axis and not OPERATIONS[pattern.operator].accepts(operand):
        raise _error(rule, f"{pattern.operator} is not defined on {operand}", pattern.operator,
                     hint=f"leave {operand} out of types=")  # fmt: skip
    for child, of in zip(pattern.children, operand_types(pattern, type_), strict=True):
        inner = _infer(rule, child, type_, of, found)
        if inner is not of:
            raise _error(rule, f"at {type_} {pattern.operator} asks for {of}, "
                         f"but {pattern_text(child)} is {inner}", pattern.operator,
                         hint="say the operand type where it isn't the rule's own: of=")  # fmt: skip
    result = result_type(pattern, type_)
    if pattern.operator == "bitcast" and result.bits != operand.bits:
        raise _error(rule, f"at {type_} bitcast changes the width: {operand} to {result}",
                     pattern.operator, hint="convert changes widths")  # fmt: skip
    return result


def _check_constant(rule: Rule, pattern: Constant, type_: ElementType) -> None:
    value = pattern.value
    if type_.is_float:  # infinities and NaN are meant; too large a number isn't
        fits = not isfinite(value) or isfinite(bits_to_value(value_to_bits(value, type_), type_))
    elif type_ is BOOL:
        fits = value in (0, 1)
    else:
        fits = isfinite(value) and value == int(value) and type_.minimum <= value <= type_.maximum
    if not fits:
        raise _error(rule, f"the constant {constant_text(pattern)} is no {type_}",
                     constant_text(pattern), hint="leave that type out of types=")  # fmt: skip


def _keys(rule: Rule) -> list[tuple[object, ...]]:
    """The rule with its variables renamed in order of occurrence, one key per type and way."""
    keys: list[tuple[object, ...]] = []
    for left, right in _directions(rule):
        names: dict[str, str] = {}
        shape = (_shape(left, names), _shape(right, names))
        when = sorted((c.name, names[c.variable], names[c.axis]) for c in rule.when)
        keys += [(*shape, tuple(when), t.name) for t in rule.types]
    return keys


def _shape(pattern: Pattern, names: dict[str, str]) -> object:
    if isinstance(pattern, Variable):
        return names.setdefault(pattern.name, f"v{len(names)}")
    if isinstance(pattern, Constant):
        return (repr(pattern.value), str(pattern.type))
    assert isinstance(pattern, Apply)
    axis = names.setdefault(pattern.axis, f"v{len(names)}") if pattern.axis else None
    children = tuple(_shape(child, names) for child in pattern.children)
    return (pattern.operator, str(pattern.operand_type), str(pattern.type), axis, children)


def _duplicate(rule: Rule, other: Rule) -> RuleError:
    return _error(rule, f"says the same as {other.name}",
                  hint=f"the other one stands in {other.where}; remove one of them")  # fmt: skip


def _error(
    rule: Rule,
    message: str,
    culprit: str = "",
    *,
    sides: Side | None = None,
    at_right: bool | None = None,
    hint: str | None = None,
) -> RuleError:
    """The rule as text under the message, with a caret at ``culprit`` or where a side begins."""
    left, right = sides or (rule.left, rule.right)
    shown = pointed(left, right, culprit, at_right=at_right)
    return RuleError(f"rule {rule.name}: {message}\n{shown}", where=rule.where, hint=hint)
