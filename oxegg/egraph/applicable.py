"""Which rules and selections can fire on a kernel: a fixpoint over operator names.

A rule instance whose left side mentions an operator that can't occur is left out before egglog
sees it, so a kernel pays only for its own algebra.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from oxegg.egraph.rule_text import pattern_keys, rule_texts
from oxegg.ir.types import ElementType
from oxegg.rules import all_rules
from oxegg.rules.pattern import Rule
from oxegg.rules.selection import Selection
from oxegg.rules.vector_engine import SELECTIONS


@dataclass(frozen=True)
class Instance:
    """A rule at one element type, with the operators on its two sides."""

    rule: Rule
    type: ElementType
    left: frozenset[str]
    right: frozenset[str]

    @property
    def text(self) -> str:
        return rule_texts(self.rule, self.type)


@lru_cache(maxsize=1)
def _instances() -> tuple[Instance, ...]:
    return instances_of(all_rules())


def instances_of(rules: Sequence[Rule]) -> tuple[Instance, ...]:
    """Every rule at every of its types."""
    return tuple(
        Instance(
            rule,
            type_,
            frozenset(pattern_keys(rule.left, type_)),
            frozenset(pattern_keys(rule.right, type_)),
        )
        for rule in rules
        for type_ in rule.types
    )


def applicable(
    operators: Iterable[str],
    allowed: Callable[[Rule], bool],
    *,
    trusted: Callable[[Rule, ElementType], bool] = lambda rule, type_: True,
    more: Sequence[Rule] = (),
) -> tuple[list[Instance], set[str]]:
    """Instances that can fire, starting from ``operators``; and all operators that can occur.

    ``trusted`` says whether the evidence for an instance suffices, ``more`` are rules beside
    oxegg's own.
    """
    known: set[str] = set(operators)
    waiting = [i for i in (*_instances(), *instances_of(more)) if allowed(i.rule)]
    chosen: list[Instance] = []
    while True:
        ready = [i for i in waiting if i.left <= known or (i.rule.both and i.right <= known)]
        taken = set(map(id, ready))
        waiting = [i for i in waiting if id(i) not in taken]
        ready = [i for i in ready if trusted(i.rule, i.type)]
        if not ready:
            return chosen, known
        chosen += ready
        for instance in ready:
            known.update(instance.left, instance.right)


@lru_cache(maxsize=1)
def _selection_keys() -> tuple[tuple[Selection, frozenset[str]], ...]:
    return tuple((row, frozenset(_selection_operators(row))) for row in SELECTIONS)


def _selection_operators(row: Selection) -> set[str]:
    type_ = row.form.type
    keys = pattern_keys(row.pattern, type_)
    if row.reduction:
        keys.add(f"reduce:{row.reduction}.{type_}")
    return keys


def applicable_selections(operators: set[str]) -> list[Selection]:
    return [row for row, keys in _selection_keys() if keys <= operators]
