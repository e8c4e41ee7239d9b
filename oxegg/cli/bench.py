"""``oxegg bench``: the kernel suite on one machine, as a table and as JSON."""

import argparse
from collections.abc import Mapping, Sequence
from statistics import geometric_mean
from typing import Any

import oxegg
from oxegg.cli.options import add_machine_option, add_search_options, at_least_one
from oxegg.cli.output import progress, put_json, show
from oxegg.frontend.suite import SUITES
from oxegg.report import summarize_many
from oxegg.report.prediction import accuracy

EXAMPLE = """\
  oxegg bench softmax_1024 saxpy_1024 --machine ox-card
  oxegg bench --machine ox-card --json out/bench.json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg bench``."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="kernels (default: the suite)")
    parser.add_argument(
        "--suite", choices=SUITES, default=SUITES[0], help="which kernels (default: %(default)s)"
    )
    add_machine_option(parser)
    parser.add_argument(
        "--peer",
        default="generic",
        metavar="P,Q",
        help="what to compare with: generic, clang (default: %(default)s)",
    )
    add_search_options(parser)
    parser.add_argument(
        "-j",
        "--jobs",
        type=at_least_one,
        default=2,
        metavar="N",
        help="processes (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compile and measure; exit 1 when a result was wrong."""
    with progress("kernels") as tick:
        reports = oxegg.bench(
            arguments.names,
            suite=arguments.suite,
            machine=arguments.machine,
            effort=arguments.effort,
            jobs=arguments.jobs,
            objective=arguments.objective,
            without=arguments.without,
            peers=tuple(arguments.peer.split(",")),
            progress=tick,
        )
    if not put_json(reports, arguments.json):
        errors = [report["error"] for report in reports if report.get("error")]
        show(summarize_many(reports), *errors, _totals(reports))
    return 1 if any(report.get("correct") is False for report in reports) else 0


def _totals(reports: Sequence[Mapping[str, Any]]) -> str:
    speedups = [
        report["cycles_generic"] / report["cycles"]
        for report in reports
        if report.get("cycles") and report.get("cycles_generic")
    ]
    correct = sum(report.get("correct") is True for report in reports)
    mean = f"{geometric_mean(speedups):.2f}x" if speedups else "not measured"
    totals = f"{correct} of {len(reports)} correct; geometric mean against generic: {mean}"
    found = accuracy(reports)
    if found is None:
        return totals
    return (
        f"{totals}\n{found.count} programs simulated; predictions: rank correlation "
        f"{found.spearman:.3f}, median error {found.error:.1%}"
    )
