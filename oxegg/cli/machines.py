"""``oxegg machines``: list, show, check and vary machine configurations."""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import cast

from oxegg.cli import crossover
from oxegg.cli.options import add_common_options
from oxegg.cli.output import put_json, show, table
from oxegg.costmodels import Machine, load_machine, machine_names

EXAMPLE = """\
  oxegg machines list
  oxegg machines show ox-card
  oxegg machines check my-chip.toml
  oxegg machines crossover examples/suite/matmul.py:matmul --vary tile"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs of ``oxegg machines``."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="every machine that oxegg comes with")
    listing.set_defaults(run=_list)
    shown = verbs.add_parser("show", help="every number of one machine")
    shown.add_argument("machine", metavar="NAME|FILE.toml")
    shown.set_defaults(run=_show)
    check = verbs.add_parser("check", help="read machine files and say what is wrong with them")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE.toml")
    check.set_defaults(run=_check)
    varied = verbs.add_parser(
        "crossover",
        help="where a kernel's best program changes with one field of a machine",
        epilog=f"example:\n{crossover.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    crossover.configure(varied)
    varied.set_defaults(run=crossover.run)
    for verb in (listing, shown, check, varied):
        add_common_options(verb)


def _list(arguments: argparse.Namespace) -> int:
    rows = [_row(load_machine(name)) for name in machine_names()]
    if not put_json(rows, arguments.json):
        columns = ("name", "GHz", "VLEN", "DLEN", "pipes", "SPM, B", "DRAM, B/cycle", "engines", "")
        show(table(columns, [tuple(row.values()) for row in rows]))
    return 0


def _row(machine: Machine) -> dict[str, object]:
    return {
        "name": machine.name,
        "clock_ghz": machine.clock_ghz,
        "vlen": machine.vlen,
        "dlen": machine.dlen,
        "pipes": machine.pipes,
        "spm_bytes": machine.spm_bytes,
        "dram_bytes_per_cycle": round(machine.dram_bytes_per_cycle, 1),
        "engines": " ".join(sorted(machine.engines)),
        "description": machine.description,
    }


def _show(arguments: argparse.Namespace) -> int:
    machine = asdict(load_machine(arguments.machine))
    if not put_json(machine, arguments.json):
        show(table(("field", "value"), _flat("", machine)))
    return 0


def _flat(prefix: str, fields: Mapping[str, object]) -> list[tuple[str, object]]:
    """Nested fields as ``("vector.vlen", 512)`` pairs; engines that are absent are left out."""
    flat: list[tuple[str, object]] = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            flat += _flat(f"{prefix}{name}.", cast(Mapping[str, object], value))
        elif value is not None:
            flat.append((f"{prefix}{name}", value))
    return flat


def _check(arguments: argparse.Namespace) -> int:
    files: list[Path] = arguments.files
    checked = [{"file": str(file), "machine": load_machine(file).name} for file in files]
    if not put_json(checked, arguments.json):
        show(*(f"{row['file']}: ok, machine {row['machine']}" for row in checked))
    return 0
