"""From a rule row to egglog text: one instance per element type, each a named rule."""

from __future__ import annotations

from dataclasses import dataclass, field

from oxegg.errors import RuleError
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BOOL, ElementType, value_to_bits
from oxegg.rules.pattern import Apply, Constant, Pattern, Rule, Variable


def operator_key(name: str, operand: ElementType, target: ElementType | None = None) -> str:
    """``add.f32``, ``convert.i8.i16``: an operator's name inside the e-graph."""
    return f"{name}.{operand}.{target}" if target is not None else f"{name}.{operand}"


def signed_bits(value: float | int | bool, type_: ElementType) -> int:
    """Bit pattern as the signed 64-bit integer that egglog stores."""
    bits = value_to_bits(value, type_)
    return bits - (1 << 64) if bits >> 63 else bits


def variable_text(name: str) -> str:
    """A pattern variable in egglog: prefixed, because rule variables share one namespace."""
    return f"p_{name}"


def pattern_key(pattern: Apply, type_: ElementType) -> str:
    name = pattern.operator.removeprefix("reduce.")
    operand = pattern.operand_type or type_
    row = OPERATIONS[name]
    if row.types == "convert":
        return operator_key(name, operand, pattern.type or type_)
    return operator_key(name, operand)


def pattern_keys(pattern: Pattern, type_: ElementType) -> set[str]:
    """Operators that an instance of a pattern mentions (reductions carry ``reduce:``)."""
    if not isinstance(pattern, Apply):
        return set()
    prefix = "reduce:" if pattern.axis else ""
    keys = {prefix + pattern_key(pattern, type_)}
    for child in pattern.children:
        keys |= pattern_keys(child, type_)
    return keys


def _child_types(pattern: Apply, type_: ElementType) -> list[ElementType]:
    """The type that each child of ``pattern`` has where it doesn't say so itself."""
    operand = pattern.operand_type or type_
    types = [operand] * len(pattern.children)
    if OPERATIONS.get(pattern.operator, None) and OPERATIONS[pattern.operator].types == "select":
        types[0] = BOOL
    return types


def match_text(pattern: Pattern, type_: ElementType, rule_type: ElementType) -> str:
    """A left-hand side as an egglog expression.

    ``type_`` is the type that the place asks for; ``rule_type`` what an untyped operation means.
    """
    if isinstance(pattern, Variable):
        return variable_text(pattern.name)
    if isinstance(pattern, Constant):
        own = pattern.type or type_
        return f'(Const {signed_bits(pattern.value, own)} "{own}")'
    assert isinstance(pattern, Apply)
    children = [
        match_text(child, of, rule_type)
        for child, of in zip(pattern.children, _child_types(pattern, rule_type), strict=True)
    ]
    return _node_text(pattern, rule_type, children)


def _node_text(pattern: Apply, type_: ElementType, children: list[str]) -> str:
    key = pattern_key(pattern, type_)
    if pattern.axis:
        return f'(Red "{key}" {variable_text(pattern.axis)} {children[0]})'
    return f'(P{len(children)} "{key}" {" ".join(children)})'


@dataclass
class _Builder:
    """Right-hand sides: shared sub-patterns become ``let`` actions, so text stays linear."""

    rule_type: ElementType
    lets: list[str] = field(default_factory=list[str])
    names: dict[tuple[Pattern, ElementType], str] = field(
        default_factory=dict[tuple[Pattern, ElementType], str]
    )

    def build(self, pattern: Pattern, type_: ElementType) -> str:
        if isinstance(pattern, Variable):
            return variable_text(pattern.name)
        key = (pattern, type_)
        if key not in self.names:
            if isinstance(pattern, Constant):
                own = pattern.type or type_
                text = f'(Const {signed_bits(pattern.value, own)} "{own}")'
            else:
                assert isinstance(pattern, Apply)
                types = _child_types(pattern, self.rule_type)
                parts = [self.build(c, of) for c, of in zip(pattern.children, types, strict=True)]
                text = _node_text(pattern, self.rule_type, parts)
            name = f"t{len(self.lets)}"
            self.lets.append(f"(let {name} {text})")
            self.names[key] = name
        return self.names[key]


def rule_texts(rule: Rule, type_: ElementType, ruleset: str | None = None) -> str:
    """The egglog rule(s) of one instance; a two-way row gives two. Its phase is its ruleset."""
    sides = [(rule.left, rule.right, "")]
    if rule.both:
        sides.append((rule.right, rule.left, "<-"))
    chosen = ruleset or rule.phase
    texts = (_one_way(rule, left, right, type_, mark, chosen) for left, right, mark in sides)
    return "\n".join(texts)


def _one_way(
    rule: Rule, left: Pattern, right: Pattern, type_: ElementType, mark: str, ruleset: str
) -> str:
    if not isinstance(left, Apply):
        raise RuleError(f"rule {rule.name}: the side that is matched must be an operation")
    atoms = [f"(= e {match_text(left, type_, type_)})"]
    for number, condition in enumerate(rule.when):
        atoms.append(f"(= f{number} (free {variable_text(condition.variable)}))")
        atoms.append(f"(= 0 (& f{number} (<< 1 {variable_text(condition.axis)})))")
    builder = _Builder(type_)
    result = builder.build(right, type_)
    name = f"{rule.name}{mark}@{type_}"
    actions = " ".join([*builder.lets, f"(union e {result})"])
    return f'(rule ({" ".join(atoms)}) ({actions}) :ruleset {ruleset} :name "{name}")'
