"""The run loop of SIMT mode, and the trace of it that the clock times."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from oxegg.isa.semantics import Apply, Expression, Name
from oxegg.sim.blocks import Block, Decoded
from oxegg.sim.faults import StateFault
from oxegg.sim.memory import MemoryFault
from oxegg.sim.simt import TURN, SimtCore, Warp
from oxegg.sim.state import State

U64 = (1 << 64) - 1


class Single(Protocol):
    """One translated instruction."""

    block: Block
    run: Callable[[], int]
    runs: int


@dataclass(frozen=True)
class Issued:
    """One instruction that a warp issued: the addresses and sizes of its threads' accesses."""

    warp: int
    decoded: Decoded
    accesses: tuple[tuple[int, int], ...]
    new_lines: int
    barrier: tuple[int, int] | None = None
    """Number and count of a barrier instruction."""


@dataclass
class SimtRun:
    """Executes SIMT mode from one SIMT instruction until only the scalar core is left."""

    core: SimtCore
    state: State
    fetch: Callable[[int], Single]
    new_lines: Callable[[], int]
    """DRAM lines that the instruction just executed touched first."""
    limit: int

    def run(self, decoded: Decoded) -> tuple[int, list[Issued]]:
        """Execute ``decoded`` and all up to the return to scalar mode; gives the next pc.

        Raises ``StateFault`` for threads that part at a branch, and for barriers never reached.
        """
        core, issued = self.core, list[Issued]()
        first = core.warps[0].threads[0]
        first.save(self.state.x, self.state.f_u64)
        core.current = core.thread = 0
        self._control(decoded)
        warp, turn = core.warp, 0
        while not core.is_scalar:
            if not warp.mask or warp.barrier is not None or turn >= TURN:
                warp, turn = core.next_warp(), 0
            issued.append(self._issue(warp))
            turn += 1
            self.state.instructions += 1
            if self.state.instructions > self.limit:
                raise StateFault(f"more than {self.limit} instructions executed")
        first.load(self.state.x, self.state.f_u64)
        core.current = core.thread = 0
        return core.warps[0].pc, issued

    def _execute(self, single: Single, decoded: Decoded) -> int:
        try:
            return single.run()
        except MemoryFault as fault:
            raise StateFault(f"pc = {decoded.pc:#x}: {decoded}: {fault}") from fault

    def _control(self, decoded: Decoded) -> None:
        self.core.control(decoded.record.name, decoded.operands, decoded.pc + decoded.length)

    def _issue(self, warp: Warp) -> Issued:
        single = self.fetch(warp.pc)
        decoded = single.block.instructions[0]
        single.runs += 1
        if decoded.record.extension == "Xoxw":
            arrival: tuple[int, int] | None = None
            if decoded.record.name == "ox.bar":
                x, operands = warp.last.x, decoded.operands
                arrival = x[operands["rs1"]], x[operands["rs2"]]
            self._control(decoded)
            return Issued(warp.number, decoded, (), 0, arrival)
        if decoded.record.is_vector or decoded.record.is_custom or decoded.record.timing == "vset":
            raise StateFault(f"pc = {decoded.pc:#x}: {decoded}: not a scalar instruction")
        accesses: list[tuple[int, int]] = []
        targets: set[int] = set()
        for number, thread in warp.active():
            self.core.thread = number
            thread.load(self.state.x, self.state.f_u64)
            if decoded.record.memory:
                accesses.append(_access(decoded, self.state))
            targets.add(self._execute(single, decoded))
            thread.save(self.state.x, self.state.f_u64)
        if len(targets) > 1:
            raise StateFault(
                f"pc = {decoded.pc:#x}: threads of warp {warp.number} part at a branch: "
                "ox.split comes first"
            )
        warp.pc = targets.pop()
        return Issued(warp.number, decoded, tuple(accesses), self.new_lines())


def _access(decoded: Decoded, state: State) -> tuple[int, int]:
    """Address and bytes of a scalar memory access under the present registers."""
    operands = decoded.operands
    base = state.x[operands["rs1"]]
    offset = operands.get("imm12", operands.get("store12", 0))
    sizes = [_size(statement.value) for statement in decoded.record.statements]
    return base + offset & U64, max(sizes, default=8)


def _size(e: Expression) -> int:
    """Bytes of the widest access in an expression."""
    if not isinstance(e, Apply):
        return 0
    match e:
        case Apply("load", (_, bits)) | Apply("store", (_, _, bits)):
            assert not isinstance(bits, Name)
            return getattr(bits, "value", 64) // 8
        case _:
            return max(map(_size, e.arguments), default=0)
