"""Inner loops of a hand-written file, and what the code around them leaves free."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oxegg.emit.program import STACK_POINTER, Operation
from oxegg.emit.source.flow import (
    EVERY,
    Node,
    Place,
    ends_openly,
    live_before,
    read_places,
    written_places,
)
from oxegg.emit.source.instructions import Context, operations_of
from oxegg.errors import EmitError
from oxegg.isa import TABLE

_REFUSED = ("csr", "fence", "system", "amo", "jump")
_UNTOUCHABLE = (0, 1, 2, 3, 4)
"""zero, ra, sp, gp and tp: free only for loops that write them anyway."""


@dataclass(frozen=True)
class SourceLoop:
    """A label, straight-line code and the conditional branch back.

    ``first`` and ``last`` are the lines of label and branch, ``live_out`` what may be read behind
    the loop, ``free`` hardware registers whose contents nobody needs while the loop runs (among
    them all that it writes), ``open_end`` says that the file ends behind it.
    """

    label: str
    first: int
    last: int
    operations: tuple[Operation, ...]
    live_out: frozenset[Place]
    free: frozenset[Place]
    open_end: bool
    context: Context


def inner_loops(found: Sequence[Node]) -> Iterator[tuple[str, int, int]]:
    """Label, and statements of label and branch, of every loop without labels or jumps inside."""
    for index, node in enumerate(found):
        label = node.statement.label
        if label is None:
            continue
        for end in range(index + 1, len(found)):
            inside = found[end]
            if inside.statement.label is not None:
                break
            texts = inside.statement.operands
            if texts and texts[-1] == label and _is_jump(inside):
                yield label, index, end
                break
            if _is_jump(inside):
                break


def _is_jump(node: Node) -> bool:
    return bool(node.operations) and TABLE[node.operations[-1].name].is_branch


def loop_at(found: Sequence[Node], label: str, start: int, end: int) -> SourceLoop:
    """The loop between two statements; raises ``EmitError`` for what can't be in one."""
    operations: list[Operation] = []
    for node in found[start + 1 : end + 1]:
        if not node.statement.is_instruction:
            continue
        # Again, for the error message of what wasn't understood.
        parsed = node.operations or operations_of(node.statement, node.context)
        for operation in parsed:
            _check(operation, node)
        operations += parsed
    open_end = ends_openly(found, end + 1)
    none: frozenset[Place] = frozenset()
    written = none.union(*(written_places(op) for op in operations))
    touched = written.union(*(read_places(op) for op in operations))
    if open_end:
        behind = EVERY - (written - _read_first(operations))
    else:
        behind = live_before(found)[end + 1]
    idle = frozenset(
        (bank, number)
        for bank, number in EVERY - touched - behind
        if not (bank == "x" and number in _UNTOUCHABLE)
    )
    first, last = found[start].statement.line, found[end].statement.line
    return SourceLoop(
        label, first, last, tuple(operations), behind, written | idle, open_end,
        found[start].context,
    )  # fmt: skip


def _read_first(operations: Sequence[Operation]) -> frozenset[Place]:
    """Registers that an iteration reads before it writes them."""
    live: frozenset[Place] = frozenset()
    for operation in reversed(operations):
        live = live - written_places(operation) | read_places(operation)
    return live


def _check(operation: Operation, node: Node) -> None:
    record = TABLE[operation.name]
    if record.timing in _REFUSED:
        raise EmitError(
            f"{operation.name} in a loop that should be scheduled",
            where=node.statement.where,
            hint="the loop may hold arithmetic, memory accesses, vset and its own branch",
        )
    if STACK_POINTER in operation.operands and operation.operands[0] == STACK_POINTER:
        raise EmitError("the loop moves the stack pointer", where=node.statement.where)
