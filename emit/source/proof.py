"""That the new text of a loop does what the old one did, trip count by trip count, symbolically."""

from collections.abc import Sequence

from oxegg.emit.modulo.control import Control
from oxegg.emit.modulo.values import Values
from oxegg.emit.program import ZERO, Operation, Register
from oxegg.emit.source.flow import Place, places, written_places
from oxegg.emit.source.pipelines import (
    BEHIND,
    KERNEL,
    SLOW,
    SourcePipeline,
    hardware_homes,
)
from oxegg.emit.source.symbolic import Item, Label, SymbolicState, Symbols, execute
from oxegg.errors import VerificationError
from oxegg.isa import TABLE

MORE_THAN_STAGES = 4
STEP = 64
"""The value that a step in a register gets; it only has to be the same in both runs."""


def original_text(pipeline: SourcePipeline, label: str = "start") -> list[Item]:
    """The loop as it was."""
    *body, branch = pipeline.loop.operations
    return [Label(label), *body, _aimed(branch, label)]


def new_text(pipeline: SourcePipeline) -> list[Item]:
    """The loop as it will be, with the old one for few iterations."""
    kernel: list[Item] = [Label(KERNEL), *pipeline.kernel[:-1]]
    text: list[Item] = [
        *pipeline.guards,
        *pipeline.before,
        *kernel,
        _aimed(pipeline.kernel[-1], KERNEL),
        *pipeline.after,
    ]
    if pipeline.guards:
        text += [Operation("jal", (ZERO, BEHIND)), *original_text(pipeline, SLOW), Label(BEHIND)]
    return text


def _aimed(branch: Operation, label: str) -> Operation:
    return Operation(branch.name, (*branch.operands[:-1], label))


def in_hardware(text: Sequence[Item], pipeline: SourcePipeline) -> list[Item]:
    """The text with the registers of the machine in place of webs."""
    homes = hardware_homes(pipeline)

    def placed(operand: Register | int | str) -> Register | int | str:
        if not isinstance(operand, Register) or operand == ZERO or operand.number < 0:
            return operand
        return Register(operand.bank, homes[operand], operand.group)

    return [
        item
        if isinstance(item, Label)
        else Operation(item.name, tuple(map(placed, item.operands)), item.state, note=item.note)
        for item in text
    ]


def prove(pipeline: SourcePipeline, vlen: int) -> int:
    """Execute both texts symbolically for 1, 2, ... iterations; returns how many counts agreed.

    Compared are memory and every register that may be read afterwards. A loop whose end isn't known
    beforehand has no two iterations in flight, so one iteration proves all. Raises
    ``VerificationError`` for the first difference.
    """
    values = pipeline.body.values
    if not pipeline.guards and pipeline.control is None:
        _compare(pipeline, values, None, 0, vlen)
        return 1
    counts = range(1, pipeline.stages + MORE_THAN_STAGES + 1)
    for count in counts:
        _compare(pipeline, values, pipeline.control, count, vlen)
    return len(counts)


def _compare(
    pipeline: SourcePipeline, values: Values, control: Control | None, count: int, vlen: int
) -> None:
    symbols = Symbols()
    old, new = SymbolicState(symbols, vlen), SymbolicState(symbols, vlen)
    texts = (original_text(pipeline), in_hardware(new_text(pipeline), pipeline))
    for state, text in zip((old, new), texts, strict=True):
        if control is not None:
            _bind(state, control, count)
        else:
            # One iteration, up to the branch.
            text = text[: len(pipeline.loop.operations)]
        execute(text, state, _size)
    written = frozenset[Place]().union(*(written_places(op) for op in pipeline.loop.operations))
    for place in sorted(pipeline.loop.live_out & written):
        if old.place(place) != new.place(place):
            bank, number = place
            raise VerificationError(
                f"after {count} iterations {bank}{number} differs in the new loop "
                f"{pipeline.loop.label}"
            )
    if (old.memory, old.unknown, old.state) != (new.memory, new.unknown, new.state):
        raise VerificationError(
            f"after {count} iterations memory differs in the new loop {pipeline.loop.label}"
        )


def _bind(state: SymbolicState, control: Control, count: int) -> None:
    """Inputs for which the loop as it was runs ``count`` times."""
    symbols = state.symbols
    (counter,) = places(control.counter)
    step = STEP
    if isinstance(control.step, Register):
        (place,) = places(control.step)
        state.registers[place] = symbols.number(("const", STEP))
    else:
        step = control.step
    if control.limit == ZERO:
        state.registers[counter] = symbols.number(("const", -count * step))
        return
    (limit,) = places(control.limit)
    state.registers[limit] = symbols.sum(state.place(counter), count * step)


def _size(operation: Operation) -> int | None:
    """Bytes of a vector access whose length is known."""
    record = TABLE[operation.name]
    if operation.state is None or record.timing not in ("vload", "vstore"):
        return None
    width = max(o.element_width(operation.state.sew) for o in record.operands if o.kind == "v")
    return operation.state.vl * width // 8
