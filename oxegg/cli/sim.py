"""``oxegg sim``: any RISC-V ELF program on a simulated machine."""

import argparse
import sys

from oxegg.cli.options import add_machine_option
from oxegg.cli.output import put_json
from oxegg.costmodels import load_machine
from oxegg.sim import run_elf

EXAMPLE = """\
  oxegg sim out/softmax/softmax.elf --machine ox-edge
  oxegg sim program.elf --no-timing"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg sim``."""
    parser.add_argument("file", metavar="FILE.elf", help="a static RV64 program")
    add_machine_option(parser)
    parser.add_argument(
        "--no-timing", action="store_true", help="count instructions only, no cycles"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the program; its exit code is the command's. Counts go to standard error or JSON."""
    machine = load_machine(arguments.machine)
    result = run_elf(arguments.file, machine, timing=not arguments.no_timing)
    counts = {
        "program": arguments.file,
        "machine": machine.name,
        "exit_code": result.exit_code,
        "instructions": result.instructions,
        "cycles": result.cycles,
    }
    # Standard output belongs to the program, unless the caller asked for JSON there.
    if not put_json(counts, arguments.json):
        cycles = "" if result.cycles is None else f", {result.cycles:,} cycles"
        print(
            f"{machine.name}: exit code {result.exit_code}, "
            f"{result.instructions:,} instructions{cycles}",
            file=sys.stderr,
        )
    return result.exit_code
