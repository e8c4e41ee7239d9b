"""The text of a software pipeline: prologue, kernel and epilogue from a schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from oxegg.emit.effects import PSEUDO, bind
from oxegg.emit.modulo.body import Body
from oxegg.emit.modulo.displacement import displaced, steps_ahead
from oxegg.emit.modulo.graph import Schedule
from oxegg.emit.program import Operation, Register


@dataclass(frozen=True)
class Pipeline:
    """``prologue`` fills and ``epilogue`` drains the pipeline; both leave the branch out.

    The kernel runs one pass per iteration less ``stages - 1``; its branch is that of the iteration
    begun ``lag`` passes ago.
    """

    prologue: tuple[Operation, ...]
    kernel: tuple[Operation, ...]
    epilogue: tuple[Operation, ...]
    stages: int
    lag: int


def expand(body: Body, schedule: Schedule, registers: Sequence[Register]) -> Pipeline:
    """The pipeline of ``schedule`` with ``registers[web]`` for each web of the body."""
    text = [(i, _renamed(body, i, registers)) for i in schedule.order]
    branch = body.graph.branch
    last = schedule.stages - 1
    ahead = {i: steps_ahead(schedule, i, access) for i, access in body.floating.items()}

    def moved(index: int, operation: Operation, steps: int) -> Operation:
        return displaced(operation, body.floating[index], steps)

    def filling(index: int, operation: Operation, turn: int) -> Operation:
        if index not in ahead:
            return operation
        # Before the loop no step has been made: the pointer can't lack more than all of them.
        access = body.floating[index]
        iteration = turn - schedule.stage(index)
        return moved(index, operation, max(ahead[index], access.distance - iteration - 1))

    def draining(index: int, operation: Operation, turn: int) -> Operation:
        if index not in ahead:
            return operation
        # Behind the last iteration no more steps are made.
        access = body.floating[index]
        left = schedule.stage(index) - turn
        return moved(index, operation, min(ahead[index], left + access.distance))

    prologue = [
        filling(i, operation, turn)
        for turn in range(last)
        for i, operation in text
        if schedule.stage(i) <= turn and i != branch
    ]
    epilogue = [
        draining(i, operation, turn)
        for turn in range(1, last + 1)
        for i, operation in text
        if schedule.stage(i) >= turn and i != branch
    ]
    return Pipeline(
        tuple(prologue),
        tuple(moved(i, operation, ahead[i]) if i in ahead else operation for i, operation in text),
        tuple(epilogue),
        schedule.stages,
        schedule.stage(branch) if branch is not None else 0,
    )


def _renamed(body: Body, index: int, registers: Sequence[Register]) -> Operation:
    reads = {r: registers[web] for r, web in body.reads[index].items()}
    writes = {r: registers[web] for r, web in body.writes[index].items()}
    return renamed(body.operations[index], reads, writes)


def renamed(
    operation: Operation, reads: Mapping[Register, Register], writes: Mapping[Register, Register]
) -> Operation:
    """``operation`` with other registers for what it reads and for what it writes."""
    if operation.name in PSEUDO:
        target = operation.operands[0]
        assert isinstance(target, Register)
        return replace(operation, operands=(writes[target], *operation.operands[1:]))
    operands = [
        (writes if bound.operand.writes else reads).get(value, value)
        if isinstance(value, Register)
        else value
        for bound in bind(operation)
        for value in bound.values
    ]
    return replace(operation, operands=tuple(operands))
