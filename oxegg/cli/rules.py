"""``oxegg rules``: the rule lab."""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from oxegg.cli import study_rules
from oxegg.cli.options import add_common_options, at_least_one, duration
from oxegg.cli.output import progress, put_json, show, table
from oxegg.errors import UsageError
from oxegg.ir.types import TYPES, ElementType
from oxegg.rules import all_rules
from oxegg.rules.evidence import current
from oxegg.rules.load import load_all
from oxegg.rules.pattern import Rule, check_name
from oxegg.rules.text import rule_text
from oxegg.rules.wellformed import check_rules, variable_types

EXAMPLE = """\
  oxegg rules list integers
  oxegg rules check --rules my_rules.py
  oxegg rules prove algebra.factor-int
  oxegg rules check integers.abs-int --at i8 x=0x80"""
REFUTED, REFUSED, UNKNOWN = 1, 2, 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs of ``oxegg rules``."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    def verb(name: str, help_: str, run: object) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.")
        added.set_defaults(run=run)
        add_common_options(added)
        added.add_argument(
            "--rules", action="append", default=[], metavar="FILE", help="also this rule file"
        )
        return added

    listing = verb("list", "name, algebra, class and evidence of rules", _list)
    listing.add_argument("pattern", nargs="?", default="", help="part of a name, or a family")
    listing.add_argument("--unproved", action="store_true", help="only without proof or exhaustion")
    listing.add_argument("--md", action="store_true", help="as a Markdown table")
    checker = verb("check", "well-formed, and right on corner and random values", _check)
    checker.add_argument("names", nargs="*", metavar="NAME")
    checker.add_argument(
        "--at", nargs="+", metavar=("TYPE", "x=VALUE"), help="replay one input at this type"
    )
    prover = verb("prove", "evidence for rules and instruction selection, kept in a file", _prove)
    prover.add_argument("names", nargs="*", metavar="NAME")
    prover.add_argument("--timeout", type=duration, default=10.0, metavar="S", help="per question")
    prover.add_argument("-j", "--jobs", type=at_least_one, default=2)
    prover.add_argument("--again", action="store_true", help="disregard what is known")
    study_rules.configure(verb)
    new = verb("new", "append a row to a rule file, and a kernel test", _new)
    new.add_argument("name", metavar="FAMILY.NAME")
    watcher = verb("watch", "check the rules of a file whenever it changes", _watch)
    watcher.add_argument("--times", type=int, default=0, help="stop after so many checks")


def selected(names: Sequence[str], files: Sequence[str]) -> list[Rule]:
    """Rules by name, family or part of a name, among oxegg's and those of ``files``."""
    own = load_all(files)
    rules = own if files and not names else [*all_rules(), *own]
    found: list[Rule] = []
    for name in names:
        exact = [r for r in rules if name in (r.name, r.family)]
        matches = exact or [r for r in rules if name in r.name]
        if not matches:
            raise UsageError(f"there is no rule {name!r}", hint="`oxegg rules list` shows them all")
        found += [r for r in matches if r not in found]
    return found if names else rules


# ------------------------------------------------------------------ list


def _list(arguments: argparse.Namespace) -> int:
    rules = selected([arguments.pattern] if arguments.pattern else [], arguments.rules)
    rows = [_row(rule) for rule in rules]
    if arguments.unproved:
        rows = [row for row in rows if row["evidence"] not in ("proved", "exhaustive")]
    if put_json(rows, arguments.json):
        return 0
    columns = ("name", "algebra", "class", "types", "evidence")
    cells = [tuple(str(row[column]) for column in columns) for row in rows]
    if arguments.md:
        show(*("| " + " | ".join(line) + " |" for line in (columns, ("---",) * 5, *cells)))
    else:
        show(table(columns, cells), f"{len(rows)} rules")
    return 0


def _row(rule: Rule) -> dict[str, object]:
    evidence = [current(rule, type_) for type_ in rule.types]
    weakest = "none"
    if all(e is not None for e in evidence):
        order = ("refuted", "no semantics", "unknown", "tested", "exhaustive", "proved")
        found = [e for e in evidence if e is not None]
        weakest = str(min(found, key=lambda e: (order.index(e.verdict), e.samples)))
    algebra = rule_text(rule)
    return {
        "name": rule.name,
        "algebra": algebra if len(algebra) < 90 else rule.doc,
        "class": rule.kind,
        "types": " ".join(map(str, rule.types)),
        "evidence": weakest,
        "doc": rule.doc,
        "where": rule.where,
        "error_ulps": rule.error_ulps,
    }


# ------------------------------------------------------------------ check


def _check(arguments: argparse.Namespace) -> int:
    from oxegg.rule_lab.campaign import check_all
    from oxegg.rule_lab.messages import refutation

    if arguments.at:
        return _replay(arguments)
    started = time.monotonic()
    rules = selected(arguments.names, arguments.rules)
    check_rules(rules)
    with progress("checking") as tick:
        found = check_all(rules, tick=tick)
    refuted = [row for row in found if row[2].failure is not None]
    rows = [
        {"rule": r.name, "type": str(t), "samples": x.samples, "exhaustive": x.exhaustive,
         "refuted": x.failure is not None}
        for r, t, x in found
    ]  # fmt: skip
    if not put_json(rows, arguments.json):
        show(*(refutation(r, t, x.failure) for r, t, x in refuted if x.failure is not None))
        exhausted = sum(x.exhaustive for _, _, x in found)
        show(
            f"{len(rules)} rules, {len(found)} instances: {len(refuted)} refuted, {exhausted} tried"
            f" on every input, in {time.monotonic() - started:.1f} s"
        )
    return REFUTED if refuted else 0


def _replay(arguments: argparse.Namespace) -> int:
    """One input of one rule: the values of both sides."""
    from oxegg.rule_lab.instances import POINTS, both_sides, instantiate
    from oxegg.rule_lab.ladder import differing
    from oxegg.rule_lab.messages import refutation, value_text

    at, *values = arguments.at
    words = [*arguments.names, *values]
    names = [word for word in words if "=" not in word]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    (rule, *others) = selected(names, arguments.rules)
    type_ = TYPES.get(at)
    if others or not names or type_ is None or type_ not in rule.types:
        raise UsageError("a replay needs one rule, and one of its types",
                         hint="oxegg rules check integers.abs-int --at i8 x=0x80")  # fmt: skip
    wanted = variable_types(rule, type_)
    if given.keys() != wanted.keys():
        raise UsageError(f"{rule.name} has the variables {', '.join(wanted)}")
    arrays = {name: _input(name, given[name], of) for name, of in wanted.items()}
    sides = instantiate(rule, type_, {POINTS: 1})
    found = differing(rule, type_, sides, arrays)
    if found is None:
        left, right = both_sides(sides, arrays)
        show(f"{rule.name} holds there: {value_text(left[0])} and {value_text(right[0])}")
        return 0
    show(refutation(rule, type_, found))
    return REFUTED


def _input(
    name: str, text: str, type_: ElementType
) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    """A bit pattern (``0xff``) or a number, as one element."""
    try:
        if text.startswith("0x"):
            raw = int(text, 16).to_bytes(type_.bytes, "little")
            return np.frombuffer(raw, type_.numpy)
        return np.array([float(text) if type_.is_float else int(text)]).astype(type_.numpy)
    except (ValueError, OverflowError):
        raise UsageError(f"{name}={text} is no {type_}", hint=f"write {name}=0x7f") from None


# ------------------------------------------------------------------ prove


def _prove(arguments: argparse.Namespace) -> int:
    from oxegg.rule_lab.campaign import (
        engine_subjects,
        forget_absent,
        prove_all,
        rule_subjects,
    )

    started = time.monotonic()
    rules = selected(arguments.names, arguments.rules)
    check_rules(rules)
    subjects = list(rule_subjects(rules))
    everything = not arguments.names and not arguments.rules
    if everything:
        subjects += engine_subjects()
        forget_absent(subjects)
    with progress("proving") as tick:
        outcomes = prove_all(
            subjects, rules, seconds=arguments.timeout, jobs=arguments.jobs,
            again=arguments.again, tick=tick,
        )  # fmt: skip
    verdicts = Counter(o.judgement.evidence.verdict for o in outcomes)
    rows = [
        {"name": o.subject.name, "verdict": o.judgement.evidence.verdict,
         "by": o.judgement.evidence.by, "samples": o.judgement.evidence.samples, "known": o.known}
        for o in outcomes
    ]  # fmt: skip
    if not put_json(rows, arguments.json):
        _show_outcomes(outcomes, rules, verdicts, time.monotonic() - started)
    if verdicts["refuted"]:
        return REFUTED
    return UNKNOWN if verdicts["unknown"] or verdicts["no semantics"] else 0


def _show_outcomes(
    outcomes: Sequence[object], rules: Sequence[Rule], verdicts: Counter[str], seconds: float
) -> None:
    from oxegg.rule_lab.campaign import Outcome
    from oxegg.rule_lab.messages import refutation

    weak: list[tuple[str, str, str]] = []
    known = 0
    for outcome in outcomes:
        assert isinstance(outcome, Outcome)
        evidence, subject = outcome.judgement.evidence, outcome.subject
        known += outcome.known
        if outcome.judgement.counterexample is not None:
            rule = rules[subject.number]
            show(refutation(rule, TYPES[subject.type], outcome.judgement.counterexample))
        elif evidence.verdict not in ("proved", "exhaustive"):
            weak.append((subject.name, str(evidence), evidence.by))
    if weak:
        show(table(("neither proved nor exhausted", "verdict", "by"), weak))
    total = sum(verdicts.values())
    strong = verdicts["proved"] + verdicts["exhaustive"]
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    show(f"{total} instances: {counts}; {100 * strong / max(total, 1):.1f} % proved or exhaustive"
         f" ({known} known before, {seconds:.1f} s)")  # fmt: skip


# ------------------------------------------------------------------ new, watch

_HEAD = '''"""Rules of my own."""

from oxegg.ir.types import INTEGERS
from oxegg.rules.pattern import Family, apply, constant, variables

FAMILY = Family("{family}")
rule = FAMILY.rule
x, y, z = variables("x y z")
'''
_ROW = """
rule("{name}", {left}, {right}, kind="exact", types=INTEGERS, doc="{left} = {right}")
"""
_EXAMPLES = (("(x | y) & x", "x"), ("-(x - y)", "y - x"), ("(x & y) | x", "x"), ("x ^ y ^ y", "x"))
_TEST = '''"""Rules of {file}: right on corner values, and proved."""

from oxegg.rule_lab.ladder import check, prove
from oxegg.rules.load import load_rules


def test_{identifier}() -> None:
    rule = next(r for r in load_rules("{file}") if r.name == "{full}")
    for type_ in rule.types:
        assert check(rule, type_, points=1000).failure is None
        assert prove(rule, type_, seconds=10)[0] == "proved"
'''


def _new(arguments: argparse.Namespace) -> int:
    family, dot, name = arguments.name.partition(".")
    if not (dot and family and name):
        raise UsageError(
            f"{arguments.name!r} is not FAMILY.NAME", hint="oxegg rules new mine.absorb"
        )
    file = Path(arguments.rules[0] if arguments.rules else f"{family.replace('-', '_')}_rules.py")
    check_name(arguments.name)
    known = load_all([file]) if file.exists() else []
    if any(r.name == arguments.name for r in known):
        raise UsageError(f"{arguments.name} is already there", where=str(file))
    text = file.read_text() if file.exists() else _HEAD.format(family=family)
    # Rows that are not edited yet mustn't say the same.
    left, right = _EXAMPLES[len(known) % len(_EXAMPLES)]
    file.write_text(text + _ROW.format(name=name, left=left, right=right))
    identifier = arguments.name.replace(".", "_").replace("-", "_")
    test = file.with_name(f"test_{identifier}.py")
    test.write_text(_TEST.format(file=file, identifier=identifier, full=arguments.name))
    if not put_json({"rules": str(file), "test": str(test)}, arguments.json):
        show(f"appended a row to {file}: edit it, then `oxegg rules check --rules {file}`",
             f"a test of it: {test}")  # fmt: skip
    return 0


def _watch(arguments: argparse.Namespace) -> int:
    """Poll modification times; check what changed. What the last check found is the exit code."""
    if not arguments.rules:
        raise UsageError("nothing to watch", hint="oxegg rules watch --rules my_rules.py")
    files = [Path(f) for f in arguments.rules]
    for file in files:
        if not file.is_file():
            raise UsageError("there is no such rule file", where=str(file),
                             hint="`oxegg rules new mine.absorb` writes one")  # fmt: skip
    seen: dict[Path, float] = {}
    checks = status = 0
    while not arguments.times or checks < arguments.times:
        changed = [f for f in files if f.exists() and seen.get(f) != f.stat().st_mtime]
        for file in changed:
            seen[file] = file.stat().st_mtime
            checks += 1
            status = _check_file(file)
        time.sleep(0.0 if arguments.times and checks >= arguments.times else 0.3)
    return status


def _check_file(file: Path) -> int:
    from oxegg.errors import RuleError
    from oxegg.rule_lab.campaign import check_all
    from oxegg.rule_lab.messages import refutation

    try:
        rules = load_all([file])
    except RuleError as error:
        show(str(error))
        return REFUSED
    failed = [row for row in check_all(rules, jobs=1) if row[2].failure is not None]
    show(*(refutation(r, t, x.failure) for r, t, x in failed if x.failure is not None))
    show(f"{file}: {len(rules)} rules, {len(failed)} instances refuted")
    return REFUTED if failed else 0
