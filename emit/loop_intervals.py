"""How good the inner loops of emitted code are: cycles per round beside a proven lower bound."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil

from oxegg.costmodels import Machine
from oxegg.emit.effects import PSEUDO
from oxegg.emit.modulo.body import Rules, body_of
from oxegg.emit.modulo.bounds import below_whole, lower_bound
from oxegg.emit.modulo.program_loops import LoopSchedule
from oxegg.emit.modulo.windows import raised_bound
from oxegg.emit.program import Bank, Operation, Program, Register, loops
from oxegg.emit.register_allocation import is_idle_move
from oxegg.emit.spill import is_added
from oxegg.emit.steady import steady_cycles
from oxegg.isa import TABLE

LONGEST_BODY = 600
"""Operations beyond which a loop that isn't a software pipeline gets no bound."""


def measured_loops(
    program: Program,
    homes: Mapping[Register, int],
    machine: Machine,
    files: Mapping[Bank, int],
    planned: Mapping[str, LoopSchedule],
) -> dict[str, LoopSchedule]:
    """By label what inner loops of an allocated program take per round, and their bounds.

    ``homes`` are the hardware registers, ``planned`` the software pipelines as they were scheduled.
    Loops whose time depends on data are left out. Operands lie in ``machine``'s scratchpad.
    """
    found: dict[str, LoopSchedule] = {}
    for loop in loops(program.body):
        body = [item for item in loop.body if isinstance(item, Operation)]
        if len(body) < len(loop.body) or loop.trips < 2:
            continue
        text = [operation for operation in body if not is_idle_move(operation, homes)]
        cycles = steady_cycles(text, machine, homes)
        if cycles is None:
            continue
        bound = _bound(text, machine, files, cycles)
        plan = planned.get(loop.label, LoopSchedule(Fraction(0), Fraction(0), "list", 1, 0.0))
        if len(text) == len(body):
            # Nothing that was scheduled has turned out to be needless since.
            bound = max(bound, plan.bound)
        found[loop.label] = replace(plan, ii=cycles, bound=bound)
    return found


def _bound(
    text: Sequence[Operation], machine: Machine, files: Mapping[Bank, int], cycles: Fraction
) -> Fraction:
    """A bound up to ``cycles`` from units and recurrences alone.

    What later passes add (spill code, changes of vtype) isn't needed by every schedule.
    """
    needed = [op for op in text if not (is_added(op) or _sets_state(op))]
    if len(needed) > LONGEST_BODY:
        return Fraction(1)
    graph = body_of(needed, machine, Rules(files)).graph
    parts = lower_bound(graph)
    bound = raised_bound(graph, max(parts.resources, parts.recurrences), ceil(cycles))
    return below_whole(graph, bound, cycles)


def _sets_state(operation: Operation) -> bool:
    return operation.name not in PSEUDO and TABLE[operation.name].timing == "vset"
