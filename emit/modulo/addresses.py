"""Which memory accesses of a loop meet, across iterations too.

A register that advances by a constant per iteration makes addresses affine: two accesses with the
same base and stride meet in a known number of iterations, or never.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from oxegg.emit.effects import PSEUDO
from oxegg.emit.modulo.values import Values
from oxegg.emit.program import Operation, Register
from oxegg.isa import TABLE

ENGINE_MEMORY = ("tload", "tstore", "nm_", "dma_")
LONGEST_DISTANCE = 64
"""Iterations looked ahead; accesses that meet later than that are ordered as if they met then."""


@dataclass(frozen=True)
class Access:
    """Bytes ``offset + stride * n`` to ``+ size`` behind ``base`` in iteration n.

    ``base`` is ``None`` when it may be anything; ``stride`` and ``size`` when they are unknown.
    """

    operation: int
    loads: bool
    base: str | Register | None
    offset: int | None
    stride: int | None
    size: int | None

    def meets(self, other: "Access", distance: int) -> bool:
        """Whether bytes of this access are those of ``other``, ``distance`` iterations later."""
        if None in (self.offset, other.offset, self.size, other.size):
            return True
        if self.stride is None or other.stride is None or self.stride != other.stride:
            return True
        assert self.offset is not None
        assert other.offset is not None
        assert self.size is not None
        assert other.size is not None
        later = other.offset + distance * self.stride
        return self.offset < later + other.size and later < self.offset + self.size


def accesses(values: Values) -> list[Access]:
    """Every access of the loop; the base is the buffer where an operation names one."""
    found: list[Access] = []
    for index, operation in enumerate(values.operations):
        if touches_memory(operation):
            found.append(_access(values, index, operation))
    return found


def touches_memory(operation: Operation) -> bool:
    """Whether the operation reads or writes memory."""
    if operation.name in PSEUDO:
        return False
    record = TABLE[operation.name]
    is_engine = record.timing.startswith(ENGINE_MEMORY)
    return record.memory is not None or is_engine or operation.memory is not None


def _access(values: Values, index: int, operation: Operation) -> Access:
    loads = TABLE[operation.name].memory == "load"
    pointer = values.pointer(index)
    stride = pointer.step if pointer is not None else None
    reference = operation.memory
    if reference is not None:
        loads = reference.kind == "load"
        return Access(index, loads, reference.buffer, reference.offset, stride, reference.size)
    if pointer is None:
        return Access(index, loads, None, None, None, None)
    return Access(index, loads, pointer.register, pointer.offset, stride, values.size(index))


def memory_order(found: Sequence[Access], *, disjoint_bases: bool) -> list[tuple[int, int, int]]:
    """``(first, second, distance)`` of accesses that must keep their order.

    Buffers never overlap; ``disjoint_bases`` says the same of different base registers.
    """
    edges: list[tuple[int, int, int]] = []
    for first in found:
        for second in found:
            if first.loads and second.loads:
                continue
            distance = _distance(first, second, disjoint_bases)
            if distance is not None:
                edges.append((first.operation, second.operation, distance))
    return edges


def _distance(first: Access, second: Access, disjoint_bases: bool) -> int | None:
    """After how many iterations ``second`` first meets an earlier ``first``; ``None``: never."""
    nearest = 0 if first.operation < second.operation else 1
    if first.base is None or second.base is None:
        return nearest
    if first.base != second.base:
        buffers = isinstance(first.base, str) and isinstance(second.base, str)
        return None if disjoint_bases or buffers else nearest
    for distance in range(nearest, LONGEST_DISTANCE):
        if first.meets(second, distance):
            return distance
    if first.stride == second.stride and first.stride is not None:
        return LONGEST_DISTANCE if _meet_later(first, second) else None
    return nearest


def _meet_later(first: Access, second: Access) -> bool:
    """Whether two accesses of one stride, apart so far, approach each other."""
    assert first.offset is not None
    assert second.offset is not None
    assert first.stride is not None
    return first.stride * (first.offset - second.offset) > 0
