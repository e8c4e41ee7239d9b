"""The run loop: generated blocks, special instructions, faults, and the clock beside them."""

from collections.abc import Callable
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
from oxegg.sim.events import Event
from oxegg.sim.faults import StateFault
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
from oxegg.sim.memory import LINE, MemoryFault
from oxegg.sim.reference import Context
from oxegg.sim.simt_run import SimtRun
from oxegg.sim.state import Mode, State, VectorConfig
from oxegg.sim.vector import compile_vector
from oxegg.sim.vector_groups import ReservedEncoding
from oxegg.sim.vector_memory import Access

Result = TypeVar("Result")
BLOCK_FILE = "<guest block>"
MAX_INSTRUCTIONS = 10**12
FLAG_CSRS = frozenset({CSR_NUMBERS["fflags"], CSR_NUMBERS["fcsr"]})
HELPERS: dict[str, Any] = {
    "NAN": NAN, "divide": divide, "float_to_int": float_to_int, "fma32": fma32, "fma64": fma64,
    "square_root": square_root, "unbox": unbox, "byte_or": byte_or, "byte_reverse": byte_reverse,
    "leading_zeros": leading_zeros, "population": population, "trailing_zeros": trailing_zeros,
    "truncated_quotient": truncated_quotient, "truncated_remainder": truncated_remainder,
    "Context": Context, "smaller": smaller, "larger": larger,
}  # fmt: skip


class Exited(Exception):
    """The program ended by itself; ``code`` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class FlagsObserved(Exception):
    """The program is about to read fflags, which were not tracked so far: run it once more.

    Few programs ever read the accrued float exceptions, and tracking them costs all the speed of
    host floats. So the first run goes without. The one way to observe flags is to read fflags or
    fcsr into a register, and a program that gets there is run again from its start with tracking:
    nothing has left the simulator by then, and runs are deterministic, so nobody sees a difference.
    """


def with_flags_if_observed(run: Callable[[bool], Result]) -> Result:
    """``run(track_flags)``, which makes everything anew, without tracking if that suffices."""
    try:
        return run(False)
    except FlagsObserved:
        return run(True)


class IllegalInstruction(Exception):
    """An instruction that the hart refuses in its present mode."""


class NoSemantics(Exception):
    """An instruction that has no meaning here: a call without a handler, an unknown CSR."""


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

    ``system_call`` handles ecall; it gets the state and raises ``Exited`` to stop.
    """

    state: State
    clock: Clock | None = None
    system_call: Callable[[State], None] | None = None
    events: list[tuple[int, Event]] = field(default_factory=list[tuple[int, Event]])
    sites: list[tuple[Decoded, int]] = field(default_factory=list[tuple[Decoded, int]])
    _blocks: dict[Mode, dict[int, Translated]] = field(default_factory=dict[Any, Any])
    _singles: dict[Mode, dict[int, Translated]] = field(default_factory=dict[Any, Any])
    _limit: int = MAX_INSTRUCTIONS

    def __post_init__(self) -> None:
        state, memory = self.state, self.state.memory
        state.compile_site = self._compile_site
        self._namespace: dict[str, Any] = HELPERS | {
            "x": state.x, "fd": state.f_f64, "fs": state.f_f32, "fq": state.f_u64,
            "fi": state.f_u32, "state": state, "u8": memory.u8, "u16": memory.u16,
            "u32": memory.u32, "u64": memory.u64, "timed": memory.timed,
            "functional": memory.functional, "access": self._access,
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
        while pc != stop:
            translated = blocks.get(pc)
            if translated is None:
                translated = blocks[pc] = self._translate(pc)
            operations = state.present
            try:
                target = translated.run()
            except Exited:  # the call that ends the program is an instruction as well
                translated.runs += 1
                state.instructions += translated.length
                raise
            except (SimulationError, FlagsObserved):
                raise
            except Exception as error:
                raise self._explain(error, translated) from error
            translated.runs += 1
            state.instructions += translated.length
            if clock is not None:
                block = translated.block
                taken = target != block.end
                clock.advance(block, operations.number, operations.config, events, taken)
                state.cycles = clock.cycle
                events.clear()
            if state.instructions > limit:
                raise SimulationError(
                    f"more than {limit} instructions executed, pc = {target:#x}",
                    hint="raise max_instructions if the program is meant to run this long",
                )
            if translated.changes_mode:
                blocks = self._blocks.setdefault(state.mode, {})
            pc = target

    def executed(self) -> dict[int, int]:
        """How often each instruction was executed, by pc."""
        counts: dict[int, int] = {}
        for blocks in (*self._blocks.values(), *self._singles.values()):
            for translated in blocks.values():
                for decoded in translated.block.instructions:
                    counts[decoded.pc] = counts.get(decoded.pc, 0) + translated.runs
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
            raise MemoryFault(f"misaligned jump to {pc:#x}")
        if not memory.region(pc, 2, write=False).executable:
            raise MemoryFault("the jump target is data")
        return memory.u16[pc >> 1]

    def _translate(self, pc: int, limit: int = MAX_LENGTH) -> Translated:
        """The block of at most ``limit`` instructions at ``pc``."""
        mode = self.state.mode
        try:
            block = form_block(self._fetch, pc, 1 if mode.vstart else limit)
        except (OxeggError, MemoryFault) as error:
            message = error.message if isinstance(error, OxeggError) else f"no code: {error}"
            raise SimulationError(f"pc = {pc:#x}: {message}") from error
        if block.special:
            return Translated(block, None, lambda: self._special(block.instructions[0]), 1, True)
        source = BlockSource(
            block, mode, self.clock is not None, self.state.track_flags, self._new_site
        )
        text = source.generate()
        namespace: dict[str, Any] = {**self._namespace, **source.bindings}
        exec(compile(text, BLOCK_FILE, "exec"), namespace)
        length = len(block.instructions)
        return Translated(block, source, namespace["block"], length, mode.vstart)

    def _new_site(self, decoded: Decoded, place: int) -> int:
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
        match decoded.record.timing:
            case "csr":
                self._csr(decoded)
            case "system" if decoded.record.name == "ecall" and self.system_call is not None:
                self.system_call(self.state)
            case "system":
                raise NoSemantics(f"{decoded.record.name} has no handler here")
            case _:
                if decoded.record.name == "fence.i":
                    self._blocks.clear()
        return following

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
        try:
            old = state.read_csr(number)
            if value.operation == "csr_swap":
                state.write_csr(number, new)
            elif source:
                changed = old | new if value.operation == "csr_set" else old & ~new
                state.write_csr(number, changed)
        except KeyError as error:
            raise NoSemantics(f"CSR {number:#x} can't be accessed") from error
        if rd:
            state.x[rd] = old
        state.refresh()

    # Errors

    def _explain(self, error: Exception, translated: Translated) -> SimulationError:
        """The user's error for an exception in generated code: pc, instruction, reason."""
        decoded = translated.block.instructions[0]
        if translated.source is not None:
            decoded = translated.source.place_of_line(_block_line(error.__traceback__))
        match error:
            case MemoryFault() | ReservedEncoding() | StateFault() | IllegalInstruction():
                reason = str(error)
            case NoSemantics():
                reason = str(error)
            case IndexError():
                reason = "access outside the address space"
            case _:
                raise error
        return SimulationError(f"pc = {decoded.pc:#x}: {decoded}: {reason}")


def _block_line(traceback: TracebackType | None) -> int:
    """Line of the generated block in which an exception passed."""
    line = 1
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == BLOCK_FILE:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
