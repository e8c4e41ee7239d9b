"""A certificate told as text: the chain of rules, and why an instruction is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from oxegg.certificate.document import read_step, read_terms
from oxegg.certificate.folder import MACHINE_FILE, NAME
from oxegg.certificate.laws import LAWS
from oxegg.certificate.terms import Terms, show
from oxegg.costmodels import Machine, load_machine, timing
from oxegg.egraph.rule_text import pattern_keys
from oxegg.errors import UsageError
from oxegg.isa import TABLE, Instruction
from oxegg.rules import all_rules
from oxegg.rules.pattern import Apply
from oxegg.rules.selection import Selection
from oxegg.rules.text import pattern_text
from oxegg.rules.vector_engine import SELECTIONS


def read_certificate(folder: Path) -> dict[str, Any]:
    """Raises :class:`oxegg.errors.UsageError` where there is none."""
    file = folder / NAME
    if not file.is_file():
        raise UsageError(f"there is no {NAME}", where=str(folder),
                         hint="give a folder that `oxegg compile` wrote")  # fmt: skip
    try:
        return json.loads(file.read_text())
    except ValueError as error:
        raise UsageError(f"the certificate is garbled: {error}", where=str(file),
                         hint="compile the kernel again") from error  # fmt: skip


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
    name = mnemonic(text)
    if name not in TABLE:
        return [f"line {line} is no instruction: {text or '(empty)'}"]
    story = [text, _price(name, lines[:line], load_machine(folder / MACHINE_FILE))]
    operators = {node[0] for node in certificate["proof"].get("terms", [])}
    used = [row for row in selecting(name) if operators_of(row) <= operators]
    algebra = sorted({f"{algebra_of(row)} at {row.form.type}" for row in used})
    if not algebra:
        return [*story, f"  {purpose(TABLE[name])}", f"  by its record: {TABLE[name].semantics}"]
    story += [f"  computes {a}" for a in algebra]
    wanted = set[str]().union(*map(operators_of, used))
    nodes = read_terms(certificate["proof"]["terms"], Terms())
    for chain in certificate["proof"]["chains"]:
        for row in chain:
            step = read_step(row, nodes)
            if step.by and step.end.operator in wanted and step.start.operator not in wanted:
                story.append(f"  from {step.by}: {show(step.start)} = {show(step.end)}")
    return story


def _price(name: str, above: Sequence[str], machine: Machine) -> str:
    """What the timing table asks for it, under the vector state of the lines above."""
    record = TABLE[name]
    state = next((found for line in reversed(above) if (found := _STATE.search(line))), None)
    story = f"  timing class {record.timing} on {machine.name}"
    if record.is_custom or (record.is_vector and state is None):
        return story
    given: dict[str, Any] = {}
    if record.is_vector and state is not None:
        sew, group, vl = state.groups()
        lmul = Fraction(1, int(group[1:])) if group.startswith("f") else Fraction(group)
        given = {"sew": int(sew), "lmul": lmul, "vl": int(vl)}
    cost = timing(machine, name, **given)
    return f"{story}: {cost.unit} for {cost.occupancy} cycles, the result after {cost.latency}"


_STATE = re.compile(r"# e(\d+),m(f?\d),.*vl=(\d+)")


def purpose(record: Instruction) -> str:
    """What an instruction does that no row of the algebra selects: the back end emits it."""
    if record.memory is not None:
        return "moves data between memory and registers"
    return _PURPOSES.get(record.timing, "emitted for loops, addresses, scalars, and between lanes")


_PURPOSES = {
    "vset": "says how many elements of which width the next instructions take",
    "branch": "closes a loop",
    "jump": "returns to the caller",
    "vreduce": "combines the lanes of a reduction",
    "vfreduce": "combines the lanes of a reduction",
    "dma_start": "copies a block of a matrix, while others are computed",
    "dma_wait": "waits for a block that is copied",
    "tmm": "multiplies tiles: a reduction of the kernel over a product",
    "tmm_f32": "multiplies tiles: a reduction of the kernel over a product",
    "nm_compute": "computes in the memory's banks",
}


def mnemonic(line: str) -> str:
    """The instruction of a line; of a non-standard one the comment tells."""
    words = line.partition("#")[2].split() if line.strip().startswith(".insn") else line.split()
    return words[0] if words else ""


def selecting(name: str) -> list[Selection]:
    """The rows that select an instruction, or whose immediate form it is."""
    return [r for r in SELECTIONS if any(_spelled(e.instruction, name) for e in r.form.encodings)]


def _spelled(instruction: str, name: str) -> bool:
    immediate = instruction.replace(".vxm", ".vim").replace(".vx", ".vi")
    return name in (instruction, immediate)


def operators_of(row: Selection) -> set[str]:
    keys = {key.replace("reduce:", "") for key in pattern_keys(row.pattern, row.form.type)}
    return keys | ({f"reduce:{row.reduction}.{row.form.type}"} if row.reduction else set())


def algebra_of(row: Selection) -> str:
    body = pattern_text(row.pattern) if isinstance(row.pattern, Apply) else "x"
    return f"sum over {row.reduction} of {body}" if row.reduction else body
