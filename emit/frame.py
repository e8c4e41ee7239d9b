"""Prologue and epilogue of a leaf function: callee-saved registers, spill area, arguments."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from oxegg.emit.constants import fits_immediate, materialize_constant
from oxegg.emit.program import STACK_POINTER, Bank, Operation, Register

STACK_ALIGNMENT = 16
LARGEST_STEP = 2048 - STACK_ALIGNMENT
"""Bytes that one addi may move the stack pointer, which stays aligned."""
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
    # Arguments are loaded while their offsets are small; then they may occupy all t registers.
    free = [Register("x", n) for n in TEMPORARIES if n not in stack_arguments]
    scratch = free[0] if free else None
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


def _move_stack(distance: int, scratch: Register | None) -> Iterator[Operation]:
    if scratch is not None and not fits_immediate(distance):
        yield from materialize_constant(scratch, distance)
        yield Operation("add", (STACK_POINTER, STACK_POINTER, scratch))
        return
    while distance:
        step = max(-LARGEST_STEP, min(distance, LARGEST_STEP))
        yield Operation("addi", (STACK_POINTER, STACK_POINTER, step))
        distance -= step


def _aligned(size: int) -> int:
    return -(-size // STACK_ALIGNMENT) * STACK_ALIGNMENT
