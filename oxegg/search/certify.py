"""The certificate of a compiled kernel: what was shown about it, in a form that re-checks alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from oxegg.certificate.chain import Instance, connect, explain, needed
from oxegg.certificate.document import TermTable, write_chains
from oxegg.certificate.folder import FORMAT, REPORTED, UNPROVED
from oxegg.certificate.laws import LAWS
from oxegg.certificate.terms import Terms
from oxegg.emit.lowering.program import scratch_layout
from oxegg.ir import to_text
from oxegg.ir.types import TYPES
from oxegg.rules import all_rules
from oxegg.rules.evidence import current, instance_name
from oxegg.rules.pattern import Rule
from oxegg.search.driver import Job, Search
from oxegg.search.extracted import computed_terms, source_terms


@cache
def _by_name() -> Mapping[str, Rule]:
    return {rule.name: rule for rule in all_rules()}


def fired(matches: Mapping[str, int], more: Sequence[Rule]) -> list[Instance]:
    """The instances that matched while the kernel was saturated."""
    rules = {**_by_name(), **{rule.name: rule for rule in more}}
    found: dict[tuple[str, str], Instance] = {}
    for name, count in matches.items():
        rule, at, type_ = name.partition("@")
        rule = rule.removesuffix("<-")
        if at and count and rule in rules:
            found[rule, type_] = rules[rule], TYPES[type_]
    return [found[key] for key in sorted(found)]


def prove_program(found: Search, job: Job) -> dict[str, Any]:
    """The chain from the kernel to what its program computes, by a smallest set of rules.

    Its ``status`` is "proved", or says why no chain was found within the time.
    """
    choice = found.best.candidate.choice
    terms = Terms()
    sources = source_terms(choice.graph, terms)
    computed = computed_terms(choice.graph, choice.nodes, terms)
    pairs = list(zip(sources, computed, strict=True))
    instances = fired(found.prepared.saturated.matches, job.rules)
    graph = connect(terms, pairs, instances)
    if not graph.equal:
        return {"status": f"not proved: {graph.stopped_by}", "rules": [], "evidence": {}}
    chains, _ = explain(graph, pairs)
    used = [i for i in instances if i[0].name in chains.rules]
    fewest = needed(terms, pairs, used, len(graph.classes.nodes))
    chains, numbers = explain(connect(terms, pairs, fewest), pairs)
    steps = {(s.by, s.type) for chain in chains.chains for s in chain if s.type}
    table = TermTable()
    outputs = [
        {"chain": number, "computed": table.number(term)}
        for number, term in zip(numbers, computed, strict=True)
    ]
    written = write_chains(chains, table)
    evidence = {
        instance_name(rule, type_): _evidence(rule, type_.name)
        for rule, type_ in fewest
        if (rule.name, type_.name) in steps
    }
    return {
        "status": "proved",
        "rules": [name for name in chains.rules if name not in LAWS],
        "laws": [name for name in chains.rules if name in LAWS],
        "evidence": evidence,
        "terms": table.rows,
        "chains": written,
        "outputs": outputs,
    }


def _evidence(rule: Rule, type_: str) -> dict[str, Any]:
    found = current(rule, TYPES[type_])
    return asdict(found) if found is not None else {"verdict": UNPROVED}


def certificate(
    found: Search, report: Mapping[str, Any], proof: Mapping[str, Any], source: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything but the hashes of the files, which are added when these are written."""
    program = found.best.runner.program
    return {
        "format": FORMAT,
        **{field: report[field] for field in REPORTED},
        "source": dict(source),
        "banked": {n: asdict(at) for n, at in sorted(found.best.runner.layouts.items())},
        "text": to_text(found.kernel),
        "scratch_bytes": scratch_layout(program)[1] if program.scratch else 0,
        "scratch_place": found.best.runner.scratch_place,
        "proof": dict(proof),
        "gap": _gap(report["extraction"]),
        "seeds": [0],
    }


def _gap(extraction: Mapping[str, Any]) -> float | None:
    """(cost - bound) / cost of the extraction."""
    cost, bound = extraction["cost"], extraction["bound"]
    return None if bound is None or not cost else round((cost - bound) / cost, 6)
