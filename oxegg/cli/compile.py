"""``oxegg compile``: a NumPy kernel becomes machine code, a report and a certificate."""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import oxegg
from oxegg.cli.options import (
    add_compile_options,
    compile_options,
    refuse_wrong,
    split_kernel,
    split_machines,
)
from oxegg.cli.output import progress, put_json, show, staged, table
from oxegg.report import summarize

if TYPE_CHECKING:
    from rich.table import Table

EXAMPLE = """\
  oxegg compile examples/suite/softmax_norms.py:softmax --machine ox-card -o out/softmax
  oxegg compile examples/suite/matmul.py:matmul --machine ox-edge,ox-card,ox-dc"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg compile``."""
    parser.add_argument("kernel", metavar="FILE[:KERNEL]", help="a Python file with NumPy kernels")
    add_compile_options(parser, several_machines=True)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="where to write (default: out/KERNEL); several machines get a folder each in it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compile, write the files, print the summary."""
    path, kernel = split_kernel(arguments.kernel)
    machines = split_machines(arguments.machine)
    options = compile_options(arguments)
    if len(machines) == 1:
        compiled = [oxegg.compile(path, kernel=kernel, machine=machines[0], **options)]
    else:
        with progress("compiling") as tick:
            compiled = oxegg.compile_for(
                path, machines, kernel=kernel, progress=tick, **options
            )
    reports = [one.report for one in compiled]
    for report in reports:
        refuse_wrong(report, path)
    directory: Path = arguments.output or Path("out") / str(reports[0]["kernel"])
    folders = [directory / str(r["machine"]) for r in reports] if len(reports) > 1 else [directory]
    with ExitStack() as stack:  # no folder appears before all are written
        for one, folder in zip(compiled, folders, strict=True):
            one.write(stack.enter_context(staged(folder)))
    if not put_json(reports if len(reports) > 1 else reports[0], arguments.json):
        shown = summarize(reports[0]) if len(reports) == 1 else compare_machines(reports)
        show(shown, *(f"written to {folder}/" for folder in folders))
    return 0


def compare_machines(reports: Sequence[Mapping[str, Any]]) -> "Table":
    """What each machine's program is, one line a machine."""
    columns = ("machine", "cycles", "speedup", "of roofline", "place", "engine", "nests")
    return table(columns, [_machine_row(report) for report in reports])


def _machine_row(report: Mapping[str, Any]) -> tuple[object, ...]:
    cycles = report["cycles"]
    return (
        report["machine"],
        f"{cycles:,.0f}",
        f"{report['cycles_generic'] / cycles:.2f}x",
        f"{report['roofline_cycles'] / cycles:.0%}",
        report["place"],
        report["engine"],
        "; ".join(report["nests"]),
    )
