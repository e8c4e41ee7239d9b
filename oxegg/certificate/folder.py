"""Re-checking a compiled folder from its files alone, in seconds.

The certificate's own bytes, the hashes of every file, the chain of rules, the evidence of each rule
in it, and the machine code: run again on the simulator, on the recorded seeds, against the kernel
that the certificate states. egglog takes no part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.certificate.checker import check_chains
from oxegg.certificate.computable import computed_results
from oxegg.certificate.object_text import text_section
from oxegg.certificate.terms import Node, Terms
from oxegg.costmodels import Machine, load_machine
from oxegg.emit.banked import BankLayout
from oxegg.errors import OxeggError, UsageError, VerificationError
from oxegg.ir import Kernel, Term, parse, pointwise
from oxegg.ir.types import BOOL, TYPES, U8
from oxegg.rules import all_rules
from oxegg.rules.evidence import current, sufficient
from oxegg.rules.load import load_all
from oxegg.rules.pattern import Rule
from oxegg.sim import Buffer, Turns, call
from oxegg.sim.domain import Domain
from oxegg.verify import FIELD_CHECK, check, field_check, input_sets

Array = npt.NDArray[Any]
FORMAT = 5
REPORTED = (
    "kernel", "machine", "mode", "place", "cycles", "instructions", "extraction", "loops", "checks",
    "error_over_bound", "assumptions",
)  # fmt: skip
"""The fields that a certificate repeats from the report."""
UNPROVED = "none"  # in place of a verdict
NAME, MACHINE_FILE = "certificate.json", "machine.toml"
MOST_SETS = 3  # input sets that a re-check runs
APPROXIMATION_ULPS = 16


@dataclass(frozen=True)
class Finding:
    """One thing that was checked, and what came out."""

    name: str
    detail: str


def render(certificate: Mapping[str, Any]) -> bytes:
    """The bytes of a certificate; its last field is the digest of all others."""
    plain = {k: v for k, v in certificate.items() if k != "digest"}
    text = json.dumps(plain, indent=1, sort_keys=True)
    return json.dumps({**plain, "digest": sha256(text.encode())}, indent=1).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def check_folder(folder: Path, rule_files: Sequence[str] = ()) -> list[Finding]:
    """Everything that the certificate in ``folder`` claims, checked again.

    Raises :class:`oxegg.errors.VerificationError` for the first claim that doesn't hold, and
    ``UsageError`` where there is no certificate.
    """
    file = folder / NAME
    if not file.is_file():
        raise UsageError(f"there is no {NAME}", where=str(folder),
                         hint="give a folder that `oxegg compile` wrote")  # fmt: skip
    raw = file.read_bytes()
    try:
        certificate: dict[str, Any] = json.loads(raw)
        if render(certificate) != raw:
            raise VerificationError("the certificate isn't as it was written", where=str(file))
        if (written := certificate["format"]) != FORMAT:
            raise VerificationError(f"the certificate has format {written}, not {FORMAT}",
                                    hint="compile the kernel again")  # fmt: skip
        findings = [Finding("certificate", f"{len(raw)} bytes, as written")]
        for part in _PARTS:
            findings.append(part(folder, certificate, rule_files))
    except VerificationError as error:
        where = error.where or str(file)
        raise VerificationError(error.message, where=where, hint=error.hint) from error
    except (KeyError, TypeError, ValueError, AttributeError, OxeggError) as error:
        raise VerificationError(f"the certificate is garbled: {error}", where=str(file)) from error
    return findings


def _files(folder: Path, certificate: Mapping[str, Any], rule_files: Sequence[str]) -> Finding:
    del rule_files
    hashes: Mapping[str, str] = certificate["files"]
    for name, expected in hashes.items():
        file = folder / name
        if not file.is_file() or sha256(file.read_bytes()) != expected:
            raise VerificationError("the file isn't as it was written", where=str(file))
    needed = {f"{certificate['kernel']}.o", f"{certificate['kernel']}.s", MACHINE_FILE}
    if not needed <= hashes.keys():
        raise VerificationError("the certificate doesn't cover the machine code")
    return Finding("files", f"{len(hashes)} files have the recorded SHA-256")


def _source(folder: Path, certificate: Mapping[str, Any], rule_files: Sequence[str]) -> Finding:
    del folder, rule_files
    source: Mapping[str, Any] = certificate["source"]
    file = Path(source["file"]) if source.get("file") else None
    if file is None or not file.is_file():
        return Finding("source", "not here; the kernel's text in the certificate was used")
    if sha256(file.read_bytes()) != source["sha256"]:
        raise VerificationError("the kernel's source has changed since", where=str(file))
    return Finding("source", f"{file} has the recorded SHA-256")


def _chain(folder: Path, certificate: Mapping[str, Any], rule_files: Sequence[str]) -> Finding:
    del folder
    proof, mode = certificate["proof"], certificate["mode"]
    if proof["status"] != "proved":
        return Finding("rules", f"no chain of rules ({proof['status']}); the tests stand alone")
    rules = {rule.name: rule for rule in [*all_rules(), *load_all(rule_files)]}
    terms = Terms()
    kernel = parse(certificate["text"])
    used = check_chains(proof, _sources(kernel, terms), terms, rules, mode)
    if used != sorted([*proof["rules"], *proof["laws"]]):
        raise VerificationError("the chain uses other rules than it says")
    named = [step for chain in proof["chains"] for step in chain if step.get("by")]
    instances = {f"{step['by']}@{step['type']}" for step in named if "type" in step}
    _evidence(instances, proof["evidence"], rules, mode)
    return Finding("rules", f"{len(named)} steps by {len(used)} rules lead from kernel to program")


def _sources(kernel: Kernel, terms: Terms) -> list[Node]:
    values = [out.value for out in kernel.outputs]
    return terms.of([pointwise("convert", v, to=U8) if v.type is BOOL else v for v in values])


def _evidence(
    used: set[str], recorded: Mapping[str, Any], rules: Mapping[str, Rule], mode: str
) -> None:
    if used != set(recorded):
        others = ", ".join(sorted(used ^ set(recorded)))
        raise VerificationError(f"rules of the chain and evidence don't match: {others}")
    for name, row in recorded.items():
        rule_name, _, type_ = name.rpartition("@")
        rule = rules[rule_name]
        if row["verdict"] == UNPROVED:
            raise VerificationError(f"{name} was used without evidence",
                                    hint="compiled with --unproved")  # fmt: skip
        found = current(rule, TYPES[type_])
        if found is None or (found.digest, found.verdict) != (row["digest"], row["verdict"]):
            raise VerificationError(f"the evidence for {name} is not what the rules have now")
        if not sufficient(found, mode, rule):
            raise VerificationError(f"the evidence for {name} isn't enough for mode {mode}")


def _bounds(folder: Path, certificate: Mapping[str, Any], rule_files: Sequence[str]) -> Finding:
    del rule_files
    report = json.loads((folder / "report.json").read_text())
    for field in REPORTED:
        if report[field] != certificate[field]:
            raise VerificationError(f"report.json says something else about {field}")
    for loop in certificate["loops"]:
        ii, bound, status = (loop[field] for field in ("ii", "bound", "status"))
        if None not in (ii, bound) and (bound > ii or (status == "optimal" and bound != ii)):
            raise VerificationError(f"loop {loop['label']}: {ii} cycles, bound {bound}, {status}")
    extraction = certificate["extraction"]
    cost, bound = extraction["cost"], extraction["bound"]
    if bound is not None and bound > cost * (1 + 1e-9):
        raise VerificationError("the extraction costs less than its bound")
    if extraction["status"] == "optimal" and (bound is None or cost > bound * (1 + 1e-6)):
        raise VerificationError("the extraction is called optimal without a bound that says so")
    gap = "unknown" if certificate["gap"] is None else f"{100 * certificate['gap']:.1f} %"
    return Finding("bounds", f"extraction {extraction['status']}, gap {gap}")


def _code(folder: Path, certificate: Mapping[str, Any], rule_files: Sequence[str]) -> Finding:
    """The bytes of the object file on the simulator, against the kernel's text."""
    del rule_files
    run = _Run.of(folder, certificate)
    kernel = run.kernel
    mode, points = certificate["mode"], 0
    first: list[Array] = []
    roundoffs = [o.value.type.unit_roundoff for o in kernel.outputs if o.value.type.is_float]
    eps = APPROXIMATION_ULPS * max(roundoffs, default=0.0) if mode == "approx" else 0.0
    for seed in certificate["seeds"]:
        sets = input_sets(kernel, seed=seed, nonfinite=mode == "exact", count=MOST_SETS)
        verdict = check(kernel, run, mode=mode, eps=eps, seed=seed, sets=sets)
        if not verdict.correct:
            raise VerificationError(f"the machine code is wrong: {verdict.failures[0]}")
        points += verdict.points
        first = [sets[0].arrays[term.attributes[0]] for term in kernel.inputs]
    cycles = run.cycles(first)
    if cycles != certificate["cycles"]:
        raise VerificationError(f"{cycles} cycles simulated, {certificate['cycles']} recorded")
    return Finding("machine code", f"{points} elements right, {cycles} cycles as recorded")


def _fields(folder: Path, certificate: Mapping[str, Any], rule_files: Sequence[str]) -> Finding:
    """The same bytes over two prime fields, where a product of sums has only one value."""
    del rule_files
    run = _Run.of(folder, certificate)
    computed = computed_results(certificate["proof"])
    found = field_check(run.kernel, run.over, computed, mode=certificate["mode"])
    recorded = {row["name"]: row["passed"] for row in certificate["checks"]}
    if found.agrees is False or found.agrees is not recorded[FIELD_CHECK]:
        raise VerificationError(f"over two prime fields: {found.agrees}, not as recorded")
    return Finding("prime fields", str(found))


@dataclass(frozen=True)
class _Run:
    """Machine code under the standard calling convention; ``scratch``: bytes and place."""

    kernel: Kernel
    machine: Machine
    code: bytes
    place: str
    scratch: tuple[int, Any]
    banked: Mapping[str, BankLayout]

    @classmethod
    def of(cls, folder: Path, certificate: Mapping[str, Any]) -> _Run:
        return cls(
            parse(certificate["text"]),
            load_machine(folder / MACHINE_FILE),
            text_section((folder / f"{certificate['kernel']}.o").read_bytes()),
            certificate["place"],
            (certificate["scratch_bytes"], certificate["scratch_place"]),
            {name: BankLayout.of(fields) for name, fields in certificate["banked"].items()},
        )

    def arguments(self, inputs: Sequence[Array]) -> list[Any]:
        given: list[Any] = []
        for term, value in zip(self.kernel.inputs, inputs, strict=True):
            stored = value.astype(np.uint8) if value.dtype == np.bool_ else value
            if term.axes:
                given.append(self._placed(term.attributes[0], np.ascontiguousarray(stored)))
            else:
                given.append(_stored_type(term).type(value))
        for output in self.kernel.outputs:
            size = int(np.prod([axis.size for axis in output.layout], dtype=np.int64))
            given.append(self._placed(f"output {output.name}", size * output.value.type.bytes))
        if self.scratch[0]:
            given.append(Buffer(*self.scratch))
        return given

    def _placed(self, name: str, data: Array | int) -> Buffer:
        if name in self.banked:
            layout = self.banked[name]
            chunks = layout.bytes if isinstance(data, int) else layout.pack(data)
            turns = Turns(layout.offset, layout.chunk, layout.stride, layout.piece, layout.pitch)
            return Buffer(chunks, "near_memory", turns=turns)
        place: Any = self.place
        return Buffer(data, place)

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        return self.over(inputs, None)

    def over(self, inputs: Sequence[Array], domain: Domain | None) -> list[Array]:
        """The outputs, of a run over a number domain where one is given."""
        result = call(
            self.code, self.machine, self.arguments(inputs), timing=False, domain=domain
        )
        first = sum(bool(term.axes) for term in self.kernel.inputs)
        arrays: list[Array] = []
        for raw, output in zip(result.arrays[first:], self.kernel.outputs, strict=False):
            kind = output.value.type.numpy
            stored = np.dtype(np.uint8) if kind == np.bool_ else kind
            shape = [axis.size for axis in output.layout]
            data = np.asarray(raw).reshape(-1).view(np.uint8)
            layout = self.banked.get(f"output {output.name}")
            data = layout.unpack(data) if layout else data
            arrays.append(data.view(stored).astype(kind).reshape(shape))
        return arrays

    def cycles(self, inputs: Sequence[Array]) -> int | None:
        return call(self.code, self.machine, self.arguments(inputs), timing=True).cycles


def _stored_type(term: Term) -> np.dtype[Any]:
    return np.dtype(np.uint8) if term.type is BOOL else term.type.numpy


_PARTS: tuple[Callable[[Path, Mapping[str, Any], Sequence[str]], Finding], ...] = (
    _files,
    _source,
    _bounds,
    _chain,
    _code,
    _fields,
)
