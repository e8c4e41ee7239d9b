"""Rules at work: which make a graph grow, which follow from others, and which could be added."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from oxegg.certificate.chain import Instance, connect, explain
from oxegg.certificate.laws import instance
from oxegg.certificate.terms import Node, Terms
from oxegg.egraph.applicable import applicable
from oxegg.egraph.child import run_in_child
from oxegg.egraph.encode import encode
from oxegg.egraph.engine import Engine
from oxegg.egraph.schema import ANALYSIS, DECLARATIONS
from oxegg.ir import Axis, Kernel
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import ElementType
from oxegg.rule_lab.instances import POINTS, instantiate, random_inputs
from oxegg.rule_lab.ladder import check, prove
from oxegg.rules import all_rules
from oxegg.rules.pattern import (
    Apply,
    Family,
    Pattern,
    Rule,
    axes_in,
    constant,
    variables,
    variables_in,
)
from oxegg.rules.text import pattern_text
from oxegg.rules.wellformed import variable_types
from oxegg.search.saturation import allowed_rules

# ------------------------------------------------------------------ growth


@dataclass(frozen=True)
class GrowthRun:
    """Table rows after each iteration, matches by rule, and whether a limit ended it."""

    rows: tuple[int, ...]
    matches: dict[str, int]
    stopped: bool


@dataclass(frozen=True)
class Blame:
    """What each rule adds: rows with all rules, and without each of those that match most."""

    whole: GrowthRun
    without: dict[str, GrowthRun]

    def share(self, name: str) -> float:
        """The part of the rows that is gone without the rule."""
        return 1 - self.without[name].rows[-1] / max(self.whole.rows[-1], 1)


def grow(
    kernel: Kernel, mode: str, more: Sequence[Rule] = (), without: str = "", *,
    most: int = 20_000, iterations: int = 4, seconds: float = 4.0,
) -> GrowthRun:  # fmt: skip
    """The logical graph alone, iteration by iteration, until a limit ends it."""
    encoding = encode(kernel)
    allowed = allowed_rules(mode)
    instances, _ = applicable(encoding.operators, allowed, more=more)
    text = "\n".join(i.text for i in instances if i.rule.name != without)

    def job(send: Callable[[Any], None]) -> None:
        engine = Engine()
        for part in (DECLARATIONS, ANALYSIS, "\n".join(encoding.forms), text):
            engine.run(part)
        engine.saturate("analysis")
        rows: list[int] = [sum(engine.sizes().values())]
        matches: dict[str, int] = {}
        for phase in ("elementary", "algebra"):
            for _ in range(iterations):
                changed, found = engine.step(phase)
                engine.saturate("analysis")
                for name, count in found.items():
                    rule = name.split("@")[0].removesuffix("<-")
                    matches[rule] = matches.get(rule, 0) + count
                rows.append(sum(engine.sizes().values()))
                stopped = rows[-1] > most
                send(GrowthRun(tuple(rows), dict(matches), stopped))
                if stopped or not changed:
                    break

    found, status = run_in_child(job, seconds=seconds, memory_mb=2000)
    if found is None:
        return GrowthRun((most,), {}, True)
    assert isinstance(found, GrowthRun)
    return found if status == "finished" else GrowthRun(found.rows, found.matches, True)


def blame(kernel: Kernel, mode: str, more: Sequence[Rule] = (), suspects: int = 6) -> Blame:
    """Leave-one-out on the rules that match most often; each run is short."""
    whole = grow(kernel, mode, more)
    ranked = sorted(whole.matches, key=lambda name: -whole.matches[name])[:suspects]
    runs = {name: grow(kernel, mode, more, name, seconds=1.2) for name in ranked}
    return Blame(whole, runs)


# ------------------------------------------------------------------ derivability


def implied(rule: Rule, type_: ElementType, others: Sequence[Rule]) -> list[str] | None:
    """The rules from which an instance follows, None where it doesn't within a few rounds."""
    terms = Terms()
    bound: dict[str, Node | Axis] = {
        name: terms.node("input", (name, (Axis(POINTS, 2),), of))
        for name, of in variable_types(rule, type_).items()
    }
    axes = {c.axis for c in rule.when} | axes_in(rule.left)
    free = {(c.variable, c.axis) for c in rule.when}
    for axis in axes:
        bound[axis] = Axis(axis, 3)
    for name, value in bound.items():
        if isinstance(value, Node):
            layout = [bound[a] for a in sorted(axes) if (name, a) not in free]
            bound[name] = terms.node("input", (name, tuple(layout), value.attributes[2]))
    sides = instance(rule, type_, bound, terms)
    assert sides is not None
    instances: list[Instance] = [(r, t) for r in others if r.name != rule.name for t in r.types]
    found = connect(terms, [sides], instances, seconds=5.0, rounds=4, most=2000)
    return explain(found, [sides])[0].rules if found.equal else None


# ------------------------------------------------------------------ mining


def mine(
    type_: ElementType, operators: Sequence[str], *, most: int = 20, seconds: float = 2.0
) -> Iterator[Rule]:
    """Candidate rows: equal small terms, proved, the cheaper on the right, not implied.

    Terms of two operations over x, y, 0 and 1 are compared on samples; what agrees is proved.
    """
    family = Family("mined")
    x, y = variables("x y")
    known = [r for r in all_rules() if type_ in r.types and r.phase == "algebra"]
    leaves: list[Pattern] = [x, y, constant(0), constant(1)]
    once = list(_applied(operators, leaves, leaves))
    twice = list(_applied(operators, once, leaves))
    groups: dict[bytes, list[Pattern]] = {}
    for pattern in (*leaves[:3], *once, *twice):
        values = _values(pattern, type_)
        if values is not None:
            groups.setdefault(values, []).append(pattern)
    made = 0
    for right, *larger in groups.values():
        for left in larger:
            if made == most:
                return
            if not isinstance(left, Apply) or not variables_in(right) <= variables_in(left):
                continue
            name = f"candidate-{made + 1}"
            family.rule(name, left, right, kind="exact", types=(type_,), doc=_doc(left, right))
            row = family.rules[-1]
            proved = check(row, type_, points=500).failure is None
            proved = proved and prove(row, type_, seconds=seconds)[0] == "proved"
            if proved and implied(row, type_, [*known, *family.rules[:made]]) is None:
                made += 1
                yield row
            else:
                family.rules.pop()


def _doc(left: Pattern, right: Pattern) -> str:
    return f"{pattern_text(left)} = {pattern_text(right)}"


def _applied(
    operators: Sequence[str], first: Sequence[Pattern], second: Sequence[Pattern]
) -> Iterator[Pattern]:
    for name in operators:
        for operands in itertools.product(*(first, second, second)[: OPERATIONS[name].arity]):
            if any(variables_in(operand) for operand in operands):
                yield Apply(name, tuple(operands))


def _values(pattern: Pattern, type_: ElementType) -> bytes | None:
    """What a pattern gives on a fixed draw of x and y."""
    from oxegg.ir import evaluate

    pair = Apply("add", (Apply("add", variables("x y"), None), pattern), None)
    row = Rule("mine", pair, pair, "exact", (type_,), "")
    sides = instantiate(row, type_, {POINTS: 40})
    arrays = random_inputs(sides, 1, special=True)
    term = sides.left.children[1]
    with np.errstate(all="ignore"):
        (value,) = evaluate([term], arrays)
    return np.ascontiguousarray(np.broadcast_to(value, (40,))).tobytes()
