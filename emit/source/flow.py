"""Which hardware registers matter where in a hand-written file: liveness over its statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oxegg.emit.effects import effects
from oxegg.emit.program import STACK_POINTER, ZERO, Operation, Register
from oxegg.emit.source.instructions import Context, after, hardware, operations_of
from oxegg.emit.source.statements import Source, Statement
from oxegg.errors import OxeggError
from oxegg.isa import TABLE

Place = tuple[str, int]
"""Bank and number of one hardware register."""

EVERY: frozenset[Place] = frozenset((bank, n) for bank in "xfv" for n in range(32)) - {("x", 0)}
_SAVED = (8, 9, *range(18, 28))
# What a caller finds unchanged, and what holds results (LP64D).
AT_RETURN: frozenset[Place] = frozenset(
    {("x", n) for n in (1, 2, 3, 4, 10, 11, *_SAVED)} | {("f", n) for n in (10, 11, *_SAVED)}
)


def places(register: Register) -> frozenset[Place]:
    """The hardware registers of a group."""
    first = hardware(register)
    return frozenset((register.bank, first + k) for k in range(register.group))


@dataclass(frozen=True)
class Node:
    """A statement with its operations; ``None`` for those that weren't understood."""

    statement: Statement
    operations: tuple[Operation, ...] | None
    context: Context


def nodes(source: Source, vlen: int) -> list[Node]:
    """All statements in order, each with the context that it is read in."""
    context = Context(source.symbols, vlen)
    found: list[Node] = []
    for statement in source.statements:
        operations: tuple[Operation, ...] | None = ()
        here = context
        if statement.label is not None:
            # Others may jump here with other constants; vtype is taken to be that of the text.
            context = Context(context.symbols, vlen, context.state)
        elif statement.is_instruction:
            try:
                operations = operations_of(statement, context)
                for operation in operations:
                    context = after(operation, context)
            except OxeggError:
                operations = None
                context = Context(context.symbols, vlen, context.state)
        found.append(Node(statement, operations, here))
    return found


def live_before(found: Sequence[Node]) -> list[frozenset[Place]]:
    """Registers whose values may still be read from each statement on; one more for the end.

    Whatever isn't understood (calls, unknown words) reads everything; the end of the file reads
    nothing: see ``ends_openly``.
    """
    labels: dict[str | None, int] = {
        n.statement.label: i for i, n in enumerate(found) if n.statement.label is not None
    }
    before: list[frozenset[Place]] = [frozenset() for _ in (*found, None)]
    changed = True
    while changed:
        changed = False
        for index in reversed(range(len(found))):
            live = _transfer(found[index], before[index + 1], before, labels)
            if live != before[index]:
                before[index] = live
                changed = True
    return before


def _transfer(
    node: Node,
    live: frozenset[Place],
    before: Sequence[frozenset[Place]],
    labels: Mapping[str | None, int],
) -> frozenset[Place]:
    """What is live before a statement behind which ``live`` is."""
    if node.operations is None:
        return EVERY
    for operation in reversed(node.operations):
        live = _at(operation, live, before, labels)
        for register in effects(operation).writes:
            live -= places(register)
        live |= read_places(operation)
    return live


def _at(
    operation: Operation,
    live: frozenset[Place],
    before: Sequence[frozenset[Place]],
    labels: Mapping[str | None, int],
) -> frozenset[Place]:
    """What is live behind an operation, wherever it continues."""
    record = TABLE[operation.name]
    if operation.name == "jalr":
        return AT_RETURN if operation.operands[0] == ZERO else EVERY
    if record.timing == "system":
        return EVERY
    if not record.is_branch:
        return live
    label = operation.operands[-1]
    is_call = operation.name == "jal" and operation.operands[0] != ZERO
    if is_call or label not in labels:
        return EVERY
    target = before[labels[str(label)]]
    return target if operation.name == "jal" else target | live


def read_places(operation: Operation) -> frozenset[Place]:
    """Hardware registers that an operation reads, the stack pointer included."""
    stack = places(STACK_POINTER) if STACK_POINTER in operation.operands else frozenset[Place]()
    return stack.union(*(places(register) for register in effects(operation).reads))


def written_places(operation: Operation) -> frozenset[Place]:
    """Hardware registers that an operation writes."""
    return frozenset[Place]().union(*(places(r) for r in effects(operation).writes))


def ends_openly(found: Sequence[Node], index: int) -> bool:
    """Whether control can run from statement ``index`` off the end of the file."""
    for node in found[index:]:
        for operation in node.operations or ():
            if operation.name == "jalr" or (
                operation.name == "jal" and operation.operands[0] == ZERO
            ):
                return False
    return True
