"""Accesses that needn't wait for their pointer: the displacement makes up for the steps.

A scalar access ``displacement(pointer)`` may stand anywhere in the pipeline when its pointer
advances by a constant once per iteration: what the pointer has gained there is a constant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from oxegg.emit.constants import fits_immediate
from oxegg.emit.effects import bind
from oxegg.emit.modulo.graph import Schedule
from oxegg.emit.modulo.values import SCALAR_SIZES, Values, address_of
from oxegg.emit.program import Operation, Register

MOST_STEPS = 4
"""Iterations by which accesses may be apart from their pointer: more stages hardly occur."""


@dataclass(frozen=True)
class Floating:
    """The access wants ``pointer`` as ``advance`` left it ``distance`` iterations before."""

    pointer: Register
    advance: int
    distance: int
    step: int


def floating_accesses(values: Values, pinned: frozenset[Register]) -> dict[int, Floating]:
    """The accesses of a loop body that may float, by operation."""
    found: dict[int, Floating] = {}
    for index, operation in enumerate(values.operations):
        if operation.name not in SCALAR_SIZES:
            continue
        pointer, displacement = address_of(operation)
        source = values.sources[index].get(pointer) if pointer is not None else None
        if pointer is None or source is None or pointer in pinned:
            continue
        advance = values.operations[source.operation]
        own = values.sources[source.operation].get(pointer)
        if advance.name != "addi" or own is None or own.operation != source.operation:
            continue
        step = advance.operands[2]
        assert isinstance(step, int)
        data_too = sum(operand == pointer for operand in operation.operands) > 1
        farthest = abs(displacement) + MOST_STEPS * abs(step)
        if not data_too and fits_immediate(farthest):
            found[index] = Floating(pointer, source.operation, source.distance, step)
    return found


def steps_ahead(schedule: Schedule, index: int, floating: Floating) -> int:
    """Steps by which the pointer is ahead of what the access wants, amid the loop."""
    places = schedule.places()
    count = len(schedule.order)
    gained = (places[index] - places[floating.advance] - 1) // count
    return gained + floating.distance


def displaced(operation: Operation, floating: Floating, steps: int) -> Operation:
    """The access with its displacement less ``steps`` steps of its pointer."""
    operands: list[Register | int | str] = []
    for bound in bind(operation):
        for value in bound.values:
            if bound.operand.name in ("imm12", "store12"):
                assert isinstance(value, int)
                value -= steps * floating.step
            operands.append(value)
    return replace(operation, operands=tuple(operands))


def displacements_fit(
    operations: Sequence[Operation], schedule: Schedule, floating: Mapping[int, Floating]
) -> bool:
    """Whether every displacement of kernel, prologue and epilogue fits its instruction."""
    for index, access in floating.items():
        _, displacement = address_of(operations[index])
        ahead = steps_ahead(schedule, index, access)
        # While the pipeline fills and drains, the pointer is nearer to what the access wants.
        extremes = (ahead, min(ahead, access.distance - 1), max(ahead, access.distance + 1))
        if not all(fits_immediate(displacement - steps * access.step) for steps in extremes):
            return False
    return True
