"""Which rules are of use: matched in a kernel's e-graph, needed by its program, or neither."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from oxegg.ir import Axis, Kernel, Output, Term, input_
from oxegg.rule_lab.instances import axes_of, to_term
from oxegg.rule_lab.study import grow
from oxegg.rules.pattern import Rule
from oxegg.rules.wellformed import variable_types
from oxegg.search import CompiledKernel


@dataclass
class Use:
    """What came of one rule: matches by kernel, and the kernels whose programs needed it.

    ``alone``: whether it matches on a kernel that is its own left side; None if that wasn't asked.
    """

    matches: dict[str, int] = field(default_factory=dict[str, int])
    needed_by: list[str] = field(default_factory=list[str])
    alone: bool | None = None


def note(uses: dict[str, Use], compiled: CompiledKernel) -> None:
    """Enter what one compiled kernel shows."""
    kernel = str(compiled.report["kernel"])
    for full, count in compiled.search.prepared.saturated.matches.items():
        rule, at, _ = full.partition("@")
        if at and count:
            matches = uses.setdefault(rule.removesuffix("<-"), Use()).matches
            matches[kernel] = matches.get(kernel, 0) + count
    for rule in compiled.report["rules"]:
        uses.setdefault(rule, Use()).needed_by.append(kernel)


def try_alone(uses: dict[str, Use], rules: Iterable[Rule]) -> None:
    """For the rules that never matched: whether they do on a kernel made of their left side."""
    for rule in rules:
        use = uses.setdefault(rule.name, Use())
        if not use.matches:
            use.alone = any(_matches(rule, kernel) for kernel in _left_sides(rule))


def _left_sides(rule: Rule) -> Iterable[Kernel]:
    for type_ in rule.types:
        points = Axis("n", 4)
        axes = {name: Axis(name, 3) for name in axes_of(rule)}
        free = {(c.variable, c.axis) for c in rule.when}
        inputs: dict[str, Term] = {}
        for name, of in variable_types(rule, type_).items():
            own = (axis for axis in axes.values() if (name, axis.name) not in free)
            inputs[name] = input_(name, of, (points, *own))
        value = to_term(rule.left, type_, type_, inputs, axes)
        yield Kernel("alone", tuple(inputs.values()), (Output("out", value, value.axes),))


def _matches(rule: Rule, kernel: Kernel) -> bool:
    found = grow(kernel, rule.kind, iterations=2)
    return found.matches.get(rule.name, 0) > 0


def table(rules: Sequence[Rule], uses: dict[str, Use]) -> list[dict[str, object]]:
    """One row a rule."""
    rows: list[dict[str, object]] = []
    for rule in rules:
        use = uses.get(rule.name, Use())
        rows.append(
            {"rule": rule.name, "matches": sum(use.matches.values()), "kernels": len(use.matches),
             "needed_by": use.needed_by, "alone": use.alone}
        )  # fmt: skip
    return rows
