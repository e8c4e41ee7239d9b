"""How a loop ends: a register that advances by a constant step, compared with a limit."""

from dataclasses import dataclass

from oxegg.emit.modulo.values import Values
from oxegg.emit.program import ZERO, Register


@dataclass(frozen=True)
class Control:
    """The branch compares ``counter``, ``step`` further on each iteration, with ``limit``.

    A step is a constant or a register that the loop doesn't write. ``counter_first`` says on which
    side of the comparison the counter stands.
    """

    counter: Register
    limit: Register
    step: int | Register
    counter_first: bool


def control_of(values: Values) -> Control | None:
    """The control of a loop body that ends in a conditional branch; ``None`` if it isn't that."""
    index = len(values.operations) - 1
    branch = values.operations[index]
    registers = [operand for operand in branch.operands if isinstance(operand, Register)]
    if len(registers) != 2:
        return None
    first, second = registers
    for counter, limit in ((first, second), (second, first)):
        invariant = limit == ZERO or (
            limit in values.sources[index] and values.sources[index][limit] is None
        )
        step = _step(values, counter)
        if invariant and step is not None and _reads_latest(values, index, counter):
            return Control(counter, limit, step, counter is first)
    return None


def _reads_latest(values: Values, index: int, counter: Register) -> bool:
    """Whether the branch sees the counter as it is at the end of the iteration."""
    source = values.sources[index].get(counter)
    return source is not None and source.operation == values.last_writer[counter]


def _step(values: Values, counter: Register) -> int | Register | None:
    constant = values.step(counter)
    if constant:
        return constant
    writer = values.last_writer.get(counter)
    if writer is None or values.operations[writer].name != "add":
        return None
    sources = values.sources[writer]
    target, *added = values.operations[writer].operands
    carried = sources.get(counter)
    steps = [r for r in added if isinstance(r, Register) and r != counter]
    if target != counter or len(steps) != 1 or carried is None or not carried.distance:
        return None
    return steps[0] if sources.get(steps[0], carried) is None else None
