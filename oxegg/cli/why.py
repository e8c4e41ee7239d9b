"""``oxegg why``: why an instruction of a compiled kernel is there."""

import argparse
from pathlib import Path

from oxegg.cli.output import put_json, show

EXAMPLE = "  oxegg why out/softmax 27"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg why``."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="written by `oxegg compile`")
    parser.add_argument("line", type=int, metavar="LINE", help="line of the assembly file")


def run(arguments: argparse.Namespace) -> int:
    """Print what the instruction computes, what it costs, and the rules that led to it."""
    from oxegg.rule_lab.stories import why

    lines = why(arguments.folder, arguments.line)
    if not put_json(lines, arguments.json):
        show(*lines)
    return 0
