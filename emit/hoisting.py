"""Loop-invariant code motion: what every round loads alike is loaded before the loop.

Lowering places a value in the innermost loop whose axis it has, unrolled axes included: the taps of
a filter are loaded where they are used. Loads wait for older vector stores, so that rounds would
wait for each other. Addresses stay: they cost a slot at most, and registers otherwise.
Aho et al., "Compilers", 2nd edition, section 9.5; loops run at least once, hence nothing executes
that didn't before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from oxegg.emit.effects import PSEUDO, effects
from oxegg.emit.liveness import Liveness, liveness
from oxegg.emit.program import Bank, Loop, Operation, Program, Register, operations
from oxegg.isa import TABLE

Body = list[Operation | Loop]
BANKS: tuple[Bank, ...] = ("x", "f")


def hoisted(program: Program, files: Mapping[Bank, int]) -> Program:
    """The same program; ``files``: registers per bank, which no loop is made to exceed."""
    return replace(program, body=_Walk(program, files).body(program.body))


class _Walk:
    def __init__(self, program: Program, files: Mapping[Bank, int]) -> None:
        self.live = liveness(program)
        self.files = files
        self.position = 0

    def body(self, body: Sequence[Operation | Loop]) -> Body:
        result: Body = []
        for item in body:
            if isinstance(item, Loop):
                first = self.position
                inner = replace(item, body=self.body(item.body))
                room = registers_left(self.live, first, self.position, self.files)
                before, inside = _split(inner.body, room)
                result += [*before, replace(inner, body=inside)]
            else:
                self.position += 1
                result.append(item)
        return result


def registers_left(
    live: Liveness, first: int, end: int, files: Mapping[Bank, int]
) -> dict[Bank, int]:
    """Registers of each bank that are free throughout operations ``first`` to ``end``."""
    # Operation i reads at point 2 i + 1 and writes at the next one.
    window = (1 << (2 * end + 1)) - (1 << (2 * first + 1))
    room: dict[Bank, int] = {}
    for bank in BANKS:
        taken = [r & window for register, r in live.ranges.items() if register.bank == bank]
        points = range(2 * first + 1, 2 * end + 1)
        most = max((sum(r >> point & 1 for r in taken if r) for point in points), default=0)
        room[bank] = files[bank] - most
    return room


def _split(body: Body, room: dict[Bank, int]) -> tuple[Body, Body]:
    """What can go in front of the loop over ``body``, and what stays."""
    inside = list(operations(body))
    stored = {op.memory.buffer for op in inside if op.memory and op.memory.kind == "store"}
    unknown = any(_memory(op) == "store" and op.memory is None for op in inside)
    writes: dict[Register, int] = {}
    for op in inside:
        for register in effects(op).writes:
            writes[register] = writes.get(register, 0) + 1
    carried = set(_read_before_written(inside))
    before: Body = []
    stays: Body = []
    for item in body:
        if isinstance(item, Loop) or not _may_move(item, stored, unknown=unknown):
            stays.append(item)
            continue
        effect = effects(item)
        (target,) = effect.writes
        fixed = not any(register in writes for register in effect.reads)
        if fixed and writes[target] == 1 and target not in carried and room[target.bank] > 0:
            room[target.bank] -= 1
            del writes[target]
            before.append(_moved(item))
        else:
            stays.append(item)
    return before, stays


def _may_move(operation: Operation, stored: set[str], *, unknown: bool) -> bool:
    """Whether it is a load from memory that isn't written, or a float that depends on no memory."""
    effect = effects(operation)
    if len(effect.writes) != 1 or effect.uses or effect.changes or effect.barrier:
        return False
    if effect.writes[0].bank not in BANKS or any(r.bank == "v" for r in effect.reads):
        return False
    memory = operation.memory
    if _memory(operation) is None:
        return effect.writes[0].bank == "f"
    return (
        memory is not None and memory.kind == "load" and memory.buffer not in stored and not unknown
    )


def _memory(operation: Operation) -> str | None:
    return None if operation.name in PSEUDO else TABLE[operation.name].memory


def _read_before_written(inside: Sequence[Operation]) -> Iterator[Register]:
    """Registers that carry a value from one round to the next, or into the loop."""
    written: set[Register] = set()
    for operation in inside:
        effect = effects(operation)
        yield from (register for register in effect.reads if register not in written)
        written.update(effect.writes)


def _moved(operation: Operation) -> Operation:
    """Offsets were relative to a round of the loop."""
    memory = operation.memory
    return replace(operation, memory=memory and replace(memory, offset=None, size=None))
