"""Prologue and epilogue of a leaf function: callee-saved registers, spill area, arguments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oxegg.emit.constants import fits_immediate, materialize_constant
from oxegg.emit.program import STACK_POINTER, ZERO, Operation, Register

STACK_ALIGNMENT = 16
CALLEE_SAVED = (8, 9, *range(18, 28))
RETURN_ADDRESS = Register("x", 1)
SCRATCH = Register("x", 5)
"""t0: holds nothing before the first and after the last instruction of the body."""

HARDWARE = {ZERO: 0, STACK_POINTER: 2}


@dataclass(frozen=True)
class Frame:
    """What surrounds the body; operands are *hardware* registers written as ``Register``s."""

    prologue: tuple[Operation, ...]
    epilogue: tuple[Operation, ...]
    size: int


def frame(
    used: Mapping[str, frozenset[int]], spill_bytes: int, stack_arguments: tuple[int, ...]
) -> Frame:
    """The frame of a function that writes the hardware registers ``used`` (per bank).

    ``stack_arguments`` are the x registers that want the arguments passed in memory, in order.
    Layout from ``sp`` upwards: spill slots, saved registers, the caller's frame.
    """
    saved = [(bank, n) for bank in ("x", "f") for n in CALLEE_SAVED if n in used[bank]]
    save_bytes = _aligned(8 * len(saved))
    spill_bytes = _aligned(spill_bytes)
    down = tuple(_move_stack(-save_bytes))
    stores = tuple(_saves(saved, {"x": "sd", "f": "fsd"}))
    incoming = tuple(
        Operation("ld", (Register("x", home), save_bytes + 8 * k, STACK_POINTER), note="argument")
        for k, home in enumerate(stack_arguments)
    )
    # The constant for a large spill area goes to t0, which an argument may already occupy: then
    # the stack moves first.
    restores = tuple(_saves(saved, {"x": "ld", "f": "fld"}))
    return Frame(
        (*down, *stores, *_open_spills(spill_bytes, incoming)),
        (*_move_stack(spill_bytes), *restores, *_move_stack(save_bytes)),
        save_bytes + spill_bytes,
    )


def _open_spills(size: int, incoming: tuple[Operation, ...]) -> Iterator[Operation]:
    yield from incoming
    yield from _move_stack(-size)


def _saves(saved: list[tuple[str, int]], names: Mapping[str, str]) -> Iterator[Operation]:
    for k, (bank, number) in enumerate(saved):
        register = Register("x" if bank == "x" else "f", number)
        yield Operation(names[bank], (register, 8 * k, STACK_POINTER))


def _move_stack(distance: int) -> Iterator[Operation]:
    if distance and fits_immediate(distance):
        yield Operation("addi", (STACK_POINTER, STACK_POINTER, distance))
    elif distance:
        yield from materialize_constant(SCRATCH, distance)
        yield Operation("add", (STACK_POINTER, STACK_POINTER, SCRATCH))


def _aligned(size: int) -> int:
    return -(-size // STACK_ALIGNMENT) * STACK_ALIGNMENT
