"""``oxegg schedule``: the best software pipeline for loops of a hand-written assembly file."""

import argparse
import sys
from pathlib import Path

from oxegg.cli.options import add_machine_option, duration
from oxegg.cli.output import progress, put_json, show, table, write_atomically
from oxegg.costmodels import load_machine
from oxegg.emit.source import Scheduled, read_loops, schedule_source, text_of
from oxegg.errors import UsageError

EXAMPLE = """\
  oxegg schedule kernel.s --machine c908 --loop inner -o faster.s
  oxegg schedule kernel.s --machine ox-edge --seconds 30 --json report.json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg schedule``."""
    parser.add_argument("file", metavar="FILE.s", help="RV64GCV assembly in GNU syntax")
    add_machine_option(parser)
    parser.add_argument("--loop", metavar="LABEL", help="the loop (default: every inner loop)")
    parser.add_argument(
        "--seconds",
        type=duration,
        default=60.0,
        metavar="S",
        help="time limit per loop; the best so far is kept (default: %(default)s)",
    )
    parser.add_argument("-o", "--output", metavar="F", help="write the new file there")
    parser.add_argument(
        "--may-alias",
        action="store_true",
        help="accesses through different base registers may overlap (default: they don't)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Schedule, prove, simulate; print II, bound and status, and the new text unless ``-o``."""
    machine = load_machine(arguments.machine)
    path = Path(arguments.file)
    if arguments.seconds <= 0:
        raise UsageError("--seconds must be positive")
    source = read_loops(path.read_text(encoding="utf-8"), str(path), machine, arguments.loop)
    done: list[Scheduled] = []
    with progress("scheduling") as tick:
        for number, loop in enumerate(source.loops):
            tick(number, len(source.loops), loop.label)
            done.append(
                schedule_source(
                    loop,
                    machine,
                    seconds=arguments.seconds,
                    disjoint_bases=not arguments.may_alias,
                )
            )
    text = text_of(source, done)
    if arguments.output:
        write_atomically(Path(arguments.output), text)
    report = {
        "file": str(path),
        "machine": machine.name,
        "loops": [scheduled.row() for scheduled in done],
        "assembly": text,
    }
    if put_json(report, arguments.json):
        return 0
    if arguments.output:
        for scheduled in done:
            show(table(("", ""), list(scheduled.row().items())))
    else:
        sys.stdout.write(text)
    return 0
