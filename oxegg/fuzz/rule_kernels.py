"""Kernels built around the left sides of rules, so that rules have something to rewrite."""

from __future__ import annotations

import random
from dataclasses import dataclass

from oxegg.errors import UsageError
from oxegg.ir import Axis, Kernel, Output, Term, input_, pointwise, reduce
from oxegg.ir.types import BOOL, ElementType
from oxegg.rule_lab.instances import along, axes_of, to_term
from oxegg.rules import all_rules
from oxegg.rules.pattern import Rule
from oxegg.rules.wellformed import variable_types

SIZES = (1, 2, 3, 5, 8, 17, 33, 100)
REDUCED = (1, 2, 3, 4, 7, 16)


@dataclass(frozen=True)
class RuleSample:
    """A kernel around ``rule``'s left side at a type; the seed decides sizes and surroundings."""

    rule: str
    type: str
    seed: int

    def kernel(self) -> Kernel:
        rule = next(r for r in all_rules() if r.name == self.rule)
        type_ = next(t for t in rule.types if t.name == self.type)
        return rule_kernel(rule, type_, random.Random(self.seed))


def rule_sample(seed: int, name: str | None = None) -> RuleSample:
    """Number ``seed`` of the kernels around rules (around one rule, if ``name`` says which)."""
    rng = random.Random(seed)
    rules = [r for r in all_rules() if name in (None, r.name) and r.kind != "approx"]
    if not rules:
        raise UsageError(
            f"there is no exact or real rule {name!r}", hint="`oxegg rules list` shows them all"
        )
    rule = rng.choice(rules)
    return RuleSample(rule.name, rng.choice(rule.types).name, rng.randrange(1 << 30))


def rule_kernel(rule: Rule, type_: ElementType, rng: random.Random) -> Kernel:
    """The left side on inputs and on simple terms over them, with something done to its result."""
    points = (Axis("n", rng.choice(SIZES)), Axis("m", rng.choice(SIZES[:5])))
    outer = points[: rng.choice((1, 1, 2))]
    axes = {name: Axis(name, rng.choice(REDUCED)) for name in axes_of(rule)}
    free = {(c.variable, c.axis) for c in rule.when}
    inputs: dict[str, Term] = {}
    bound: dict[str, Term] = {}
    for name, of in variable_types(rule, type_).items():
        own = [a for a in (*outer, *axes.values()) if (name, a.name) not in free]
        kept = [a for a in own if a.name in axes or rng.random() < 0.8]
        inputs[name] = input_(name, of, tuple(kept))
        bound[name] = _dressed(inputs[name], rng)
    for axis in axes.values():  # a sum needs something to run over
        if not any(axis in term.axes for term in bound.values()):
            first = next(iter(bound))
            bound[first] = along(bound[first], axis)
    value = to_term(rule.left, type_, type_, bound, axes)
    value = _finished(value, rng)
    return Kernel("fuzzed", tuple(inputs.values()), (Output("out", value, value.axes),))


def _dressed(term: Term, rng: random.Random) -> Term:
    """The input itself, or an operation on it that keeps numbers where they are."""
    if term.type is BOOL:
        return pointwise("not", term) if rng.random() < 0.3 else term
    operator = rng.choice(("", "", "", "add", "max", "neg"))
    if operator == "neg" and term.type.is_signed:
        return pointwise("neg", term)
    return pointwise(operator, term, term) if operator in ("add", "max") else term


def _finished(value: Term, rng: random.Random) -> Term:
    """Used as it is, twice, or summed up."""
    if value.type is BOOL or rng.random() < 0.5:
        return value
    if rng.random() < 0.5 and len(value.axes) > 1 and not value.type.is_float:
        return reduce("add", rng.choice(value.axes), value)
    return pointwise("max", value, pointwise("min", value, value))
