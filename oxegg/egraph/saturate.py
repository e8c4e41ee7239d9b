"""Phased saturation under limits: elementary functions, algebra, then the engines.

Rulesets are stepped one iteration at a time with analyses saturated in between; growth is
watched and the work runs in a child process, because one egglog iteration can be enormous.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from oxegg.egraph import physical_rules, tile_rules
from oxegg.egraph.applicable import Instance, applicable, applicable_selections
from oxegg.egraph.child import run_in_child
from oxegg.egraph.encode import Encoding
from oxegg.egraph.engine import Engine, Table
from oxegg.egraph.near_memory_rules import bank_texts
from oxegg.egraph.schema import (
    ANALYSIS,
    DECLARATIONS,
    DEMAND,
    LISTS,
    LOGICAL,
    MEMORY,
    PHYSICAL,
)
from oxegg.errors import LoweringError
from oxegg.ir.types import FLOATS, ElementType
from oxegg.rules.evidence import current
from oxegg.rules.pattern import Kind, Rule, variables


@dataclass(frozen=True)
class Limits:
    """When to stop: table rows, seconds, growth per iteration, resident memory of the child."""

    rows: int = 30_000
    seconds: float = 8.0
    growth: float = 6.0
    memory_mb: int = 2500
    algebra_iterations: int = 4
    elementary_iterations: int = 4


@dataclass(frozen=True)
class Growth:
    """Table rows after one iteration of one phase; ``seconds`` of the process so far."""

    phase: str
    iteration: int
    rows: int
    seconds: float


@dataclass
class Saturated:
    """What the child sends back: tables of every sort, and how it got there.

    ``stale`` names rules that could have fired and have no current evidence: they weren't used.
    """

    tables: dict[str, Table]
    growth: list[Growth]
    matches: dict[str, int]
    stopped_by: str
    rows: int
    classes: int
    rules: list[str] = field(default_factory=list[str])
    stale: list[str] = field(default_factory=list[str])


def saturate(
    encoding: Encoding,
    *,
    lanes: list[int],
    allowed: Callable[[Rule], bool],
    limits: Limits,
    roots: list[str],
    tensor: bool = False,
    near_memory: bool = False,
    trusted: Callable[[Rule, ElementType], bool] = lambda rule, type_: True,
    more: Sequence[Rule] = (),
) -> Saturated:
    """Saturate ``encoding`` with the allowed rules and the engines; ``roots`` are demands.

    ``trusted`` says whether an instance's evidence suffices; ``more`` are rules beside oxegg's own.
    """
    scans = physical_rules.scan_operators(encoding.operators, _permits(allowed, "real"))
    stale: set[str] = set()

    def usable(rule: Rule, type_: ElementType) -> bool:
        known = trusted(rule, type_)
        if not known and current(rule, type_) is None:
            stale.add(rule.name)
        return known

    instances, operators = applicable(
        encoding.operators | scans, allowed, trusted=usable, more=more
    )
    programs = _programs(encoding, instances, operators, lanes, allowed, tensor, near_memory)

    def job(send: Callable[[Any], None]) -> None:
        _Run(encoding, programs, roots, limits, send).all()

    result, status = run_in_child(job, seconds=limits.seconds, memory_mb=limits.memory_mb)
    if result is None:
        raise LoweringError(
            f"saturation ran out of {status} before a first program was found",
            hint="give it more time (--seconds) or split the kernel",
        )
    assert isinstance(result, Saturated)
    if status != "finished":
        result.stopped_by = status
    result.rules, result.stale = sorted({i.rule.name for i in instances}), sorted(stale)
    return result


def _programs(
    encoding: Encoding,
    instances: list[Instance],
    operators: set[str],
    lanes: list[int],
    allowed: Callable[[Rule], bool],
    tensor: bool,
    near_memory: bool,
) -> dict[str, str]:
    reorder = _permits(allowed, "real")
    selections = [r for r in applicable_selections(operators) if _permits(allowed, r.kind)]
    physical = [text for r in selections for text in physical_rules.selection_text(r, reorder)]
    physical += physical_rules.scan_texts(operators, reorder)
    physical += physical_rules.scalar_texts(operators)
    physical += physical_rules.scalar_reductions(operators)
    physical += physical_rules.counts(operators)
    physical += physical_rules.concat_texts(encoding)
    physical += physical_rules.fold_texts(encoding)
    physical += physical_rules.alias_texts(operators)
    physical += tile_rules.tile_texts(operators, reorder) if tensor else []
    physical += bank_texts(operators, reorder) if near_memory else []
    floats = [t for t in FLOATS]
    return {
        "setup": DECLARATIONS
        + physical_rules.DECLARATIONS
        + tile_rules.DECLARATIONS
        + ANALYSIS,
        "facts": "\n".join(encoding.forms),
        "leaves": "\n".join(physical_rules.fact_texts(encoding, lanes, floats)),
        "rules": "\n".join(instance.text for instance in instances),
        "physical": physical_rules.TRANSFERS + "\n".join(physical),
    }


def _permits(allowed: Callable[[Rule], bool], kind: Kind) -> bool:
    """Whether instructions of a kind are allowed: asked with a rule of that kind."""
    (x,) = variables("x")
    return allowed(Rule("engine.any", x, x, kind, (), ""))


class _Run:
    """The child's side: one engine, stepped phase by phase."""

    def __init__(
        self,
        encoding: Encoding,
        programs: dict[str, str],
        roots: list[str],
        limits: Limits,
        send: Callable[[Any], None],
    ) -> None:
        self.programs, self.roots, self.limits, self.send = programs, roots, limits, send
        self.engine = Engine()
        self.growth: list[Growth] = []
        self.matches: dict[str, int] = {}
        self.started = time.process_time()
        self.stopped_by = "saturated"

    def all(self) -> None:
        for name in ("setup", "facts", "leaves", "rules", "physical"):
            self.engine.run(self.programs[name])
        self.engine.saturate("analysis")
        self._phase("elementary", self.limits.elementary_iterations)
        rows = self._rows()
        if rows > 2000:
            self._finish("time")
        self._phase("algebra", self.limits.algebra_iterations)
        self._finish(self.stopped_by)

    def _phase(self, ruleset: str, iterations: int) -> None:
        before = self._rows()
        for iteration in range(iterations):
            changed = self._step(ruleset)
            rows = self._rows()
            seconds = time.process_time() - self.started
            self.growth.append(Growth(ruleset, iteration, rows, seconds))
            if not changed:
                return
            reason = self._limit(rows, before, seconds)
            if reason:
                self.stopped_by = reason
                return
            before = rows
        self.stopped_by = "iterations" if ruleset == "algebra" else self.stopped_by

    def _step(self, ruleset: str) -> bool:
        """One iteration, then the analyses; whether anything changed."""
        changed, matches = self.engine.step(ruleset)
        self.engine.saturate("analysis")
        for name, number in matches.items():
            self.matches[name] = self.matches.get(name, 0) + number
        return changed

    def _limit(self, rows: int, before: int, seconds: float) -> str | None:
        limits = self.limits
        if rows > limits.rows or rows + (rows - before) * limits.growth > 4 * limits.rows:
            return "rows"
        return "time" if seconds > limits.seconds / 2 else None

    def _rows(self) -> int:
        return sum(self.engine.sizes().values())

    def _finish(self, stopped_by: str) -> None:
        """Run the engines on what is there and send everything.

        Demands go one operand deeper in every iteration: there are as many as terms are deep.
        """
        self.engine.run("\n".join(self.roots))
        for iteration in itertools.count():
            if not self._step("physical"):
                break
            self.growth.append(
                Growth("physical", iteration, self._rows(), time.process_time() - self.started)
            )
        names = [*LOGICAL, "Id", "free", *PHYSICAL, *MEMORY, *DEMAND, *LISTS]
        tables = self.engine.tables([n for n in names if n != "TNil"])
        nodes = sum(len(tables[n].rows) for n in (*LOGICAL, *PHYSICAL, *MEMORY))
        classes = len({row[-1] for n in (*LOGICAL, *PHYSICAL, *MEMORY) for row in tables[n].rows})
        self.send(Saturated(tables, self.growth, self.matches, stopped_by, nodes, classes))
