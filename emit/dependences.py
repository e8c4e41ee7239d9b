"""Which operations of a straight-line block must keep their order."""

from collections.abc import Sequence

from oxegg.emit.effects import PSEUDO, effects
from oxegg.emit.program import MemoryRef, Operation, Register
from oxegg.isa import TABLE

_MEMORY_CLASSES = ("tload", "tstore", "nm_", "dma_")


def dependences(block: Sequence[Operation]) -> tuple[tuple[int, ...], ...]:
    """For each operation the later ones that must stay behind it (some of them implied)."""
    builder = _Builder(len(block))
    for index, operation in enumerate(block):
        builder.add(index, operation)
    return tuple(tuple(sorted(after)) for after in builder.successors)


Key = Register | str


class _Builder:
    def __init__(self, count: int) -> None:
        self.successors: list[set[int]] = [set() for _ in range(count)]
        self.writer: dict[Key, int] = {}
        self.readers: dict[Key, list[int]] = {}
        self.accesses: list[tuple[int, MemoryRef | None, bool]] = []
        self.barrier: int | None = None

    def add(self, index: int, operation: Operation) -> None:
        effect = effects(operation)
        self._registers(index, (*effect.reads, *effect.uses), (*effect.writes, *effect.changes))
        self._memory(index, operation)
        if self.barrier is not None:
            self.successors[self.barrier].add(index)
        is_branch = any(isinstance(operand, str) for operand in operation.operands)
        if effect.barrier or (is_branch and operation.name not in PSEUDO):
            for earlier in range(index):
                self.successors[earlier].add(index)
            self.barrier = index

    def _registers(self, index: int, reads: Sequence[Key], writes: Sequence[Key]) -> None:
        for key in reads:
            if key in self.writer:
                self.successors[self.writer[key]].add(index)
        for key in writes:
            earlier = self.readers.pop(key, [])
            if key in self.writer:
                earlier.append(self.writer[key])
            for before in earlier:
                self.successors[before].add(index)
            self.writer[key] = index
        for key in reads:
            if self.writer.get(key) != index:
                self.readers.setdefault(key, []).append(index)

    def _memory(self, index: int, operation: Operation) -> None:
        if operation.name in PSEUDO:
            return
        instruction = TABLE[operation.name]
        touches = instruction.memory is not None or instruction.timing.startswith(_MEMORY_CLASSES)
        if not touches and operation.memory is None:
            return
        loads = operation.memory is None and instruction.memory == "load"
        for before, other, other_loads in self.accesses:
            if _conflict(operation.memory, loads, other, other_loads):
                self.successors[before].add(index)
        self.accesses.append((index, operation.memory, loads))


def _conflict(
    first: MemoryRef | None, first_loads: bool, second: MemoryRef | None, second_loads: bool
) -> bool:
    """Whether two accesses must keep their order; an unknown place may be any place."""
    if first is not None and second is not None:
        return first.conflicts(second)
    first_loads = first_loads or (first is not None and first.kind == "load")
    second_loads = second_loads or (second is not None and second.kind == "load")
    return not (first_loads and second_loads)
