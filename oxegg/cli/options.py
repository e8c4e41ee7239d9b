"""Options that several commands share."""

import argparse

from oxegg.errors import UsageError


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command has: ``--json [F]`` and ``--debug``."""
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="F",
        help="print the result as JSON, or write it to the file F",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks of errors")


def add_machine_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--machine``: a name that ``oxegg machines list`` shows, or a machine file."""
    parser.add_argument(
        "--machine",
        default="ox-card",
        metavar="NAME",
        help="machine name or .toml file (default: %(default)s)",
    )


def add_compile_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a kernel is compiled."""
    add_machine_option(parser)
    parser.add_argument(
        "--mode",
        choices=("exact", "real", "approx"),
        default="real",
        help="what counts as the same result (default: %(default)s)",
    )
    parser.add_argument(
        "--effort",
        choices=("quick", "normal", "max"),
        default="quick",
        help="how long to search (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="time limit; the best so far is kept"
    )
    parser.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="AXIS=N",
        help="size of a named axis; wins over the annotation; may be repeated",
    )
    parser.add_argument(
        "--place",
        choices=("spm", "dram", "auto"),
        default="auto",
        help="where inputs and outputs lie when the kernel starts (default: %(default)s)",
    )
    parser.add_argument(
        "--rules",
        action="append",
        default=[],
        metavar="FILE",
        help="a rule file beside oxegg's own rules; may be repeated",
    )
    parser.add_argument(
        "--unproved",
        action="store_true",
        help="use rules whose evidence is below what the mode demands, too",
    )
    add_search_options(parser)


def add_search_options(parser: argparse.ArgumentParser) -> None:
    """Add what a search optimizes and which rules it may use."""
    parser.add_argument(
        "--objective",
        choices=("cycles", "instructions"),
        default="cycles",
        help="what is made small: simulated cycles, or executed instructions",
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="FAMILY",
        help="switch a rule family, one rule or vector-engine off; may be repeated",
    )


def parse_sizes(words: list[str]) -> dict[str, int]:
    """``["n=64", "k=3"]`` as ``{"n": 64, "k": 3}``; a ``UsageError`` for anything else."""
    sizes: dict[str, int] = {}
    for word in words:
        axis, equals, number = word.partition("=")
        if not (axis.isidentifier() and equals and number.isdecimal()):
            raise UsageError(
                f"--size {word}: not an axis name and a whole number", hint="write --size n=64"
            )
        sizes[axis] = int(number)
    return sizes


def split_kernel(word: str) -> tuple[str, str | None]:
    """``FILE:KERNEL`` as its two parts; the kernel is ``None`` for a plain ``FILE``."""
    path, colon, kernel = word.rpartition(":")
    return (path, kernel) if colon and kernel.isidentifier() else (word, None)
