"""What a program must satisfy before the back end takes it."""

from collections.abc import Iterator

from oxegg.emit.effects import LA, LI, PSEUDO, Bound, bind, effects, instruction_of
from oxegg.emit.program import (
    ELEMENT_WIDTHS,
    GROUP_SIZES,
    LMULS,
    STACK_POINTER,
    ZERO,
    Operation,
    Program,
    Register,
    VectorState,
    loops,
    operations,
)
from oxegg.errors import EmitError

_BANKS = ("x", "f", "v")
_WITHOUT_STATE = ("vmv_whole", "vload_whole", "vstore_whole")


def check(program: Program, vlen: int) -> None:
    """Raise ``EmitError`` naming the first operation that is ill-formed.

    Checked: mnemonics, number and banks of operands, group sizes against LMUL, vector states
    (that exist with ``vlen``-bit registers), labels, trip counts, that every register is
    written before it is read, and that nothing writes ``x0`` or ``sp``.
    """
    _check_loops(program)
    defined = {*program.arguments, ZERO, STACK_POINTER}
    for operation in operations(program.body):
        for problem in _problems(operation, program, vlen):
            raise EmitError(f"{program.name}: {problem} in `{operation}`")
        for register in _needed(operation):
            if register not in defined:
                raise EmitError(
                    f"{program.name}: {register} is read before it is written in `{operation}`"
                )
        defined.update(effects(operation).writes)


def _check_loops(program: Program) -> None:
    labels: set[str] = set()
    branches = 0
    for loop in loops(program.body):
        last = loop.body[-1] if loop.body else None
        if not isinstance(last, Operation) or last.operands[-1:] != (loop.label,):
            raise EmitError(f"loop {loop.label} doesn't end in a branch back to it")
        if loop.trips < 1:
            raise EmitError(f"loop {loop.label} runs {loop.trips} times")
        if loop.label in labels:
            raise EmitError(f"the label {loop.label} is used twice")
        labels.add(loop.label)
        branches += 1
    found = [operation for operation in operations(program.body) if _is_branch(operation)]
    if len(found) != branches:
        raise EmitError(f"{program.name} branches elsewhere than at the end of a loop")


def _is_branch(operation: Operation) -> bool:
    return operation.name not in PSEUDO and instruction_of(operation).is_branch


def _needed(operation: Operation) -> tuple[Register, ...]:
    """Registers whose value the operation computes with.

    An undisturbed destination is live before, but its first write may leave the tail as it was.
    """
    if operation.name in PSEUDO:
        return ()
    return tuple(
        register for bound in bind(operation) if bound.operand.reads for register in bound.registers
    )


def _problems(operation: Operation, program: Program, vlen: int) -> Iterator[str]:
    if operation.name in PSEUDO:
        yield from _pseudo_problems(operation, program)
        return
    instruction = instruction_of(operation)
    if instruction.timing == "vset" or "ff.v" in operation.name:
        yield "the back end sets vl itself"
    for bound in bind(operation):
        yield from _operand_problems(operation, bound)
    wants_state = instruction.is_vector and instruction.timing not in _WITHOUT_STATE
    if wants_state and operation.state is None:
        yield "a vector state is missing"
    if operation.state is not None:
        yield from _state_problems(operation.state, vlen)
    for overlap in effects(operation).overlaps:
        if overlap.result == overlap.source and not overlap.allows(0, 0):
            yield f"{overlap.result} can't be result and source"


def _pseudo_problems(operation: Operation, program: Program) -> Iterator[str]:
    match operation.name, operation.operands:
        case str(), (Register(bank="x"), int()) if operation.name == LI:
            return
        case str(), (Register(bank="x"), str() as name) if operation.name == LA:
            if name not in program.constants:
                yield f"there is no constant {name}"
        case _:
            yield "the operands don't fit"


def _operand_problems(operation: Operation, bound: Bound) -> Iterator[str]:
    operand = bound.operand
    bank = "v" if operand.kind in ("mask", "v0") else operand.kind
    for value in bound.values:
        if (bank in _BANKS) != isinstance(value, Register):
            yield f"{operand.name} can't be {value}"
        elif isinstance(value, Register):
            if value.bank != bank:
                yield f"{operand.name} can't be {value}"
            if value.group not in GROUP_SIZES:
                yield f"{value} isn't a group of 1, 2, 4 or 8"
            if operand.writes and value in (ZERO, STACK_POINTER) and value != ZERO:
                yield "the stack pointer is the back end's"
            yield from _group_problems(operation, bound, value)


def _group_problems(operation: Operation, bound: Bound, value: Register) -> Iterator[str]:
    operand = bound.operand
    if operand.kind != "v" or operation.name.startswith("ox."):
        return
    if operand.registers is not None:
        wanted = operand.registers
    elif operation.state is not None:
        emul = operand.emul(operation.state.sew, operation.state.lmul)
        if emul not in LMULS:
            yield f"{operand.name} would need LMUL {emul}"
        wanted = max(1, int(emul))
    else:
        return
    # A single element or a mask may be read from a group's first register.
    larger_source = operand.registers is not None and not operand.writes and value.group > wanted
    if value.group != wanted and not larger_source:
        yield f"{value} should be a group of {wanted}"


def _state_problems(state: VectorState, vlen: int) -> Iterator[str]:
    if state.sew not in ELEMENT_WIDTHS or state.lmul not in LMULS:
        yield f"no vtype is e{state.sew} with LMUL {state.lmul}"
    elif not 1 <= state.vl <= state.maximum_vl(vlen):
        yield f"vl {state.vl} isn't from 1 to {state.maximum_vl(vlen)}"
