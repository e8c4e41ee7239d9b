"""``oxegg compile``: a NumPy kernel becomes machine code, a report and a certificate."""

import argparse
from pathlib import Path

import oxegg
from oxegg.cli.options import add_compile_options, parse_sizes, split_kernel
from oxegg.cli.output import put_json, show, staged
from oxegg.errors import VerificationError
from oxegg.report import summarize

EXAMPLE = "  oxegg compile examples/suite/softmax_norms.py:softmax --machine ox-card -o out/softmax"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg compile``."""
    parser.add_argument("kernel", metavar="FILE[:KERNEL]", help="a Python file with NumPy kernels")
    add_compile_options(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="where to write (default: out/KERNEL)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Compile, write the files, print the summary."""
    path, kernel = split_kernel(arguments.kernel)
    compiled = oxegg.compile(
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
    )
    report = compiled.report
    if report["correct"] is False:
        raise VerificationError(
            f"the emitted code of {report['kernel']} computes something else than its source",
            where=path,
            hint="nothing was written; this is a bug in oxegg: please report the kernel",
        )
    directory: Path = arguments.output or Path("out") / str(report["kernel"])
    with staged(directory) as folder:
        compiled.write(folder)
    if not put_json(report, arguments.json):
        show(summarize(report), f"written to {directory}/")
    return 0
