"""``oxegg run``: machine code on the simulator against NumPy."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import oxegg
from oxegg import sim
from oxegg.cli.options import add_compile_options, parse_sizes, split_kernel
from oxegg.cli.output import put_json, show
from oxegg.costmodels import load_machine
from oxegg.errors import UsageError
from oxegg.report import summarize

EXAMPLE = """\
  oxegg run examples/suite/softmax_norms.py:softmax --machine ox-edge
  oxegg run out/softmax"""

STATUS = {True: 0, False: 1, None: 3}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg run``."""
    parser.add_argument(
        "kernel",
        metavar="FILE[:KERNEL]|DIR",
        help="a Python file with NumPy kernels, or a folder that `oxegg compile` wrote",
    )
    add_compile_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run a compiled folder, or compile a kernel in memory and check its code."""
    if Path(arguments.kernel).is_dir():
        return _run_folder(Path(arguments.kernel), arguments.json)
    path, kernel = split_kernel(arguments.kernel)
    report = oxegg.compile(
        path,
        kernel=kernel,
        machine=arguments.machine,
        mode=arguments.mode,
        effort=arguments.effort,
        seconds=arguments.seconds,
        sizes=parse_sizes(arguments.size),
        place=arguments.place,
        objective=arguments.objective,
        without=arguments.without,
        rules=arguments.rules,
        unproved=arguments.unproved,
    ).report
    if not put_json(report, arguments.json):
        show(summarize(report))
    return STATUS[report["correct"]]


def _run_folder(folder: Path, json_target: str | None) -> int:
    """Run the folder's ELF program, which compares its outputs with the expected ones itself."""
    report = _report_of(folder)
    program = folder / f"{report['kernel']}.elf"
    result = sim.run_elf(program, load_machine(report["machine"]))
    correct = result.exit_code == 0
    outcome = {
        "program": str(program),
        "machine": report["machine"],
        "correct": correct,
        "exit_code": result.exit_code,
        "instructions": result.instructions,
        "cycles": result.cycles,
    }
    if not put_json(outcome, json_target):
        verdict = "outputs equal NumPy's" if correct else "OUTPUTS DIFFER from NumPy's"
        show(
            f"{program} on {report['machine']}: {verdict}",
            f"{result.instructions:,} instructions, the program's own comparison included",
        )
    return STATUS[correct]


def _report_of(folder: Path) -> Mapping[str, Any]:
    try:
        report: Mapping[str, Any] = json.loads((folder / "report.json").read_text())
    except FileNotFoundError:
        raise UsageError(
            "the folder has no report.json",
            where=str(folder),
            hint="give a folder that `oxegg compile` wrote",
        ) from None
    return report
