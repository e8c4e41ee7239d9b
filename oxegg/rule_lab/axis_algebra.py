"""Axes of the two sides of a rule, whatever the sizes: what the right side has, the left one has.

A variable may depend on any axes but those that a condition excludes, and a reduction hides its
axis. Sizes occur nowhere, so what holds here holds for all of them; values are another matter
(:mod:`oxegg.rule_lab.proof`).
"""

from __future__ import annotations

from oxegg.rule_lab.instances import axes_of
from oxegg.rules.pattern import Apply, Pattern, Rule, Variable

ANY = "any other axis"


def loose_axes(rule: Rule) -> list[tuple[str, str]]:
    """The (variable, axis) pairs by which the right side could depend on what the left one doesn't.

    Empty for a sound row; of a row that goes both ways, the sides must have the same axes.
    """
    free = {(condition.variable, condition.axis) for condition in rule.when}
    sides = [
        {(v, a) for a in (*axes_of(rule), ANY) for v in _exposed(side, a) if (v, a) not in free}
        for side in (rule.left, rule.right)
    ]
    return sorted(sides[1] - sides[0] | (sides[0] - sides[1] if rule.both else set()))


def _exposed(pattern: Pattern, axis: str) -> set[str]:
    """Variables outside every reduction over ``axis``."""
    if isinstance(pattern, Variable):
        return {pattern.name}
    if not isinstance(pattern, Apply) or pattern.axis == axis:
        return set()
    return set[str]().union(*(_exposed(child, axis) for child in pattern.children))
