"""``oxegg check``: what a certificate claims, checked again from the files alone."""

import argparse
import time
from pathlib import Path

from oxegg.certificate.folder import check_folder
from oxegg.cli.output import put_json, show, table

EXAMPLE = "  oxegg check out/softmax"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg check``."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="written by `oxegg compile`")
    parser.add_argument(
        "--rules",
        action="append",
        default=[],
        metavar="FILE",
        help="a rule file it was compiled with",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check everything; the first claim that doesn't hold is an error with exit code 1."""
    started = time.monotonic()
    findings = check_folder(arguments.folder, arguments.rules)
    rows = [{"checked": f.name, "detail": f.detail} for f in findings]
    if not put_json(rows, arguments.json):
        show(table(("checked", "detail"), [(f.name, f.detail) for f in findings]))
        show(f"all of it holds, in {time.monotonic() - started:.1f} s")
    return 0
