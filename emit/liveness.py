"""Where each virtual register is live, exactly, over the loop tree.

Program points are numbered in text order: point 0 is the entry (arguments arrive), operation
``i`` reads at point ``2i + 1`` and writes at ``2i + 2``. A live range is the set of points at which
the register must keep its value, as the bits of a Python integer: two registers interfere exactly
when the ``&`` of their ranges isn't zero. A source that dies and a result that is born in one
operation touch different points, hence may share hardware.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oxegg.emit.effects import Effects, effects
from oxegg.emit.program import Loop, Operation, Program, Register, operations

Body = Sequence[Operation | Loop]


def read_point(index: int) -> int:
    """The point at which operation ``index`` (in text order) reads its sources."""
    return 2 * index + 1


def write_point(index: int) -> int:
    """The point at which operation ``index`` writes its results."""
    return 2 * index + 2


@dataclass(frozen=True)
class Liveness:
    """``ranges[register]`` is its live range; ``executions[i]`` how often operation i runs."""

    operations: tuple[Operation, ...]
    effects: tuple[Effects, ...]
    executions: tuple[int, ...]
    ranges: dict[Register, int]

    def interfere(self, first: Register, second: Register) -> bool:
        """Whether the two registers must not share hardware."""
        return self.ranges[first] & self.ranges[second] != 0


def liveness(program: Program) -> Liveness:
    """Exact live ranges of all registers of ``program``."""
    walk = _Walk(program)
    walk.body(program.body, 0)
    walk.finish(program.arguments)
    text = tuple(operations(program.body))
    return Liveness(text, tuple(walk.effects), tuple(executions(program.body)), walk.ranges())


def executions(body: Body, times: int = 1) -> Iterator[int]:
    """How often each operation runs, in text order."""
    for item in body:
        if isinstance(item, Loop):
            yield from executions(item.body, times * item.trips)
        else:
            yield times


@dataclass(frozen=True)
class _Summary:
    """Of a body: registers read before any write in it, and registers written in it."""

    exposed: int
    written: int


class _Walk:
    """One backward pass; sets of registers are bits of integers, indexed by first appearance."""

    def __init__(self, program: Program) -> None:
        self.effects = [effects(operation) for operation in operations(program.body)]
        registers = dict.fromkeys(program.arguments)
        for effect in self.effects:
            registers.update(dict.fromkeys((*effect.reads, *effect.writes)))
        self.registers = list(registers)
        self.index = {register: bit for bit, register in enumerate(self.registers)}
        self.reads = [self._set(effect.reads) for effect in self.effects]
        self.writes = [self._set(effect.writes) for effect in self.effects]
        self.position = len(self.effects)
        self.point = 2 * len(self.effects) + 1
        self.live = 0
        self.ends: dict[int, int] = {}
        self.masks = [0] * len(self.registers)

    def _set(self, registers: Sequence[Register]) -> int:
        return sum(1 << self.index[register] for register in set(registers))

    def summary(self, body: Body, end: int) -> tuple[_Summary, int]:
        """Summary of ``body`` whose operations end before ``end``; and where they begin."""
        exposed = written = 0
        for item in reversed(body):
            if isinstance(item, Loop):
                inner, end = self.summary(item.body, end)
                exposed = inner.exposed | (exposed & ~inner.written)
                written |= inner.written
            else:
                end -= 1
                exposed = self.reads[end] | (exposed & ~self.writes[end])
                written |= self.writes[end]
        return _Summary(exposed, written), end

    def body(self, body: Body, live_out: int) -> int:
        """Walk ``body`` backwards from ``live_out``; returns what is live before it."""
        live = live_out
        for item in reversed(body):
            if isinstance(item, Loop):
                carried, _ = self.summary(item.body, self.position)
                live = self.body(item.body, live | carried.exposed)
            else:
                self.position -= 1
                writes, reads = self.writes[self.position], self.reads[self.position]
                self._at(write_point(self.position), live | writes)
                live = (live & ~writes) | reads
                self._at(read_point(self.position), live)
        return live

    def _at(self, point: int, live: int) -> None:
        """Record that exactly the registers in ``live`` are live at ``point``."""
        changed = live ^ self.live
        while changed:
            bit = changed & -changed
            changed ^= bit
            register = bit.bit_length() - 1
            if live & bit:
                self.ends[register] = point
            else:
                start = self.point
                self.masks[register] |= (1 << (self.ends[register] + 1)) - (1 << start)
        self.live = live
        self.point = point

    def finish(self, arguments: Sequence[Register]) -> None:
        self._at(0, self.live | self._set(arguments))
        self._at(-1, 0)

    def ranges(self) -> dict[Register, int]:
        return dict(zip(self.registers, self.masks, strict=True))
