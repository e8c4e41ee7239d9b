"""Options that several commands share."""

import argparse
from collections.abc import Mapping
from typing import Any

from oxegg.errors import UsageError, VerificationError


def duration(word: str) -> float:
    """A time on the command line."""
    value = float(word)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{word} is not a number of seconds")
    return value


def at_least_one(word: str) -> int:
    """A count on the command line."""
    value = int(word)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{word} is not a positive whole number")
    return value


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


def add_machine_option(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add ``--machine``: names that ``oxegg machines list`` shows, or machine files."""
    what = "machine names or .toml files, with commas" if several else "machine name or .toml file"
    parser.add_argument(
        "--machine",
        default="ox-card",
        metavar="NAME[,NAME...]" if several else "NAME",
        help=f"{what} (default: %(default)s)",
    )


def add_compile_options(parser: argparse.ArgumentParser, *, several_machines: bool = False) -> None:
    """Add the options that say how a kernel is compiled."""
    add_machine_option(parser, several=several_machines)
    parser.add_argument(
        "--mode",
        choices=("exact", "real", "approx"),
        default="real",
        help="what counts as the same result (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds", type=duration, metavar="S", help="time limit; the best so far is kept"
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
    """Add how long a search takes, what it optimizes and which rules it may use."""
    parser.add_argument(
        "--effort",
        choices=("quick", "normal", "max"),
        default="quick",
        help="how long to search (default: %(default)s)",
    )
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
        help="switch a rule family, an engine or one rule off; may be repeated",
    )


def compile_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What :func:`add_compile_options` asked for, apart from the machine, for ``oxegg.compile``."""
    return {
        "mode": arguments.mode,
        "effort": arguments.effort,
        "seconds": arguments.seconds,
        "sizes": parse_sizes(arguments.size),
        "place": arguments.place,
        "objective": arguments.objective,
        "without": arguments.without,
        "rules": arguments.rules,
        "unproved": arguments.unproved,
    }


def refuse_wrong(report: Mapping[str, Any], path: str) -> None:
    """Raise ``VerificationError`` for code that failed its check."""
    if report["correct"] is False:
        raise VerificationError(
            f"the emitted code of {report['kernel']} computes something else than its source",
            where=path,
            hint="nothing was written; this is a bug in oxegg: please report the kernel",
        )


def split_machines(word: str) -> list[str]:
    """``"ox-edge,ox-card"`` as its names; a ``UsageError`` for an empty one."""
    names = word.split(",")
    if not all(names):
        raise UsageError(
            f"--machine {word}: a name is empty", hint="write --machine ox-edge,ox-card"
        )
    return names


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
