"""``oxegg why-not``: why an instruction isn't used."""

import argparse
from pathlib import Path

from oxegg.cli.output import put_json, show

EXAMPLE = "  oxegg why-not out/softmax vfdiv.vv"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg why-not``."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="written by `oxegg compile`")
    parser.add_argument("instruction", metavar="OP", help="such as vfmacc.vf")


def run(arguments: argparse.Namespace) -> int:
    """Print whether no row, no match, or the cost kept it out."""
    from oxegg.rule_lab.absent import why_not

    lines = why_not(arguments.folder, arguments.instruction)
    if not put_json(lines, arguments.json):
        show(*lines)
    return 0
