"""``oxegg.compile`` and ``oxegg.compile_for``: one kernel, one report for each machine."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from oxegg.certificate.computable import computed_results
from oxegg.certificate.folder import sha256
from oxegg.costmodels import VECTOR_UNITS, Machine, load_machine
from oxegg.costmodels.load import machine_file
from oxegg.costmodels.text import machine_text
from oxegg.errors import LoweringError, UsageError
from oxegg.frontend import lower
from oxegg.ir.term import Kernel
from oxegg.search.certify import fired, prove_program
from oxegg.search.compiled import CompiledKernel
from oxegg.search.costs import Objective
from oxegg.search.driver import (
    EFFORTS,
    Effort,
    Job,
    Search,
    Trial,
    baseline,
    peak_memory_mb,
    saturate_for,
    search,
)
from oxegg.search.saturation import MODES, Prepared, check_switches, own_rules
from oxegg.search.work import kernel_roofline
from oxegg.verify import FIELD_CHECK, FieldVerdict, Verdict, check, field_check

Source = Callable[..., Any] | str | Path | Kernel
"""A function, a file (``"file.py:kernel"``) or a lowered kernel."""

APPROXIMATION_ULPS = 16
DEEPEST_RECURSION = 20_000
_ENGINE_OF_UNIT = {
    **dict.fromkeys(VECTOR_UNITS, "vector"),
    **dict.fromkeys(("TLS", "TMM", "TEW"), "tensor"),
    "NM": "near_memory",
    "DMA": "dma",
}
ASSUMPTIONS = {
    "exact": [],
    "real": ["inputs are finite and no intermediate result overflows or is NaN"],
    "approx": ["inputs are finite and no intermediate result overflows or is NaN"],
}


def compile_kernel(
    source: Source,
    *,
    kernel: str | None = None,
    machine: str | Path | Machine = "ox-card",
    mode: str = "real",
    effort: str = "quick",
    seconds: float | None = None,
    sizes: Mapping[str, int] | None = None,
    place: str = "auto",
    peers: Sequence[str] = ("generic",),
    without: Sequence[str] = (),
    objective: Objective = "cycles",
    rules: Sequence[str | Path] = (),
    unproved: bool = False,
) -> CompiledKernel:
    """Superoptimize a NumPy kernel for a machine.

    ``source``: a function, a file (``"file.py:kernel"``) or a lowered kernel. ``mode`` is "exact",
    "real" or "approx" (what may be rewritten), ``effort`` "quick", "normal" or "max", ``seconds`` a
    limit over the effort's own, ``place`` where inputs and outputs lie ("spm", "dram", "auto").
    ``without`` switches rule families off; ``objective`` is what counts: simulated "cycles", or
    executed "instructions" (for machines whose timing isn't known). ``rules`` are rule files beside
    oxegg's own; rules whose evidence is below what the mode demands are used only if ``unproved``.

    Raises :class:`oxegg.errors.OxeggError`.
    """
    (compiled,) = compile_for(
        source,
        [machine],
        kernel=kernel,
        mode=mode,
        effort=effort,
        seconds=seconds,
        sizes=sizes,
        place=place,
        peers=peers,
        without=without,
        objective=objective,
        rules=rules,
        unproved=unproved,
    )
    return compiled


def compile_for(
    source: Source,
    machines: Sequence[str | Path | Machine],
    *,
    kernel: str | None = None,
    mode: str = "real",
    effort: str = "quick",
    seconds: float | None = None,
    sizes: Mapping[str, int] | None = None,
    place: str = "auto",
    peers: Sequence[str] = ("generic",),
    without: Sequence[str] = (),
    objective: Objective = "cycles",
    rules: Sequence[str | Path] = (),
    unproved: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[CompiledKernel]:
    """Superoptimize a NumPy kernel for several machines from one saturated e-graph.

    What may be computed how is the same for all of them: only costs differ. Options are those of
    :func:`oxegg.compile`; ``seconds`` counts for each machine, ``progress`` is called with (done,
    total, machine).

    Raises :class:`oxegg.errors.OxeggError`.
    """
    if mode not in MODES:
        raise UsageError(f"no mode {mode!r}", hint=f"use one of {', '.join(MODES)}")
    if effort not in EFFORTS:
        raise UsageError(f"no effort {effort!r}", hint=f"use one of {', '.join(EFFORTS)}")
    if place not in ("spm", "dram", "auto"):
        raise UsageError(f"no place {place!r}", hint="use spm, dram or auto")
    check_switches(without)
    targets = [m if isinstance(m, Machine) else load_machine(m) for m in machines]
    _check_names(targets)
    started = time.monotonic()
    lowered = source if isinstance(source, Kernel) else lower(source, kernel, dict(sizes or {}))
    laps = {"lower": round(time.monotonic() - started, 4)}
    level = EFFORTS[effort]
    if seconds is not None:
        level = replace(level, seconds=seconds)
    more = own_rules(rules, mode, unproved)
    jobs = [
        Job(lowered, target, mode, place, tuple(without), objective, more, unproved)
        for target in targets
    ]
    with _deep_recursion():
        prepared, laps["saturate"] = saturate_for(jobs, level)
    compiled: list[CompiledKernel] = []
    for job, machine in zip(jobs, machines, strict=True):
        found, report, proof = _compile(job, level, prepared, "generic" in peers, laps)
        text = machine_text(machine) if isinstance(machine, Machine) else machine_file(machine)
        compiled.append(CompiledKernel(found, report, proof, _source(source), text))
        if progress:
            progress(len(compiled), len(jobs), job.machine.name)
    return compiled


def _check_names(machines: Sequence[Machine]) -> None:
    names = [machine.name for machine in machines]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"machine {name} is named twice", hint="name each machine of the list once"
            )


def _compile(
    job: Job, effort: Effort, prepared: Prepared, generic: bool, laps: Mapping[str, float]
) -> tuple[Search, dict[str, Any], Mapping[str, Any]]:
    """One machine's program, its report and its proof; ``laps``: seconds of what came before."""
    started = time.monotonic()
    with _deep_recursion():
        found = search(job, effort, prepared)
        plain = baseline(job) if generic else None
    seconds = {**laps, **found.seconds}
    if plain is not None:
        seconds |= plain.seconds
        if plain.best.score(job.objective) < found.best.score(job.objective):
            found = replace(plain, tried=found.tried)  # the plainest program is a program too
    found.seconds = seconds
    verdict = check(
        job.kernel,
        found.best.runner,
        mode=job.mode,  # type: ignore[arg-type]
        eps=_epsilon(job.kernel) if job.mode == "approx" else 0.0,
    )
    proof = prove_program(found, job)
    report = make_report(job, found, plain.best if plain else None, verdict, proof)
    run, computed = found.best.runner.over, computed_results(proof)
    field = field_check(job.kernel, run, computed, mode=job.mode)
    report["field_check"] = field.agrees
    report["checks"].append(_field_row(field))
    spent = sum(laps.values()) + time.monotonic() - started
    report["seconds"]["total"] = round(spent, 3)
    return found, report, proof


@contextmanager
def _deep_recursion() -> Generator[None]:
    """Loop trees of unrolled source are built by recursion, as deep as its chains of operations."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEEPEST_RECURSION))
    try:
        yield
    except RecursionError as error:
        raise LoweringError(
            "the kernel's operations depend on each other in too long a chain",
            hint="keep long loops as loops: oxegg.fori instead of Python's for",
        ) from error
    finally:
        sys.setrecursionlimit(before)


def _source(source: Source) -> dict[str, str | None]:
    """The file that a kernel comes from, and its SHA-256."""
    name: str | None = None
    if isinstance(source, str | Path):
        name = str(source)
        path, _, kernel = name.rpartition(":")
        name = path if path and kernel.isidentifier() else name
    elif not isinstance(source, Kernel):
        name = getattr(getattr(source, "__code__", None), "co_filename", None)
    if name is None or not Path(name).is_file():
        return {"file": None, "sha256": None}
    return {"file": name, "sha256": sha256(Path(name).read_bytes())}


def _epsilon(kernel: Kernel) -> float:
    types = [o.value.type for o in kernel.outputs if o.value.type.is_float]
    return APPROXIMATION_ULPS * max((t.unit_roundoff for t in types), default=0.0)


def make_report(
    job: Job, found: Search, generic: Trial | None, verdict: Verdict, proof: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of report.json (docs: the contract with users)."""
    best, prepared = found.best, found.prepared
    choice = best.candidate.choice
    roof = kernel_roofline(prepared.graph, choice.nodes, choice.program, job.machine, found.place)
    solution, saturated = choice.solution, prepared.saturated
    return {
        "kernel": job.kernel.name,
        "size": _sizes(job.kernel),
        "machine": job.machine.name,
        "mode": job.mode,
        "place": found.place,
        "banked": sorted(best.runner.program.banked),
        "objective": job.objective,
        "correct": verdict.correct,
        "error_over_bound": verdict.error_over_bound,
        "field_check": None,
        "cycles": best.result.cycles,
        "instructions": best.result.instructions,
        "cycles_generic": generic.result.cycles if generic else None,
        "instructions_generic": generic.result.instructions if generic else None,
        "roofline_cycles": roof.cycles,
        "roofline_limit": roof.limit,
        "lower_bound_cycles": roof.cycles,
        "predicted_cycles": round(best.predicted),
        "cycles_peer": {},
        "instructions_peer": {},
        "extraction": {
            "cost": solution.cost,
            "bound": solution.lower_bound,
            "status": solution.status,
            "method": solution.method,
            "seconds": round(solution.seconds, 4),
        },
        "loops": [loop.row for loop in best.code.loops],
        "egraph": {
            "nodes": saturated.rows,
            "classes": saturated.classes,
            "stopped_by": saturated.stopped_by,
            "stale_rules": saturated.stale,
            "busiest_rule": _busiest(saturated.matches),
            "growth": [
                {"phase": g.phase, "nodes": g.rows, "classes": None} for g in saturated.growth
            ],
        },
        "engines": _engines(best),
        "stalls": dict(best.result.stalls),
        "rules": _needed_rules(proof, found, job),
        "proof": proof["status"],
        "program": best.candidate.label,
        "engine": best.engine,
        "nests": [str(nest) for nest in best.nests],
        "tried": [
            {
                "program": t.candidate.label,
                "engine": t.engine,
                "nests": [str(n) for n in t.nests],
                "predicted": round(t.predicted),
                "cycles": t.result.cycles,
            }
            for t in found.tried
        ],
        "spills": best.code.statistics.spills,
        "checks": _checks(verdict),
        "failures": [str(failure) for failure in verdict.failures],
        "assumptions": ASSUMPTIONS[job.mode],
        "seconds": {**found.seconds},
        "peak_memory_mb": peak_memory_mb(),
    }


def _busiest(matches: Mapping[str, int]) -> dict[str, Any] | None:
    """The rule of the algebra that matched most, and its share of all their matches."""
    counts: Counter[str] = Counter()
    for full, count in matches.items():
        rule, at, _ = full.partition("@")
        if at:
            counts[rule.removesuffix("<-")] += count
    if not counts.total():
        return None
    ((name, most),) = counts.most_common(1)
    return {"name": name, "matches": most, "share": round(most / counts.total(), 4)}


def _needed_rules(proof: Mapping[str, Any], found: Search, job: Job) -> list[str]:
    """The rules that the chain needs; all that fired where no chain was found."""
    if proof["status"] == "proved":
        return list(proof["rules"])
    matches = found.prepared.saturated.matches
    return sorted({rule.name for rule, _ in fired(matches, job.rules)})


def _sizes(kernel: Kernel) -> dict[str, int]:
    return {a.name: a.size for term in kernel.inputs for a in term.attributes[1]}


def _engines(best: Trial) -> dict[str, float]:
    """Busy share of each engine: its busiest unit."""
    engines = ("scalar", "vector", "tensor", "near_memory", "dma")
    shares: dict[str, float] = {engine: 0.0 for engine in engines}
    for unit, share in best.result.units.items():
        engine = _ENGINE_OF_UNIT.get(unit, "scalar")
        shares[engine] = max(shares[engine], round(share, 4))
    return shares


def _field_row(verdict: FieldVerdict) -> dict[str, Any]:
    """``passed`` is None where the fields have no meaning for a kernel, and the detail says why."""
    detail = f"not run: {verdict}" if verdict.agrees is None else str(verdict)
    return {"name": FIELD_CHECK, "passed": verdict.agrees, "detail": detail}


def _checks(verdict: Verdict) -> list[dict[str, Any]]:
    detail = f"{verdict.points} elements compared, {verdict.excluded} left open by the source"
    return [{"name": "emitted code on the simulator", "passed": verdict.correct, "detail": detail}]
