"""Evidence for many rules at once: on worker processes, with what is known already kept."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from oxegg.ir.types import TYPES, ElementType
from oxegg.rule_lab.ladder import Judgement, Tested, check, judge, prover_digest
from oxegg.rules.evidence import FILE, Evidence, digest, evidence_file, instance_name, kept, write
from oxegg.rules.pattern import Rule

Tick = Callable[[int, int, str], None]
Kind = Literal["rule", "vector", "scalar"]
CHUNK, RENEWED = 4, 200
"""Tasks given out at once, and in a worker's life: the solver's memory only grows."""


@dataclass(frozen=True)
class Subject:
    """Something that evidence is about: an instance of a rule, or a form of an engine.

    ``number`` and ``type`` pick it: a rule of the campaign's list, or an engine's obligation.
    """

    name: str
    kind: Kind
    number: int
    digest: str
    file: Path
    type: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a campaign found out about one subject; ``known`` when nothing had to be done."""

    subject: Subject
    judgement: Judgement
    known: bool


def rule_subjects(rules: Sequence[Rule]) -> Iterator[Subject]:
    for number, rule in enumerate(rules):
        for type_ in rule.types:
            yield Subject(instance_name(rule, type_), "rule", number, digest(rule, type_),
                          evidence_file(rule), str(type_))  # fmt: skip


def engine_subjects() -> Iterator[Subject]:
    """Instruction selection and the scalar engine's code: derived from tables, held to records."""
    for kind, rows in _obligations().items():
        for number, row in enumerate(rows):
            yield Subject(row.name, kind, number, row.digest, FILE)


def prove_all(
    subjects: Sequence[Subject],
    rules: Sequence[Rule],
    *,
    seconds: float = 10.0,
    jobs: int = 2,
    again: bool = False,
    tick: Tick = lambda done, total, name: None,
) -> list[Outcome]:
    """Evidence for every subject, from the files or made now, and written to the files.

    ``again`` disregards what is known. A file keeps what it says about subjects that aren't asked
    for, as long as these are up to date.
    """
    outcomes: list[Outcome] = []
    open_: list[Subject] = []
    for subject in subjects:
        found = kept(subject.file).get(subject.name)
        fresh = found is not None and found.digest == subject.digest
        fresh = fresh and found is not None and found.prover in ("", prover_digest(subject.kind))
        if found is not None and fresh and found.verdict != "refuted" and not again:
            outcomes.append(Outcome(subject, Judgement(found), known=True))
        else:
            open_.append(subject)
    tasks = [(s, rules[s.number] if s.kind == "rule" else None, seconds) for s in open_]
    for subject, judgement in _parallel(_judge, tasks, jobs, tick):
        outcomes.append(Outcome(subject, judgement, known=False))
    if open_:
        _keep(outcomes)
    return sorted(outcomes, key=lambda o: o.subject.name)


def check_all(
    rules: Sequence[Rule], *, points: int = 1024, jobs: int = 2, tick: Tick | None = None
) -> list[tuple[Rule, ElementType, Tested]]:
    """Rungs 3 and 4 for every instance; the evidence files stay as they are."""
    tasks = [(rule, type_, points) for rule in rules for type_ in rule.types]
    found = _parallel(_check, tasks, jobs, tick or (lambda done, total, name: None))
    return sorted(found, key=lambda row: (row[0].name, row[1].name))


def _parallel(
    function: Callable[[Any], Any], tasks: Sequence[Any], jobs: int, tick: Tick
) -> Iterator[Any]:
    if len(tasks) < 8 or jobs == 1:
        for done, task in enumerate(tasks):
            tick(done, len(tasks), "")
            yield function(task)
        return
    # Workers start before the solver is loaded: each has a context of its own.
    context = multiprocessing.get_context("fork")
    with context.Pool(jobs, maxtasksperchild=RENEWED // CHUNK) as pool:
        for done, result in enumerate(pool.imap_unordered(function, tasks, chunksize=CHUNK)):
            tick(done + 1, len(tasks), "")
            yield result


def _check(task: tuple[Rule, ElementType, int]) -> tuple[Rule, ElementType, Tested]:
    rule, type_, points = task
    # The reference's float64 multiply-adds are exact rationals: slow.
    return rule, type_, check(rule, type_, points=points // 4 if type_.bits == 64 else points)


def _judge(task: tuple[Subject, Rule | None, float]) -> tuple[Subject, Judgement]:
    subject, rule, seconds = task
    prover = prover_digest(subject.kind)
    if rule is not None:
        return subject, judge(rule, TYPES[subject.type], prover=prover, seconds=seconds)
    from oxegg.rule_lab.scalar_proof import ScalarObligation, prove_scalar
    from oxegg.rule_lab.selection_proof import prove_selection

    row = _obligations()[subject.kind][subject.number]
    scalar = isinstance(row, ScalarObligation)
    prove = prove_scalar if scalar else prove_selection
    found = prove(row, seconds=seconds)
    if found.answer == "unknown":  # a division: ask once more with more time
        found = prove(row, seconds=6 * seconds)
    how = "z3, the ISA records to the bit"
    return subject, Judgement(Evidence(subject.digest, found.answer, how, 0, prover))


_ROWS: dict[Kind, list[Any]] = {}


def _obligations() -> dict[Kind, list[Any]]:
    if not _ROWS:
        from oxegg.rule_lab.scalar_proof import scalar_obligations
        from oxegg.rule_lab.selection_proof import obligations

        _ROWS["vector"] = list(obligations())
        _ROWS["scalar"] = list(scalar_obligations())
    return _ROWS


def _keep(outcomes: Sequence[Outcome]) -> None:
    """Write the files; rows about what no longer exists are dropped when everything was asked."""
    for file in {o.subject.file for o in outcomes}:
        rows = dict(kept(file))
        rows |= {o.subject.name: o.judgement.evidence for o in outcomes if o.subject.file == file}
        if any(not o.known for o in outcomes if o.subject.file == file):
            write(file, rows)


def forget_absent(subjects: Sequence[Subject]) -> None:
    """Drop evidence about rules and forms that aren't there any more."""
    for file in {s.file for s in subjects}:
        names = {s.name for s in subjects if s.file == file}
        rows = {name: row for name, row in kept(file).items() if name in names}
        if len(rows) != len(kept(file)):
            write(file, rows)
