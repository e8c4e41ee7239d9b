"""``oxegg rules cover``, ``blame``, ``implied`` and ``mine``: rules at work."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from oxegg.cli.options import add_machine_option, at_least_one, split_kernel
from oxegg.cli.output import progress, put_json, show, table
from oxegg.errors import UsageError
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import TYPES
from oxegg.rules import all_rules
from oxegg.rules.load import load_all
from oxegg.rules.pattern import Rule
from oxegg.rules.text import rule_text

AddVerb = Callable[[str, str, object], argparse.ArgumentParser]
DEFAULT_OPERATIONS = ("add", "sub", "and", "or", "xor")


def configure(verb: AddVerb) -> None:
    """Declare the verbs."""
    cover = verb("cover", "which rules matched, and which programs needed, on kernels", _cover)
    cover.add_argument(
        "kernels", nargs="+", metavar="FILE[:KERNEL]|ROW|SUITE", help="or rows of suites"
    )
    cover.add_argument("--effort", choices=("quick", "normal", "max"), default="quick")
    cover.add_argument("--md", action="store_true", help="as a Markdown table")
    cover.add_argument(
        "--alone", action="store_true", help="also whether the others match on their own left side"
    )
    add_machine_option(cover)
    culprit = verb("blame", "which rules make a kernel's e-graph grow", _blame)
    culprit.add_argument("kernel", metavar="FILE[:KERNEL]")
    culprit.add_argument("--mode", choices=("exact", "real", "approx"), default="real")
    derived = verb("implied", "whether a rule follows from the others", _implied)
    derived.add_argument("name", metavar="NAME")
    miner = verb("mine", "candidate rules: small equal terms, proved and not implied", _mine)
    miner.add_argument("operations", nargs="*", default=list(DEFAULT_OPERATIONS), metavar="OP")
    miner.add_argument("--type", default="i32", metavar="TYPE")
    miner.add_argument("--most", type=at_least_one, default=10, metavar="N")


def _cover(arguments: argparse.Namespace) -> int:
    import oxegg
    from oxegg.rule_lab import coverage

    more = load_all(arguments.rules)
    found = coverage.Coverage()
    sources = list(_sources(arguments.kernels))
    with progress("compiling") as tick:
        for number, (source, name) in enumerate(sources):
            tick(number, len(sources), name or "")
            compiled = oxegg.compile(
                source, kernel=name, machine=arguments.machine, effort=arguments.effort, peers=(),
                rules=arguments.rules)  # fmt: skip
            found.note(compiled, more)
    rules = [*all_rules(), *more]
    if arguments.alone:
        coverage.try_alone(found, rules)
    rows = coverage.table(rules, found)
    if put_json(rows, arguments.json):
        return 0
    columns = ("rule", "matches", "in kernels", "productive in", "needed by")
    idle = ("idle rule", "which no kernel has", "matches alone")
    _show_table(arguments.md, columns, [_cells(row) for row in rows if row["matches"]])
    if arguments.alone:
        _show_table(arguments.md, idle, [_idle_cells(row) for row in rows if not row["matches"]])
    count = sum(not row["matches"] for row in rows)
    show(f"{count} of {len(rows)} rules never matched on these {len(sources)} kernels")
    return 0


def _show_table(md: bool, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if md:
        show(*("| " + " | ".join(r) + " |" for r in (columns, ["---"] * len(columns), *rows)), "")
    else:
        show(table(columns, rows), "")


def _sources(words: Sequence[str]) -> Iterator[tuple[Any, str | None]]:
    """What to compile: rows of suites, or kernels of files."""
    from oxegg.frontend.suite import SUITES, load_suite

    rows = {row.name: row for suite in SUITES for row in load_suite(suite)}
    for word in words:
        if word in SUITES:
            yield from ((row.lower(), None) for row in load_suite(word))
        elif word in rows:
            yield rows[word].lower(), None
        else:
            path, name = split_kernel(word)
            yield path, name


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    needed = row["needed_by"]
    some = " ".join(needed[:3]) + (f" and {len(needed) - 3} more" if len(needed) > 3 else "")
    counts = (f"{row[column]:,}" for column in ("matches", "kernels", "productive"))
    return row["rule"], *counts, some


def _idle_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    missing = row["missing"] or "(all of it occurs, but not in this form)"
    return row["rule"], missing, "yes" if row["alone"] else "no"


def _blame(arguments: argparse.Namespace) -> int:
    from oxegg.frontend import lower
    from oxegg.rule_lab.study import blame

    path, name = split_kernel(arguments.kernel)
    more = load_all(arguments.rules)
    found = blame(lower(path, name, {}), arguments.mode, more)
    ranked = sorted(found.without, key=lambda rule: -found.share(rule))
    rows = [
        {"rule": r, "matches": found.whole.matches[r], "rows_without": found.without[r].rows[-1],
         "share": round(found.share(r), 4)}
        for r in ranked
    ]  # fmt: skip
    if put_json({"rows": found.whole.rows, "rules": rows}, arguments.json):
        return 0
    growth = " ".join(f"{n:,}" for n in found.whole.rows)
    show(f"rows by iteration: {growth}{' (stopped at its limit)' if found.whole.stopped else ''}")
    cells = [
        (r, found.whole.matches[r], found.without[r].rows[-1], f"{100 * found.share(r):.0f} %")
        for r in ranked
    ]
    show(table(("rule", "matches", "rows without it", "share"), cells))
    if ranked and found.share(ranked[0]) > 0.5:
        show(f"  hint: {ranked[0]} makes most of it; restrict it, or compile --without {ranked[0]}")
    return 0


def _implied(arguments: argparse.Namespace) -> int:
    from oxegg.rule_lab.study import implied

    rules: Sequence[Rule] = [*all_rules(), *load_all(arguments.rules)]
    rule = next((r for r in rules if r.name == arguments.name), None)
    if rule is None:
        raise UsageError(f"there is no rule {arguments.name!r}", hint="see `oxegg rules list`")
    rows = {str(t): implied(rule, t, [r for r in rules if t in r.types]) for t in rule.types}
    if not put_json(rows, arguments.json):
        show(rule_text(rule))
        for type_, by in rows.items():
            show(f"  {type_}: {'not implied' if by is None else 'follows from ' + ', '.join(by)}")
    return 0


def _mine(arguments: argparse.Namespace) -> int:
    from oxegg.rule_lab.study import mine

    type_ = TYPES.get(arguments.type)
    if type_ is None:
        raise UsageError(
            f"there is no type {arguments.type!r}", hint=f"types are {', '.join(TYPES)}"
        )
    for name in arguments.operations:
        if name not in OPERATIONS:
            raise UsageError(
                f"there is no operation {name!r}", hint=f"operations are {', '.join(OPERATIONS)}"
            )
    rows = [rule_text(r) for r in mine(type_, arguments.operations, most=arguments.most)]
    if not put_json(rows, arguments.json):
        show(*rows, f"{len(rows)} candidates at {type_}: proved, and not implied by oxegg's rules")
    return 0
