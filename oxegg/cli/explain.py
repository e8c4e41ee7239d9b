"""``oxegg explain``: the chain of rules behind a compiled kernel."""

import argparse
from pathlib import Path

from oxegg.cli.output import put_json, show

EXAMPLE = "  oxegg explain out/softmax"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg explain``."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="written by `oxegg compile`")


def run(arguments: argparse.Namespace) -> int:
    """Print each step with its rule and the evidence for it."""
    from oxegg.rule_lab.stories import chain_text, read_certificate

    lines = list(chain_text(read_certificate(arguments.folder)))
    if not put_json(lines, arguments.json):
        show(*lines)
    return 0
