"""Why an instruction isn't used: no rule matched, a guard failed, or it costs so much more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oxegg.certificate.folder import MACHINE_FILE
from oxegg.costmodels import load_machine
from oxegg.egraph.readout import PhysicalNode
from oxegg.egraph.rule_text import pattern_keys
from oxegg.egraph.saturate import Limits, Saturated
from oxegg.errors import UsageError
from oxegg.ir import parse
from oxegg.isa import TABLE
from oxegg.rule_lab.stories import (
    algebra_of,
    mnemonic,
    operators_of,
    purpose,
    read_certificate,
    selecting,
)
from oxegg.rules import all_rules
from oxegg.rules.pattern import Rule
from oxegg.rules.selection import Selection
from oxegg.rules.text import rule_text
from oxegg.search.choose import choose
from oxegg.search.costs import Costs
from oxegg.search.saturation import allowed_rules, prepare, trusted_rules


@dataclass(frozen=True)
class Engine:
    """An engine beside the hart: the machine's field, and how to learn what it would cost."""

    part: str
    advice: str


_COMPARE = "programs of this engine compete as a whole: `oxegg compile --without vector-engine`"
ENGINES = {
    "Xoxt": Engine("tensor", f"{_COMPARE}; its rows: rules/tensor_engine.py"),
    "Xoxn": Engine("near_memory", f"{_COMPARE}; its rows: rules/near_memory.py"),
    "Xoxd": Engine("dma", "products of matrices in DRAM are copied in blocks, others are not"),
    "Xoxw": Engine("simt", "the compiler emits no warps; the simulator runs them"),
}
MOST_RULES = 5  # that could have made it, in the text


def why_not(folder: Path, name: str) -> list[str]:
    """Why an instruction isn't used: no row, no match, a guard, or dearer by so much."""
    certificate = read_certificate(folder)
    if name not in TABLE:
        raise UsageError(f"there is no instruction {name!r}", hint="see `oxegg isa list`")
    lines = (folder / f"{certificate['kernel']}.s").read_text().splitlines()
    if any(mnemonic(line) == name for line in lines):
        return [f"{name} is used: `oxegg why {folder} LINE` says for what"]
    machine = load_machine(folder / MACHINE_FILE)
    engine = ENGINES.get(TABLE[name].extension)
    if engine is not None and getattr(machine, engine.part) is None:
        return [f"{machine.name} has no {engine.part.replace('_', '-')} engine"]
    rows = selecting(name)
    if not rows:
        more = engine.advice if engine else f"the back end's, where needed: {purpose(TABLE[name])}"
        return [f"no row of rules/vector_engine.py selects {name}", f"  {more}"]
    mode = certificate["mode"]
    prepared = prepare(
        parse(certificate["text"]), allowed_rules(mode), Limits(), trusted=trusted_rules(mode)
    )
    keys = {row.form.key for row in rows}
    found = [n for n in prepared.graph.nodes if n.attributes and n.attributes[0] in keys]
    if not found:
        return list(_unmade(name, rows, prepared.saturated, mode))
    return [_dearer(name, Costs(prepared.graph, machine), found)]


def _unmade(name: str, rows: list[Selection], saturated: Saturated, mode: str) -> Iterator[str]:
    """Nothing in the graph has the form: what it would be, and the rules that lead there."""
    yield f"no rule makes what {name} computes out of this kernel's terms:"
    yield from sorted({f"  it computes {algebra_of(row)} at {row.form.type}" for row in rows})
    if {row.kind for row in rows} == {"real"} and mode == "exact":
        yield "  its rows are of kind real, the mode is exact"
    present = _operators(saturated)
    wanted = set[str]().union(*map(operators_of, rows)) - present
    makers = list(dict.fromkeys(_makers(wanted, present, saturated.matches)))
    for rule in makers[:MOST_RULES]:
        yield f"  {rule.name} would lead there: {rule_text(rule)}"
        yield f"    {_obstacle(rule, mode)}"
    if len(makers) > MOST_RULES:
        yield f"  and {len(makers) - MOST_RULES} more rules"
    if saturated.stale:
        yield f"  without current evidence, and so not used: {', '.join(saturated.stale)}"
        yield "  hint: run `oxegg rules prove`"


def _operators(saturated: Saturated) -> set[str]:
    """Every operation in the graph: ``mul.f32``; of reductions ``reduce:add.f32``."""
    marks = {"P1": "", "P2": "", "P3": "", "Red": "reduce:"}
    return {mark + row[0] for table, mark in marks.items() for row in saturated.tables[table].rows}


def _makers(wanted: set[str], present: set[str], matches: Mapping[str, int]) -> Iterator[Rule]:
    """Rules whose right side has what is wanted and whose left side's operations are all here."""
    for rule in all_rules():
        for type_ in rule.types:
            right, left = (pattern_keys(side, type_) for side in (rule.right, rule.left))
            if right & wanted and left <= present and f"{rule.name}@{type_}" not in matches:
                yield rule


def _obstacle(rule: Rule, mode: str) -> str:
    if not allowed_rules(mode)(rule):
        return f"it is of kind {rule.kind}, the mode is {mode}"
    guards = [f"{c.variable} does not depend on axis {c.axis}" for c in rule.when]
    if guards:
        return f"no term here has its left side's form, or its guard fails: {', '.join(guards)}"
    return "no term here has its left side's form"


def _dearer(name: str, costs: Costs, found: Sequence[PhysicalNode]) -> str:
    """How much a program costs more that must use it where it can."""
    eclasses, key = {node.eclass for node in found}, found[0].attributes[0]
    free = choose(costs.graph, costs).solution.cost
    forced = choose(
        costs.graph, costs, keep=lambda n: n.eclass not in eclasses or n.attributes[:1] == (key,)
    ).solution.cost
    if forced <= free:
        return (f"{name} costs no more by the extraction's measure ({free:.6g} cycles):"
                " a simulated program without it was faster")  # fmt: skip
    return f"{name} would cost {forced - free:.6g} cycles more: {forced:.6g} instead of {free:.6g}"
