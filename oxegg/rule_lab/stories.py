"""A certificate told as text: the chain of rules, and why an instruction is there or isn't."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oxegg.certificate.document import read_step, read_terms
from oxegg.certificate.folder import MACHINE_FILE, NAME
from oxegg.certificate.laws import LAWS
from oxegg.certificate.terms import Terms, show
from oxegg.costmodels import load_machine
from oxegg.egraph.rule_text import pattern_keys
from oxegg.egraph.saturate import Limits
from oxegg.errors import UsageError
from oxegg.ir import parse
from oxegg.isa import TABLE
from oxegg.rules import all_rules
from oxegg.rules.pattern import Apply
from oxegg.rules.selection import Selection
from oxegg.rules.text import pattern_text
from oxegg.rules.vector_engine import SELECTIONS
from oxegg.search.choose import choose
from oxegg.search.costs import Costs
from oxegg.search.saturation import allowed_rules, prepare, trusted_rules


def read_certificate(folder: Path) -> dict[str, Any]:
    """Raises :class:`oxegg.errors.UsageError` where there is none."""
    file = folder / NAME
    if not file.is_file():
        raise UsageError(f"there is no {NAME}", where=str(folder),
                         hint="give a folder that `oxegg compile` wrote")  # fmt: skip
    return json.loads(file.read_text())


def chain_text(certificate: Mapping[str, Any]) -> Iterator[str]:
    """Each step by a rule or law: its name, what became what, and the evidence."""
    proof = certificate["proof"]
    if proof["status"] != "proved":
        yield f"no chain of rules was found ({proof['status']})"
        return
    kinds = {rule.name: rule.kind for rule in all_rules()}
    nodes = read_terms(proof["terms"], Terms())
    number = 0
    for chain in proof["chains"]:
        for row in chain:
            step = read_step(row, nodes)
            if not step.by:
                continue
            number += 1
            law = step.by in LAWS
            found = proof["evidence"].get(f"{step.by}@{step.type}", {})
            kind = "law" if law else kinds.get(step.by, "?")
            back = ", right to left" if step.reverse else ""
            name = step.by if law else f"{step.by}@{step.type}"
            verdict = "" if law else f", {found.get('verdict', 'no evidence')}"
            yield f"{number:3} {name}  ({kind}{verdict}{back})"
            yield f"      {show(step.start)}"
            yield f"    = {show(step.end)}"
    if not number:
        yield "the program computes the kernel's own terms: no rule was needed"


def why(folder: Path, line: int) -> list[str]:
    """Why the instruction in a line of the assembly is there."""
    certificate = read_certificate(folder)
    lines = (folder / f"{certificate['kernel']}.s").read_text().splitlines()
    if not 1 <= line <= len(lines):
        raise UsageError(
            f"there is no line {line}", where=str(folder),
            hint=f"lines of {certificate['kernel']}.s are numbered 1 to {len(lines)}",
        )  # fmt: skip
    text = lines[line - 1].strip()
    name = _mnemonic(text)
    if name not in TABLE:
        return [f"{text or '(empty)'}: no instruction of the kernel's algebra"]
    machine = load_machine(folder / MACHINE_FILE)
    story = [text, f"  timing class {TABLE[name].timing} on {machine.name}"]
    rows = [r for r in SELECTIONS if any(_spelled(e.instruction, name) for e in r.form.encodings)]
    operators = {node[0] for node in certificate["proof"].get("terms", [])}
    used = [r for r in rows if _operators(r) <= operators]
    algebra = sorted({f"{_algebra(r)} at {r.form.type}" for r in used})
    if not algebra:
        return [*story, "  moves data, addresses or loop counts: no row of the algebra selects it"]
    story += [f"  computes {a}" for a in algebra]
    wanted = set[str]().union(*map(_operators, used))
    nodes = read_terms(certificate["proof"]["terms"], Terms())
    for chain in certificate["proof"]["chains"]:
        for row in chain:
            step = read_step(row, nodes)
            if step.by and step.end.operator in wanted and step.start.operator not in wanted:
                story.append(f"  from {step.by}: {show(step.start)} = {show(step.end)}")
    return story


def why_not(folder: Path, name: str) -> list[str]:
    """Why an instruction isn't used: no row, no match, or dearer by so much."""
    certificate = read_certificate(folder)
    if name not in TABLE:
        raise UsageError(f"there is no instruction {name!r}", hint="see `oxegg isa list`")
    lines = (folder / f"{certificate['kernel']}.s").read_text().splitlines()
    if any(_mnemonic(line) == name for line in lines):
        return [f"{name} is used: `oxegg why {folder} LINE` says for what"]
    rows = [r for r in SELECTIONS if any(_spelled(e.instruction, name) for e in r.form.encodings)]
    if not rows:
        return [f"no row of rules/vector_engine.py selects {name}"]
    kernel, mode = parse(certificate["text"]), certificate["mode"]
    limits = Limits()
    prepared = prepare(kernel, allowed_rules(mode), limits, trusted=trusted_rules(mode))
    graph, stale = prepared.graph, prepared.saturated.stale
    keys = {r.form.key for r in rows}
    nodes = [n for n in graph.nodes if n.attributes and n.attributes[0] in keys]
    if not nodes:
        kinds = {r.kind for r in rows}
        story = [f"no rule makes what {name} computes out of this kernel's terms:"]
        story += sorted({f"  it computes {_algebra(r)} at {r.form.type}" for r in rows})
        if stale:
            story += [f"  without current evidence, and so not used: {', '.join(stale)}",
                      "  hint: run `oxegg rules prove`"]  # fmt: skip
        beyond = kinds == {"real"} and mode == "exact"
        return [*story, "  its rows are of kind real, the mode is exact"] if beyond else story
    costs = Costs(graph, load_machine(folder / MACHINE_FILE))
    free = choose(graph, costs).solution.cost
    eclasses = {n.eclass for n in nodes}
    forced = choose(
        graph,
        costs,
        keep=lambda n: n.eclass not in eclasses or n.attributes[:1] == nodes[0].attributes[:1],
    ).solution.cost
    if forced <= free:
        return [f"{name} costs no more by the extraction's measure ({free:.6g} cycles):"
                " a simulated program without it was faster"]  # fmt: skip
    return [
        f"{name} would cost {forced - free:.6g} cycles more: {forced:.6g} instead of {free:.6g}"
    ]


def _mnemonic(line: str) -> str:
    """The instruction of a line; of a non-standard one the comment tells."""
    words = line.partition("#")[2].split() if line.strip().startswith(".insn") else line.split()
    return words[0] if words else ""


def _spelled(instruction: str, name: str) -> bool:
    """The instruction itself, or its immediate form."""
    immediate = instruction.replace(".vxm", ".vim").replace(".vx", ".vi")
    return name in (instruction, immediate)


def _operators(row: Selection) -> set[str]:
    keys = {key.replace("reduce:", "") for key in pattern_keys(row.pattern, row.form.type)}
    return keys | ({f"reduce:{row.reduction}.{row.form.type}"} if row.reduction else set())


def _algebra(row: Selection) -> str:
    body = pattern_text(row.pattern) if isinstance(row.pattern, Apply) else "x"
    return f"sum over {row.reduction} of {body}" if row.reduction else body
