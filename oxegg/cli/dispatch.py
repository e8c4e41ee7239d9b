"""Finds the subcommand, runs it, and turns every error into the promised text and exit code."""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from oxegg import __version__
from oxegg.cli.options import add_common_options
from oxegg.errors import OxeggError, VerificationError

OK, CHECK_FAILED, REFUSED, UNKNOWN = 0, 1, 2, 3

# Each name is a module of this package with EXAMPLE, configure(parser) and run(arguments) -> int.
# A command with verbs (`machines list`) has no run: its configure sets one for each verb.
# Only the module of the command asked for is imported: `oxegg --help` must not load a solver.
COMMANDS = {
    "compile": "superoptimize a NumPy kernel into checked machine code",
    "run": "run a kernel's machine code on the simulator against NumPy",
    "bench": "compile and measure the kernel suite",
    "extract": "choose the cheapest terms of an egraph-serialize file",
    "schedule": "optimal software pipelines for hand-written RISC-V loops",
    "sim": "run a RISC-V ELF program on the simulator",
    "machines": "list, show, check and vary machine configurations",
    "isa": "list, encode and decode instructions",
    "fuzz": "random kernels, compiled at random, against the reference",
    "explain": "the chain of rules behind a compiled kernel",
    "why": "why an instruction of a compiled kernel is there",
    "why-not": "why an instruction isn't used",
    "check": "re-check a compiled folder from its files alone",
    "rules": "list, check, prove and study rewrite rules",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``oxegg`` with the given words (default: the process's own) and return the exit code.

    0: done; 1: a check failed; 2: refused, with an error that says why; 3: time ran out before
    anything was known.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser(chosen=next((word for word in words if word in COMMANDS), None)).parse_args(
        words
    )
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader left (`oxegg isa list | head`); keep the interpreter's exit flush quiet too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return UNKNOWN
    except Exception as error:
        if arguments.debug:
            traceback.print_exc()
        else:
            print(explain(error), file=sys.stderr)
        return CHECK_FAILED if isinstance(error, VerificationError) else REFUSED


def explain(error: Exception) -> str:
    """The text a user sees: ``where: error: what``, then ``hint: what to do``."""
    if isinstance(error, OxeggError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: error: {error.strerror}"
    return (
        f"error: internal error, {type(error).__name__}: {error}\n"
        "  hint: this is a bug in oxegg; the same command with --debug shows where"
    )


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="oxegg",
        description="Turns hot NumPy kernels into the best machine code it can prove.",
        epilog="oxegg COMMAND --help shows each command's options with an example.",
    )
    parser.add_argument("--version", action="version", version=f"oxegg {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == chosen:
            module = import_module(f"oxegg.cli.{name.replace('-', '_')}")
            command.epilog = f"example:\n{module.EXAMPLE}"
            module.configure(command)
            if hasattr(module, "run"):  # without it the command has verbs, each with its own
                add_common_options(command)
                command.set_defaults(run=module.run)
    return parser
