"""``oxegg sim``: any RISC-V ELF program on a simulated machine."""

import argparse
import json
import sys
from pathlib import Path

from oxegg.cli.options import add_machine_option, at_least_one
from oxegg.cli.output import put_json, table, write_atomically
from oxegg.costmodels import Machine, load_machine
from oxegg.errors import UsageError
from oxegg.sim import ElfResult, run_elf
from oxegg.sim.engine import MAX_INSTRUCTIONS
from oxegg.sim.profile import LoopProfile, loop_profiles
from oxegg.sim.trace import chrome_trace, konata

EXAMPLE = """\
  oxegg sim out/softmax/softmax.elf --machine ox-edge --profile
  oxegg sim program.elf --trace timeline.json      (opens in ui.perfetto.dev)
  oxegg sim program.elf --trace timeline.kanata    (opens in Konata)
  oxegg sim program.elf --no-timing"""
KONATA_ENDING = ".kanata"
STALLS_SHOWN = UNITS_SHOWN = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg sim``."""
    parser.add_argument("file", metavar="FILE.elf", help="a static RV64 program")
    add_machine_option(parser)
    parser.add_argument(
        "--no-timing", action="store_true", help="count instructions only, no cycles"
    )
    parser.add_argument(
        "--trap-misaligned",
        action="store_true",
        help="misaligned scalar loads and stores are exceptions, as on the simplest cores",
    )
    parser.add_argument(
        "--max-instructions",
        type=at_least_one,
        default=MAX_INSTRUCTIONS,
        metavar="N",
        help="end with an error when more instructions were executed (default: 10^12)",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="show by loop and unit where the cycles went, and what the core waited for",
    )
    parser.add_argument(
        "--trace",
        metavar="F",
        help="write a timeline: F.json for Perfetto, F.kanata for Konata",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the program; its exit code is the command's. Counts go to standard error or JSON."""
    if arguments.no_timing and (arguments.profile or arguments.trace):
        raise UsageError("--profile and --trace need the clock", hint="leave out --no-timing")
    machine = load_machine(arguments.machine)
    result = run_elf(
        arguments.file,
        machine,
        timing=not arguments.no_timing,
        max_instructions=arguments.max_instructions,
        record=arguments.trace is not None,
        misaligned=not arguments.trap_misaligned,
    )
    if arguments.trace is not None:
        _write_trace(Path(arguments.trace), arguments.file, machine, result)
    counts: dict[str, object] = {
        "program": arguments.file,
        "machine": machine.name,
        "exit_code": result.exit_code,
        "instructions": result.instructions,
        "cycles": result.cycles,
    }
    loops: list[LoopProfile] = []
    if arguments.profile and result.recording is not None:
        loops = loop_profiles(result.recording, result.symbols)
        counts["profile"] = [loop.to_json() for loop in loops]
        counts["units"], counts["stalls"] = dict(result.units), dict(result.stalls)
    # Standard output belongs to the program, unless the caller asked for JSON there.
    if not put_json(counts, arguments.json):
        cycles = "" if result.cycles is None else f", {result.cycles:,} cycles"
        print(
            f"{machine.name}: exit code {result.exit_code}, "
            f"{result.instructions:,} instructions{cycles}",
            file=sys.stderr,
        )
        if arguments.profile:
            _show_profile(loops, result)
    return result.exit_code


def _write_trace(path: Path, program: str, machine: Machine, result: ElfResult) -> None:
    recording = result.recording
    assert recording is not None, "a trace needs timing, and timing records"
    if path.suffix == KONATA_ENDING:
        write_atomically(path, konata(recording))
    else:
        trace = chrome_trace(recording, program=program, clock_ghz=machine.clock_ghz)
        write_atomically(path, json.dumps(trace))


def _show_profile(loops: list[LoopProfile], result: ElfResult) -> None:
    """The tables, on standard error: by loop, then by unit."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 200)
    total = result.cycles or 1
    rows = [
        (
            "  " * loop.depth + loop.name,
            loop.rounds,
            loop.instructions,
            round(loop.cycles, 1),
            f"{loop.cycles / total:.1%}",
            round(loop.cycles / loop.rounds, 2) if loop.rounds else None,
            _shares(dict(loop.units), loop.instructions, UNITS_SHOWN),
            _shares(dict(loop.stalls), loop.cycles, STALLS_SHOWN),
        )
        for loop in loops
    ]
    columns = (
        "loop", "rounds", "instructions", "cycles", "share", "per round", "instructions by unit",
        "waited for",
    )  # fmt: skip
    console.print(table(columns, rows))
    units = [(unit, f"{busy:.1%}") for unit, busy in result.units.items()]
    console.print(table(("unit", "busy"), units))


def _shares(parts: dict[str, float] | dict[str, int], total: float, shown: int) -> str:
    """The largest parts as percentages: ``"VL 40%, VA 20%"``."""
    largest = sorted(parts.items(), key=lambda part: -part[1])[:shown]
    return ", ".join(f"{name} {part / total:.0%}" for name, part in largest if total)
