"""The run loop: generated blocks, special instructions, faults, and the clock beside them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from oxegg.errors import SimulationError
from oxegg.sim.blocks import Block, Decoded
from oxegg.sim.clock import Clock
from oxegg.sim.events import Event
from oxegg.sim.faults import Cause, Fault, MemoryFault, StateFault
from oxegg.sim.flags import FlagsObserved
from oxegg.sim.interruption import completed
from oxegg.sim.machine_mode import Hart
from oxegg.sim.memory import LINE
from oxegg.sim.native import HOT_MICROSECONDS, NativeTier, has_native_code
from oxegg.sim.native_llvm import available
from oxegg.sim.plans import costs
from oxegg.sim.special import SpecialInstructions
from oxegg.sim.state import Mode, State
from oxegg.sim.stop import Exited
from oxegg.sim.translation import NeedsBytes, Translated, Translator

MAX_INSTRUCTIONS = 10**12


@dataclass
class Engine:
    """A hart with its memory; ``clock`` is None for a functional run.

    ``system_call`` handles ecall; it gets the state and raises ``Exited`` to stop. With a ``hart``
    faults and calls become traps of the program instead.
    """

    state: State
    clock: Clock | None = None
    system_call: Callable[[State], None] | None = None
    hart: Hart | None = None
    native: bool = True
    """Whether hot code becomes machine code of the host, where llvmlite is installed."""
    hot_microseconds: float = HOT_MICROSECONDS
    """Time spent on a block in the Python tier after which the native tier takes it."""
    _counts: dict[int, int] = field(default_factory=dict[int, int])
    """Executions by pc that no block counts any more."""
    _traps: int = 0
    _limit: int = MAX_INSTRUCTIONS
    _tiers: dict[Mode, NativeTier] = field(default_factory=dict[Mode, NativeTier])

    def __post_init__(self) -> None:
        special = SpecialInstructions(
            self.state, self.hart, self.system_call, self._forget, self._simt
        )
        self._translator = Translator(
            self.state, special.execute, self.clock is not None, self.hart
        )
        self.events: list[tuple[int, Event]] = self._translator.events
        self.state.refresh()

    # Run

    def run(self, pc: int, stop: int, max_instructions: int = MAX_INSTRUCTIONS) -> int:
        """Execute from ``pc`` until ``stop`` is reached; gives the exit code (0 at ``stop``).

        Raises ``SimulationError`` naming pc and instruction for a fault of any kind.
        """
        self._limit, code = max_instructions, 0
        try:
            with np.errstate(all="ignore"):
                self._loop(pc, stop, max_instructions)
        except Exited as exited:
            code = exited.code
        finally:
            for tier in self._tiers.values():
                tier.settle()
        if self.clock is not None:
            self.clock.check_roofline(self.state.instructions, self._dram_bytes())
        return code

    def _dram_bytes(self) -> int:
        """Bytes that crossed the DRAM interface: whole lines, and what the DMA engine moved."""
        dma = self.state.accelerators.dma
        lines = self.state.memory.touched_dram_lines()
        return lines * LINE + (dma.dram_bytes if dma else 0)

    def _loop(self, pc: int, stop: int, limit: int) -> None:
        clock, events, state = self.clock, self.events, self.state
        blocks, native = self._present()
        while pc != stop:
            operations = state.present
            if native is not None:
                visit = native.visits.get((pc, operations.number))
                if visit is not None:
                    visit.runs += 1
                    if visit.runs >= visit.limit:
                        target = native.enter(visit, limit)
                        if target >= 0:
                            pc = target
                            continue
                        pc, operations = ~target, state.present
            translated = blocks.get(pc)
            if translated is None:
                try:
                    translated = blocks[pc] = self._translator.translate(pc)
                except Fault as fault:
                    pc = self._trap(fault, pc, "")
                    blocks, native = self._present()
                    continue
                if _stays(translated.block.instructions[0]):
                    raise _too_long(limit, pc)
            if native is not None and (pc, operations.number) not in native.visits:
                native.meet(translated.block, operations)
            try:
                target = translated.run()
            except Exited:  # the call that ends the program is an instruction as well
                translated.runs += 1
                state.instructions += translated.length
                raise
            except (SimulationError, FlagsObserved):
                raise
            except Exception as error:
                pc = self._interrupted(error, translated)
                blocks, native = self._present()
                continue
            translated.runs += 1
            state.instructions += translated.length
            if clock is not None:
                block = translated.block
                taken = target != block.end
                clock.advance(block, operations.number, operations.config, events, taken)
                state.cycles = clock.cycle
                events.clear()
            if state.instructions > limit:
                raise _too_long(limit, target)
            if translated.changes_mode:
                state.bytewise_next = False
                blocks, native = self._present()
            pc = target

    def _present(self) -> tuple[dict[int, Translated], NativeTier | None]:
        """The blocks and the native tier for the present mode."""
        return self._translator.present_blocks(), self._native_tier()

    def _native_tier(self) -> NativeTier | None:
        """The native tier for the present mode, if there can be one."""
        mode = self.state.mode
        # Who records a timeline wants to hear of every block.
        recording = self.clock is not None and self.clock.recording
        # Exception flags, and numbers that aren't IEEE's, are for the lower tiers.
        slow = recording or self.state.track_flags or not has_native_code(mode)
        if slow or not (self.native and available()):
            return None
        if mode not in self._tiers:
            self._tiers[mode] = NativeTier(self, mode, self.hot_microseconds)
        return self._tiers[mode]

    def executed(self) -> dict[int, int]:
        """How often each instruction was executed, by pc."""
        counts = dict(self._counts)
        blocks = (*self._translator.blocks.values(), *self._translator.singles.values())
        # Modes may share a block.
        for translated in {id(t): t for block in blocks for t in block.values()}.values():
            _count(counts, translated.block, translated.runs)
        for tier in self._tiers.values():
            for block, runs in tier.executed():
                _count(counts, block, runs)
        return counts

    # Special instructions

    def _simt(self, decoded: Decoded) -> int:
        """SIMT mode from its first instruction to the return to the scalar core."""
        # Few programs have SIMT code.
        from oxegg.sim.simt_run import SimtRun
        from oxegg.sim.simt_timing import time_simt

        core = self.state.accelerators.simt
        if core is None:
            raise StateFault("this machine has no SIMT mode")
        run = SimtRun(core, self.state, self._translator.single, self._new_lines, self._limit)
        target, issued = run.run(decoded)
        if self.clock is not None and issued:
            machine = self.clock.machine
            self.clock.simt(time_simt(machine, costs(machine), issued))
        return target

    def _new_lines(self) -> int:
        """DRAM lines that the events so far tell of; forgets the events."""
        lines = sum(event for _, event in self.events if isinstance(event, int))
        self.events.clear()
        return lines

    def _forget(self, fence: Decoded) -> None:
        """Drop all translated blocks, that of the running fence.i among them."""
        counts = self.executed()
        counts[fence.pc] += 1
        self._counts = counts
        self._translator.forget()
        for tier in self._tiers.values():
            tier.forget()

    def new_site(self, decoded: Decoded, place: int) -> int:
        """Register a vector instruction; gives its number for ``Operations``."""
        return self._translator.new_site(decoded, place)

    # Faults

    def _interrupted(self, error: Exception, translated: Translated) -> int:
        """Where to go on after an exception in a block; raises ``SimulationError`` if nowhere.

        The instructions before the one at fault have completed, and it had no effect yet.
        """
        place, error = completed(error, translated, self.state)
        self.retire(translated.block, place)
        decoded = translated.block.instructions[place]
        match error:
            case NeedsBytes():
                self.state.bytewise_next = True
                return decoded.pc
            case Fault():
                return self._trap(error, decoded.pc, f"{decoded}: ")
            case StateFault():
                raise SimulationError(f"pc = {decoded.pc:#x}: {decoded}: {error}") from error
            case _:
                raise error

    def retire(self, block: Block, count: int) -> None:
        """Account for the first instructions of a block that was left in the middle."""
        if count == 0:
            self.events.clear()
            return
        block = Block(block.instructions[:count])
        self.state.instructions += count
        _count(self._counts, block, 1)
        if self.clock is not None:
            present = self.state.present
            events = [event for event in self.events if event[0] < count]
            self.clock.advance(block, present.number, present.config, events, False)
            self.state.cycles = self.clock.cycle
            self.events.clear()

    def _trap(self, fault: Fault, pc: int, instruction: str) -> int:
        """The address of the program's own handler; raises ``SimulationError`` without one."""
        if self.hart is None:
            raise SimulationError(f"pc = {pc:#x}: {instruction}{fault}") from fault
        # A loop of traps executes no instruction, but it must end as well.
        self._traps += 1
        if self.state.instructions + self._traps > self._limit:
            raise _too_long(self._limit, pc)
        value = fault.value
        if fault.cause == Cause.ILLEGAL_INSTRUCTION:
            try:
                value = self._translator.word(pc)
            except MemoryFault:  # a thread of SIMT mode may have left the mode that can fetch it
                value = 0
        handler = self.hart.trap(fault.cause, value, pc)
        try:
            self._translator.fetch(handler)
        except MemoryFault:
            raise SimulationError(
                f"pc = {pc:#x}: {instruction}{fault}; the trap handler at {handler:#x} is no code"
            ) from fault
        return handler


def _count(counts: dict[int, int], block: Block, runs: int) -> None:
    for decoded in block.instructions:
        counts[decoded.pc] = counts.get(decoded.pc, 0) + runs


def _stays(decoded: Decoded) -> bool:
    """Whether the instruction does nothing but go to itself: no interrupt comes unasked."""
    operands = decoded.operands
    return decoded.record.name == "jal" and operands["rd"] == operands["offset20"] == 0


def _too_long(limit: int, pc: int) -> SimulationError:
    return SimulationError(
        f"more than {limit} instructions executed, pc = {pc:#x}",
        hint="raise max_instructions (--max-instructions N) if it is meant to run this long",
    )
