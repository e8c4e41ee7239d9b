"""``oxegg fuzz``: random kernels, compiled at random, against the reference."""

import argparse
import time
from pathlib import Path

from oxegg.cli.options import duration
from oxegg.cli.output import progress, put_json, show

EXAMPLE = """\
  oxegg fuzz --seconds 60 --seed 7
  oxegg fuzz --rule algebra.factor --metamorphic"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg fuzz``."""
    parser.add_argument("--seconds", type=duration, default=60.0, metavar="S", help="how long")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first trial")
    parser.add_argument("--rule", metavar="NAME", help="only kernels around this rule's left side")
    parser.add_argument(
        "--metamorphic", action="store_true", help="programs of one e-graph that differ most"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("tests/regress"), metavar="DIR",
        help="where tests of failures are written (default: %(default)s)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run a campaign; exit code 1 when something disagreed."""
    from oxegg.fuzz.campaign import campaign, write_regressions

    started = time.monotonic()
    with progress("fuzzing") as tick:
        tally = campaign(
            seconds=arguments.seconds,
            seed=arguments.seed,
            rule=arguments.rule,
            metamorphic=arguments.metamorphic,
            tick=lambda t: tick(t.programs, t.programs + 1, f"{len(t.failures)} failures"),
        )
    files = write_regressions(tally.failures, arguments.output) if tally.failures else []
    row = {
        "programs": tally.programs, "runs": tally.runs, "instructions": tally.instructions,
        "refused": tally.refused, "qemu": tally.under_qemu, "fields": tally.over_fields,
        "rules": len(tally.rules),
        "failures": [{"trial": str(t), "what": what} for t, what in tally.failures],
        "undecided": sorted(map(str, tally.undecided)),
        "tests": [str(file) for file in files], "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip
    if not put_json(row, arguments.json):
        for (tried, what), file in zip(tally.failures, files, strict=True):
            show(f"{tried}\n  {what}\n  test: {file}")
        show(
            f"{tally.programs} programs ({tally.refused} refused), {tally.runs} runs of"
            f" {tally.instructions} emitted instructions, {tally.under_qemu} under QEMU,"
            f" {tally.over_fields} over finite fields, around"
            f" {len(tally.rules)} rules: {len(tally.failures)} disagreements,"
            f" {len(tally.undecided)} undecided, in {row['seconds']} s"
        )
    return 1 if tally.failures else 0
