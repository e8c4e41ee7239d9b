"""``oxegg machines crossover``: one field of a machine varies, what is the best program then?"""

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import oxegg
from oxegg.cli.options import add_compile_options, compile_options, refuse_wrong, split_kernel
from oxegg.cli.output import progress, put_json, show, table
from oxegg.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

EXAMPLE = "  oxegg machines crossover examples/suite/matmul.py:matmul --vary tile --size m=64"
VARIED = ("vlen", "tile", "nm_bandwidth", "spm")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg machines crossover``."""
    parser.add_argument("kernel", metavar="FILE[:KERNEL]", help="a Python file with NumPy kernels")
    parser.add_argument(
        "--vary",
        choices=VARIED,
        required=True,
        help="VLEN in bits, rows of a tile, near-memory units per channel, or scratchpad bytes",
    )
    parser.add_argument(
        "--values",
        metavar="N,N...",
        help="the values to try (default: powers of two that the rest of the machine allows)",
    )
    add_compile_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compile for every value, print the table."""
    path, kernel = split_kernel(arguments.kernel)
    with progress("compiling") as tick:
        rows = oxegg.crossover(
            path,
            arguments.vary,
            machine=arguments.machine,
            values=_numbers(arguments.values),
            progress=tick,
            kernel=kernel,
            peers=(),
            **compile_options(arguments),
        )
    for row in rows:
        refuse_wrong(row, path)
    if not put_json(rows, arguments.json):
        show(_shown(arguments.vary, rows))
    return 0


def _numbers(word: str | None) -> list[int]:
    if word is None:
        return []
    if not all(number.isdecimal() for number in word.split(",")):
        raise UsageError(f"--values {word}: not whole numbers", hint="write --values 128,256")
    return [int(number) for number in word.split(",")]


def _shown(vary: str, rows: Sequence[Mapping[str, Any]]) -> "Table":
    """One line a value; the engines' columns hold the fewest cycles that each was measured at."""
    engines = sorted({engine for row in rows for engine in row["tried"]})
    columns = (vary, "cycles", "of roofline", *engines, "place", "engine", "flips", "nests")
    return table(
        columns,
        [
            (
                row["value"],
                row["cycles"],
                f"{row['roofline_cycles'] / row['cycles']:.0%}",
                *(row["tried"].get(engine) for engine in engines),
                row["place"],
                row["engine"],
                ", ".join(row["flips"]),
                "; ".join(row["nests"]),
            )
            for row in rows
        ],
    )
