"""Prologue and epilogue of a leaf function: callee-saved registers, spill area, arguments."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from oxegg.emit.constants import fits_immediate, materialize_constant
from oxegg.emit.program import STACK_POINTER, Bank, Operation, Register
from oxegg.errors import EmitError

STACK_ALIGNMENT = 16
CALLEE_SAVED = (8, 9, *range(18, 28))
TEMPORARIES = (5, 6, 7, 28, 29, 30, 31)


@dataclass(frozen=True)
class Frame:
    """What surrounds the body; operands are *hardware* registers written as ``Register``s."""

    prologue: tuple[Operation, ...]
    epilogue: tuple[Operation, ...]
    size: int


def frame(
    used: Mapping[Bank, frozenset[int]], spill_bytes: int, stack_arguments: tuple[int, ...]
) -> Frame:
    """The frame of a function that writes the hardware registers ``used``, per bank.

    ``stack_arguments`` are the x registers that want the arguments passed in memory, in order.
    Layout from ``sp`` upwards: spill slots, saved registers, the caller's frame. Numbers of
    registers in the result are hardware numbers, but for ``STACK_POINTER``.
    """
    banks: tuple[Bank, ...] = ("x", "f")
    saved = [Register(bank, n) for bank in banks for n in CALLEE_SAVED if n in used[bank]]
    saves, spills = _aligned(8 * len(saved)), _aligned(spill_bytes)
    # Arguments are loaded while their offsets are small; then t registers may be occupied.
    free = [n for n in TEMPORARIES if n not in stack_arguments]
    if not free:
        raise EmitError("too many parameters", hint="pass fewer arrays and scalars")
    scratch = Register("x", free[0])
    incoming = (
        Operation("ld", (Register("x", home), saves + 8 * k, STACK_POINTER), note="argument")
        for k, home in enumerate(stack_arguments)
    )
    return Frame(
        (
            *_move_stack(-saves, scratch),
            *_accesses(saved, {"x": "sd", "f": "fsd"}),
            *incoming,
            *_move_stack(-spills, scratch),
        ),
        (
            *_move_stack(spills, scratch),
            *_accesses(saved, {"x": "ld", "f": "fld"}),
            *_move_stack(saves, scratch),
        ),
        saves + spills,
    )


def _accesses(saved: Sequence[Register], names: Mapping[Bank, str]) -> Iterator[Operation]:
    for k, register in enumerate(saved):
        yield Operation(names[register.bank], (register, 8 * k, STACK_POINTER))


def _move_stack(distance: int, scratch: Register) -> Iterator[Operation]:
    if distance and fits_immediate(distance):
        yield Operation("addi", (STACK_POINTER, STACK_POINTER, distance))
    elif distance:
        yield from materialize_constant(scratch, distance)
        yield Operation("add", (STACK_POINTER, STACK_POINTER, scratch))


def _aligned(size: int) -> int:
    return -(-size // STACK_ALIGNMENT) * STACK_ALIGNMENT
