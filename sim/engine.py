"""The run loop: generated blocks, special instructions, faults, and the clock beside them."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from oxegg.errors import OxeggError, SimulationError
from oxegg.isa.registers import CSR_NUMBERS
from oxegg.isa.semantics import Apply
from oxegg.sim.blocks import MAX_LENGTH, SIMT, Block, BlockSource, Decoded, form_block
from oxegg.sim.clock import Clock
from oxegg.sim.custom import compile_custom
from oxegg.sim.domains import context_for
from oxegg.sim.events import Event
from oxegg.sim.faults import (
    Cause,
    EnvironmentCall,
    Fault,
    IllegalInstruction,
    MemoryFault,
    StateFault,
)
from oxegg.sim.host_float import (
    NAN,
    divide,
    float_to_int,
    fma32,
    fma64,
    larger,
    smaller,
    square_root,
    unbox,
)
from oxegg.sim.integers import (
    byte_or,
    byte_reverse,
    leading_zeros,
    population,
    trailing_zeros,
    truncated_quotient,
    truncated_remainder,
)
from oxegg.sim.machine_mode import MACHINE, SUPERVISOR, Hart
from oxegg.sim.memory import LINE
from oxegg.sim.native import HOT_MICROSECONDS, NativeTier, has_native_code
from oxegg.sim.native_llvm import available
from oxegg.sim.simt_run import SimtRun
from oxegg.sim.state import Mode, State, VectorConfig
from oxegg.sim.stop import Exited
from oxegg.sim.vector import compile_vector
from oxegg.sim.vector_memory import Access

Result = TypeVar("Result")
BLOCK_FILE = "<guest block>"
MAX_INSTRUCTIONS = 10**12
# The call in generated code that checks an access: address variable, size, whether it is a store.
ACCESS_CALL = re.compile(r"access\w*\(\d+, (\w+), (\d+), (True|False)\)")
FLAG_CSRS = frozenset({CSR_NUMBERS["fflags"], CSR_NUMBERS["fcsr"]})
HELPERS: dict[str, Any] = {
    "NAN": NAN, "divide": divide, "float_to_int": float_to_int, "fma32": fma32, "fma64": fma64,
    "square_root": square_root, "unbox": unbox, "byte_or": byte_or, "byte_reverse": byte_reverse,
    "leading_zeros": leading_zeros, "population": population, "trailing_zeros": trailing_zeros,
    "truncated_quotient": truncated_quotient, "truncated_remainder": truncated_remainder,
    "smaller": smaller, "larger": larger,
}  # fmt: skip


class FlagsObserved(Exception):
    """The program is about to read fflags, which were not tracked so far: run it once more.

    Few programs ever read the accrued float exceptions, and tracking them costs all the speed of
    host floats. So the first run goes without. The one way to observe flags is to read fflags or
    fcsr into a register, and a program that gets there is run again from its start with tracking:
    nothing has left the simulator by then, and runs are deterministic, so nobody sees a difference.
    """


def with_flags_if_observed(run: Callable[[bool], Result]) -> Result:
    """``run(track_flags)``, which makes everything anew, without tracking if that suffices."""
    with suppress(FlagsObserved):
        return run(False)
    return run(True)


class NeedsBytes(Exception):
    """A scalar access that the code of its block can't do: misaligned, or to a device."""


@dataclass
class Translated:
    """A block ready to run."""

    block: Block
    source: BlockSource | None
    run: Callable[[], int]
    length: int
    changes_mode: bool
    runs: int = 0


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
    events: list[tuple[int, Event]] = field(default_factory=list[tuple[int, Event]])
    sites: list[tuple[Decoded, int]] = field(default_factory=list[tuple[Decoded, int]])
    _blocks: dict[Mode, dict[int, Translated]] = field(default_factory=dict[Any, Any])
    _counts: dict[int, int] = field(default_factory=dict[int, int])
    """Executions by pc that no block counts any more."""
    _traps: int = 0
    _singles: dict[Mode, dict[int, Translated]] = field(default_factory=dict[Any, Any])
    _limit: int = MAX_INSTRUCTIONS
    native: bool = True
    """Whether hot code becomes machine code of the host, where llvmlite is installed."""
    hot_microseconds: float = HOT_MICROSECONDS
    """Time spent on a block in the Python tier after which the native tier takes it."""
    _tiers: dict[Mode, NativeTier] = field(default_factory=dict[Mode, NativeTier])

    def __post_init__(self) -> None:
        state, memory = self.state, self.state.memory
        state.compile_site = self._compile_site
        self._namespace: dict[str, Any] = HELPERS | {
            "x": state.x, "fd": state.f_f64, "fs": state.f_f32, "fq": state.f_u64,
            "fi": state.f_u32, "state": state, "u8": memory.u8, "u16": memory.u16,
            "u32": memory.u32, "u64": memory.u64, "timed": memory.timed,
            "functional": memory.functional, "access": self._access,
            "Context": context_for(state.domain),
            "access_atomic": self._access_atomic, "access_bytes": self._access_bytes,
            "load_bytes": memory.load_bytes, "store_bytes": memory.store_bytes,
            "store_conditional": self._store_conditional,
            "IllegalInstruction": IllegalInstruction,
        }  # fmt: skip
        state.refresh()

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
        lines = self.state.memory.touched.count(1)
        return lines * LINE + (dma.dram_bytes if dma else 0)

    def _loop(self, pc: int, stop: int, limit: int) -> None:
        clock, events, state = self.clock, self.events, self.state
        blocks = self._blocks.setdefault(state.mode, {})
        native = self._native_tier()
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
                    translated = blocks[pc] = self._translate(pc)
                except Fault as fault:
                    pc = self._trap(fault, pc, "")
                    blocks, native = self._blocks.setdefault(state.mode, {}), self._native_tier()
                    continue
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
                blocks, native = self._blocks.setdefault(state.mode, {}), self._native_tier()
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
                blocks, native = self._blocks.setdefault(state.mode, {}), self._native_tier()
            pc = target

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
        blocks = (*self._blocks.values(), *self._singles.values())
        # Modes may share a block.
        for translated in {id(t): t for block in blocks for t in block.values()}.values():
            _count(counts, translated.block, translated.runs)
        for tier in self._tiers.values():
            for block, runs in tier.executed():
                _count(counts, block, runs)
        return counts

    def single(self, pc: int) -> Translated:
        """The one instruction at ``pc``, ready to run: SIMT mode executes each per thread."""
        blocks = self._singles.setdefault(self.state.mode, {})
        if pc not in blocks:
            blocks[pc] = self._translate(pc, limit=1)
        return blocks[pc]

    # Translation

    def _fetch(self, pc: int) -> int:
        memory = self.state.memory
        if pc & 1:
            raise MemoryFault(f"misaligned jump to {pc:#x}", Cause.FETCH_MISALIGNED, pc)
        region = memory.holder(pc, 2)
        if region is None or not region.executable:
            reason = "nothing is mapped there" if region is None else "the jump target is data"
            raise MemoryFault(f"no code: {reason}", Cause.FETCH_ACCESS, pc)
        return memory.u16[pc >> 1]

    def _translate(self, pc: int, limit: int = MAX_LENGTH) -> Translated:
        """The block of at most ``limit`` instructions at ``pc``; raises ``Fault`` without code."""
        mode = self.state.mode
        alone = mode.vstart or mode.bytewise
        try:
            block = form_block(self._fetch, pc, 1 if alone else limit)
        except OxeggError as error:
            raise IllegalInstruction(error.message) from error
        if 0 < mode.frm < 5 and not block.rounds_dynamically and limit == MAX_LENGTH:
            # The code is the same under all legal rounding modes.
            mode = mode._replace(frm=0)
            known = self._blocks.setdefault(mode, {}).get(pc)
            if known is not None:
                return known
        if block.special:
            return Translated(block, None, lambda: self._special(block.instructions[0]), 1, True)
        source = BlockSource(
            block, mode, self.clock is not None, self.state.track_flags, self.new_site
        )
        text = source.generate()
        namespace: dict[str, Any] = {**self._namespace, **source.bindings}
        exec(compile(text, BLOCK_FILE, "exec"), namespace)
        length = len(block.instructions)
        return Translated(block, source, namespace["block"], length, alone)

    def new_site(self, decoded: Decoded, place: int) -> int:
        """Register a vector instruction; gives its number for ``Operations``."""
        self.sites.append((decoded, place))
        return len(self.sites) - 1

    def _compile_site(self, site: int, config: VectorConfig) -> Callable[..., Any]:
        decoded, place = self.sites[site]
        events = self.events
        access = Access(
            self.state.memory, self.clock is not None, lambda new: events.append((place, new))
        )
        if decoded.record.is_custom:

            def note(event: Event) -> None:
                events.append((place, event))

            return compile_custom(decoded.record, decoded.values, self.state, access, note)
        return compile_vector(decoded.record, decoded.values, config, self.state, access)

    # Memory

    def _access(self, place: int, address: int, size: int, write: bool) -> None:
        """The slow part of a scalar access's check."""
        if self.state.memory.needs_bytes(address, size, write=write):
            raise NeedsBytes
        self._access_atomic(place, address, size, write)

    def _access_bytes(self, place: int, address: int, size: int, write: bool) -> None:
        """The check of an access that may be misaligned."""
        new = self.state.memory.check(address, size, 1, write=write)
        if self.clock is not None and new >= 0:
            self.events.append((place, new))

    def _access_atomic(self, place: int, address: int, size: int, write: bool) -> None:
        """The slow part of the check of an access that has to be aligned."""
        new = self.state.memory.check(address, size, size, write=write)
        if self.clock is not None and new >= 0:
            self.events.append((place, new))

    def _store_conditional(self, address: int, value: int, size: int) -> int:
        """0 when the store happened, 1 when the reservation was lost."""
        state = self.state
        held, state.reservation = state.reservation, None
        if held != address:
            return 1
        state.memory.check(address, size, size, write=True)
        state.memory.write(address, (value & ((1 << 8 * size) - 1)).to_bytes(size, "little"))
        return 0

    # Special instructions

    def _special(self, decoded: Decoded) -> int:
        if decoded.record.timing in SIMT:
            return self._simt(decoded)
        following = decoded.pc + decoded.length
        hart = self.hart
        match decoded.record.name:
            case "ecall" if self.system_call is not None:
                self.system_call(self.state)
            case "ecall":
                raise EnvironmentCall("ecall has no handler here", Cause.ECALL_FROM_U)
            case "ebreak":
                raise EnvironmentCall("ebreak has no handler here", Cause.BREAKPOINT, decoded.pc)
            case "fence.i":
                self._forget(decoded)
            case "mret" | "sret" | "wfi" | "sfence.vma" if hart is None:
                raise IllegalInstruction("there are no privileged modes here")
            case "mret" | "sret" if hart is not None:
                level = SUPERVISOR if decoded.record.name == "sret" else MACHINE
                following = hart.trap_return(level)
            case "wfi" if hart is not None:
                hart.wait_for_interrupt()
            case "sfence.vma" if hart is not None:
                hart.translation_fence()
            case _ if decoded.record.timing == "csr":
                self._csr(decoded)
            case _:  # fences: accesses are in order anyway
                pass
        return hart.interrupt(following) if hart is not None else following

    def _simt(self, decoded: Decoded) -> int:
        """SIMT mode from its first instruction to the return to the scalar core."""
        core = self.state.accelerators.simt
        if core is None:
            raise StateFault("this machine has no SIMT mode")
        run = SimtRun(core, self.state, self.single, self._new_lines, self._limit)
        target, issued = run.run(decoded)
        if self.clock is not None and issued:
            self.clock.simt(issued)
        return target

    def _new_lines(self) -> int:
        """DRAM lines that the events so far tell of; forgets the events."""
        lines = sum(event for _, event in self.events if isinstance(event, int))
        self.events.clear()
        return lines

    def _csr(self, decoded: Decoded) -> None:
        state, operands = self.state, decoded.operands
        value = decoded.record.statements[0].value
        assert isinstance(value, Apply)
        number, rd = operands["csr"], operands["rd"]
        immediate = "zimm" in operands
        source = operands["zimm" if immediate else "rs1"]
        new = source if immediate else state.x[source]
        if rd and number in FLAG_CSRS and not state.track_flags:
            raise FlagsObserved
        registers = self.hart or state
        try:
            old = registers.read_csr(number)
            if value.operation == "csr_swap":
                registers.write_csr(number, new)
            elif source:
                changed = old | new if value.operation == "csr_set" else old & ~new
                registers.write_csr(number, changed)
        except KeyError as error:
            raise IllegalInstruction(f"CSR {number:#x} can't be accessed") from error
        if rd:
            state.x[rd] = old
        state.refresh()

    def _forget(self, fence: Decoded) -> None:
        """Drop all translated blocks, that of the running fence.i among them."""
        counts = self.executed()
        counts[fence.pc] += 1
        self._counts = counts
        self._blocks.clear()
        self._singles.clear()
        for tier in self._tiers.values():
            tier.forget()

    # Faults

    def _interrupted(self, error: Exception, translated: Translated) -> int:
        """Where to go on after an exception in a block; raises ``SimulationError`` if nowhere.

        The instructions before the one at fault have completed, and it had no effect yet.
        """
        place, text, variables = 0, "", dict[str, Any]()
        if translated.source is not None:
            line, variables = _interruption(error.__traceback__)
            place = translated.source.places[min(line, len(translated.source.places)) - 1]
            text = translated.source.lines[line - 1]
            for name, value in variables.items():
                if name[0] == "x" and name[1:].isdigit():
                    self.state.x[int(name[1:])] = value
        self.retire(translated.block, place)
        decoded = translated.block.instructions[place]
        match error:
            case NeedsBytes():
                self.state.bytewise_next = True
                return decoded.pc
            case IndexError():
                fault = self._outside(text, variables)
            case Fault():
                fault = error
            case StateFault():
                raise SimulationError(f"pc = {decoded.pc:#x}: {decoded}: {error}") from error
            case _:
                raise error
        return self._trap(fault, decoded.pc, f"{decoded}: ")

    def _outside(self, line: str, variables: Mapping[str, Any]) -> Fault:
        """The fault of a scalar access whose address isn't even in the tables of lines."""
        found = ACCESS_CALL.search(line)
        if found is None:  # of a thread in SIMT mode, whose code is elsewhere
            return MemoryFault("access outside the address space")
        address, size, write = variables[found[1]], int(found[2]), found[3] == "True"
        try:
            self.state.memory.region(address, size, write=write)
        except MemoryFault as fault:
            return fault
        raise AssertionError(line)

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
            value = self._word(pc)
        handler = self.hart.trap(fault.cause, value, pc)
        region = self.state.memory.holder(handler, 2)
        if region is None or not region.executable:
            raise SimulationError(
                f"pc = {pc:#x}: {instruction}{fault}; the trap handler at {handler:#x} is no code"
            ) from fault
        return handler

    def _word(self, pc: int) -> int:
        """The instruction bits at ``pc``."""
        low = self._fetch(pc)
        return low if low & 3 != 3 else low | self._fetch(pc + 2) << 16


def _count(counts: dict[int, int], block: Block, runs: int) -> None:
    for decoded in block.instructions:
        counts[decoded.pc] = counts.get(decoded.pc, 0) + runs


def _too_long(limit: int, pc: int) -> SimulationError:
    return SimulationError(
        f"more than {limit} instructions executed, pc = {pc:#x}",
        hint="raise max_instructions if the program is meant to run this long",
    )


def _interruption(traceback: TracebackType | None) -> tuple[int, Mapping[str, Any]]:
    """Line of the generated block in which an exception passed, and its variables there."""
    line, variables = 1, dict[str, Any]()
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == BLOCK_FILE:
            line, variables = traceback.tb_lineno, traceback.tb_frame.f_locals
        traceback = traceback.tb_next
    return line, variables
