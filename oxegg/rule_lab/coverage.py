"""Which rules are of use: matched in a kernel's e-graph, added to it, needed by its program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from oxegg.egraph.applicable import applicable
from oxegg.egraph.child import run_in_child
from oxegg.egraph.encode import encode
from oxegg.egraph.engine import Engine
from oxegg.egraph.rule_text import pattern_keys, rule_texts
from oxegg.egraph.schema import ANALYSIS, DECLARATIONS
from oxegg.ir import Axis, Kernel, Output, Term, input_
from oxegg.rule_lab.instances import axes_of, to_term
from oxegg.rule_lab.study import grow
from oxegg.rules.pattern import Rule
from oxegg.rules.wellformed import variable_types
from oxegg.search import CompiledKernel
from oxegg.search.saturation import allowed_rules, trusted_rules


@dataclass
class Use:
    """What came of one rule: matches by kernel, and the kernels whose programs needed it.

    ``productive_in`` are the kernels whose graphs it made larger, or more of one class.
    ``alone``: whether it matches on a kernel that is its own left side; None if that wasn't asked.
    """

    matches: dict[str, int] = field(default_factory=dict[str, int])
    productive_in: list[str] = field(default_factory=list[str])
    needed_by: list[str] = field(default_factory=list[str])
    alone: bool | None = None


@dataclass
class Coverage:
    """Uses by rule, and every operator (``mul.f32``) that the kernels' graphs can contain."""

    uses: dict[str, Use] = field(default_factory=dict[str, Use])
    operators: set[str] = field(default_factory=set[str])

    def use(self, rule: str) -> Use:
        return self.uses.setdefault(rule, Use())

    def note(self, compiled: CompiledKernel, more: Sequence[Rule] = ()) -> None:
        """Enter what one compiled kernel shows."""
        kernel = str(compiled.report["kernel"])
        for full, count in compiled.search.prepared.saturated.matches.items():
            rule, at, _ = full.partition("@")
            if at and count:
                matches = self.use(rule.removesuffix("<-")).matches
                matches[kernel] = matches.get(kernel, 0) + count
        for rule in compiled.report["rules"]:
            self.use(rule).needed_by.append(kernel)
        found, operators = productive(compiled.kernel, str(compiled.report["mode"]), more)
        self.operators |= operators
        for rule in found:
            self.use(rule).productive_in.append(kernel)


def productive(
    kernel: Kernel, mode: str, more: Sequence[Rule] = (), *, iterations: int = 4,
    most: int = 20_000, seconds: float = 20.0,
) -> tuple[set[str], set[str]]:  # fmt: skip
    """The rules that change a kernel's graph when each runs alone in its turn; all its operators.

    As in a compile, elementary functions come first, and limits end it.
    """
    encoding = encode(kernel)
    trusted = trusted_rules(mode)
    own = {rule.name for rule in more}
    instances, operators = applicable(
        encoding.operators, allowed_rules(mode), more=more,
        trusted=lambda rule, type_: rule.name in own or trusted(rule, type_),
    )  # fmt: skip
    rulesets = {f"alone{number}": instance for number, instance in enumerate(instances)}

    def job(send: Callable[[Any], None]) -> None:
        engine = Engine()
        for text in (DECLARATIONS, ANALYSIS, "\n".join(encoding.forms)):
            engine.run(text)
        for name, instance in rulesets.items():
            engine.run(f"(ruleset {name})" + rule_texts(instance.rule, instance.type, name))
        engine.saturate("analysis")
        found: set[str] = set()
        for phase in ("elementary", "algebra"):
            chosen = {n: i.rule.name for n, i in rulesets.items() if i.rule.phase == phase}
            for _ in range(iterations):
                changing = [name for name in chosen if engine.step(name)[0]]
                engine.saturate("analysis")
                found |= {chosen[name] for name in changing}
                send(found)
                if not changing or sum(engine.sizes().values()) > most:
                    break

    found, _ = run_in_child(job, seconds=seconds, memory_mb=2000)
    return found or set(), operators


def why_idle(rule: Rule, operators: set[str]) -> str:
    """What the left side asks for and no graph has: operations, with types where some occur.

    Empty where all of it occurs, but not in this form.
    """
    lacking = [pattern_keys(rule.left, type_) - operators for type_ in rule.types]
    if not all(lacking):
        return ""
    types: dict[str, list[str]] = {}
    for key in sorted(set[str]().union(*lacking)):
        name, _, type_ = key.partition(".")
        types.setdefault(name, []).append(type_)
    everywhere = {name for name in types if all(any(k.startswith(f"{name}.") for k in keys)
                                                for keys in lacking)}  # fmt: skip
    return ", ".join(
        name if name in everywhere else f"{name} ({' '.join(of)})" for name, of in types.items()
    )


def try_alone(coverage: Coverage, rules: Iterable[Rule]) -> None:
    """For the rules that never matched: whether they do on a kernel made of their left side."""
    for rule in rules:
        use = coverage.use(rule.name)
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


def table(rules: Sequence[Rule], coverage: Coverage) -> list[dict[str, object]]:
    """One row a rule; ``missing`` says of a rule that never matched what it would need."""
    rows: list[dict[str, object]] = []
    for rule in rules:
        use = coverage.uses.get(rule.name, Use())
        missing = None if use.matches else why_idle(rule, coverage.operators)
        rows.append(
            {"rule": rule.name, "matches": sum(use.matches.values()), "kernels": len(use.matches),
             "productive": len(use.productive_in), "needed_by": use.needed_by,
             "missing": missing, "alone": use.alone}
        )  # fmt: skip
    return rows
