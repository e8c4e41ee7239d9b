"""From guest code to functions: basic blocks become generated Python, vector instructions closures.

The generated code refers to the registers and tables of the state, to the helpers of
``oxegg.sim.host_float`` and ``oxegg.sim.integers``, and to the accesses below.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from oxegg.errors import OxeggError, SimulationError
from oxegg.sim.blocks import MAX_LENGTH, Block, BlockSource, Decoded, form_block
from oxegg.sim.domain import Domain, NoMeaning, context_for
from oxegg.sim.events import Event
from oxegg.sim.faults import Cause, IllegalInstruction, MemoryFault, StateFault
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
from oxegg.sim.machine_mode import Hart
from oxegg.sim.memory import Memory
from oxegg.sim.paging import NoLines, VirtualMemory, VirtualView
from oxegg.sim.state import Mode, State, VectorConfig

BLOCK_FILE = "<guest block>"
HELPERS: dict[str, Any] = {
    "NAN": NAN, "divide": divide, "float_to_int": float_to_int, "fma32": fma32, "fma64": fma64,
    "square_root": square_root, "unbox": unbox, "byte_or": byte_or, "byte_reverse": byte_reverse,
    "leading_zeros": leading_zeros, "population": population, "trailing_zeros": trailing_zeros,
    "truncated_quotient": truncated_quotient, "truncated_remainder": truncated_remainder,
    "smaller": smaller, "larger": larger, "IllegalInstruction": IllegalInstruction,
}  # fmt: skip


FROM_FLOATS = ("fmv.x.", "fcvt.w", "fcvt.l")
"""Beginnings of names: what puts floats into integer registers."""
INTEGER_LOADS = frozenset({"lb", "lbu", "lh", "lhu", "lw", "lwu", "ld"})
STACK_POINTER = 2


def _reads_floats(decoded: Decoded, domain: Domain) -> bool:
    """Whether an integer register may get a float's bits; from the stack it gets its own back."""
    name = decoded.record.name
    if name in INTEGER_LOADS:
        return domain.reads_bits and decoded.operands["rs1"] != STACK_POINTER
    return name.startswith(FROM_FLOATS)


def _keep_bits(block: Block, domain: Domain) -> None:
    """Raise ``SimulationError`` where scalar instructions would compute with an element's bits."""
    for decoded in block.instructions:
        if _reads_floats(decoded, domain):
            cause = NoMeaning("a float in an integer register", domain.name)
            raise SimulationError(f"pc = {decoded.pc:#x}: {decoded}: {cause}") from cause


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
class Translator:
    """Translates the code in the memory of ``state``.

    ``special`` executes an instruction that the run loop does itself. What a ``timed`` run's clock
    must hear of lands in ``events``, by the instruction's place in its block. Without a ``hart``
    all addresses are physical.
    """

    state: State
    special: Callable[[Decoded], int]
    timed: bool
    hart: Hart | None = None
    events: list[tuple[int, Event]] = field(default_factory=list[tuple[int, Event]])
    blocks: dict[Mode, dict[int, Translated]] = field(default_factory=dict[Any, Any])
    singles: dict[Mode, dict[int, Translated]] = field(default_factory=dict[Any, Any])
    """Single instructions for SIMT mode, which executes each per thread."""
    _sites: list[tuple[Decoded, int]] = field(default_factory=list[tuple[Decoded, int]])

    def __post_init__(self) -> None:
        state, memory = self.state, self.state.memory
        state.compile_site = self._compile_site
        self._namespace: dict[str, Any] = HELPERS | {
            "x": state.x, "fd": state.f_f64, "fs": state.f_f32, "fq": state.f_u64,
            "fi": state.f_u32, "state": state, "u8": memory.u8, "u16": memory.u16,
            "u32": memory.u32, "u64": memory.u64, "timed": memory.timed,
            "functional": memory.functional, "access": self._access,
            "access_atomic": self._access_atomic, "access_bytes": self._access_bytes,
            "load_bytes": memory.load_bytes, "store_bytes": memory.store_bytes,
            "store_conditional": self._store_conditional, "Context": context_for(state.domain),
        }  # fmt: skip

    # Blocks

    def present_blocks(self) -> dict[int, Translated]:
        """The blocks for the present mode, by address."""
        return self.blocks.setdefault(self.state.mode, {})

    def single(self, pc: int) -> Translated:
        """The one instruction at ``pc``, ready to run."""
        singles = self.singles.setdefault(self.state.mode, {})
        if pc not in singles:
            singles[pc] = self.translate(pc, limit=1)
        return singles[pc]

    def translate(self, pc: int, limit: int = MAX_LENGTH) -> Translated:
        """The block of at most ``limit`` instructions at ``pc``; raises ``Fault`` without code."""
        mode = self.state.mode
        alone = mode.vstart or mode.bytewise
        try:
            block = form_block(self.fetch, pc, 1 if alone else limit)
        except OxeggError as error:
            raise IllegalInstruction(error.message) from error
        if 0 < mode.frm < 5 and not block.rounds_dynamically and limit == MAX_LENGTH:
            # The code is the same under all legal rounding modes.
            mode = mode._replace(frm=0)
            known = self.blocks.setdefault(mode, {}).get(pc)
            if known is not None:
                return known
        if self.state.domain is not None and self.state.domain.holds_bits:
            _keep_bits(block, self.state.domain)
        if block.special:
            return Translated(block, None, lambda: self.special(block.instructions[0]), 1, True)
        source = BlockSource(block, mode, self.timed, self.state.track_flags, self.new_site)
        text = source.generate()
        namespace: dict[str, Any] = {**self._names(), **source.bindings}
        exec(compile(text, BLOCK_FILE, "exec"), namespace)
        length = len(block.instructions)
        return Translated(block, source, namespace["block"], length, alone)

    def forget(self) -> None:
        """Drop all blocks: the program has changed its code."""
        self.blocks.clear()
        self.singles.clear()

    def word(self, pc: int) -> int:
        """The instruction bits at ``pc``; raises ``MemoryFault`` without code."""
        low = self.fetch(pc)
        return low if low & 3 != 3 else low | self.fetch(pc + 2) << 16

    def fetch(self, pc: int) -> int:
        """The two bytes of code at ``pc``; raises ``MemoryFault`` without code."""
        memory = self.state.memory
        if pc & 1:
            raise MemoryFault(f"misaligned jump to {pc:#x}", Cause.FETCH_MISALIGNED, pc)
        space = self.hart.code_space() if self.hart is not None else None
        place = pc if space is None else space.physical(memory, pc, "fetch", 2)
        region = memory.holder(place, 2)
        if region is None or not region.executable:
            reason = "nothing is mapped there" if region is None else "the jump target is data"
            raise MemoryFault(f"no code: {reason}", Cause.FETCH_ACCESS, pc)
        return memory.u16[place >> 1]

    # Vector instructions

    def new_site(self, decoded: Decoded, place: int) -> int:
        """Register a vector instruction; gives its number for ``Operations``."""
        self._sites.append((decoded, place))
        return len(self._sites) - 1

    def _compile_site(self, site: int, config: VectorConfig) -> Callable[..., Any]:
        # Scalar programs start without the vector unit and the engines.
        from oxegg.sim.vector_memory import Access

        decoded, place = self._sites[site]
        record = decoded.record
        virtual = self._scalar_memory()
        if record.is_custom and isinstance(virtual, VirtualMemory):
            raise StateFault("OXM-1's engines have no virtual memory")

        def note(event: Event) -> None:
            self.events.append((place, event))

        access = Access(self.state.memory, self.timed, note)
        if isinstance(virtual, VirtualMemory):
            from oxegg.sim.virtual_vector import VirtualAccess

            access = VirtualAccess(self.state.memory, self.timed, note, virtual)
        if record.is_custom:
            from oxegg.sim.custom import compile_custom

            return compile_custom(record, decoded.values, self.state, access, note)
        from oxegg.sim.vector import compile_vector

        return compile_vector(record, decoded.values, config, self.state, access)

    # Scalar accesses

    def _names(self) -> dict[str, Any]:
        """What the generated code of the present mode refers to."""
        memory = self._scalar_memory()
        if isinstance(memory, Memory):
            return self._namespace
        views = {f"u{8 << shift}": VirtualView(memory, shift) for shift in range(4)}
        return self._namespace | views | {
            "timed": NoLines(), "functional": NoLines(),
            "load_bytes": memory.load_bytes, "store_bytes": memory.store_bytes,
        }  # fmt: skip

    def _scalar_memory(self) -> Memory | VirtualMemory:
        """Memory as scalar instructions of the present mode see it."""
        memory = self.state.memory
        if self.hart is None or self.hart.data_space() is None:
            return memory
        return VirtualMemory(memory, self.hart)

    def _access(self, place: int, address: int, size: int, write: bool) -> None:
        """The slow part of a scalar access's check."""
        if self.state.memory.needs_bytes(address, size, write=write):
            raise NeedsBytes
        self._access_atomic(place, address, size, write)

    def _access_bytes(self, place: int, address: int, size: int, write: bool) -> None:
        """The check of an access that may be misaligned."""
        self._note(place, self._scalar_memory().check(address, size, 1, write=write))

    def _access_atomic(self, place: int, address: int, size: int, write: bool) -> None:
        """The slow part of the check of an access that has to be aligned."""
        self._note(place, self._scalar_memory().check(address, size, size, write=write))

    def _note(self, place: int, new_lines: int) -> None:
        if self.timed and new_lines >= 0:
            self.events.append((place, new_lines))

    def _store_conditional(self, address: int, value: int, size: int) -> int:
        """0 when the store happened, 1 when the reservation was lost."""
        held, self.state.reservation = self.state.reservation, None
        if held != address:
            return 1
        memory = self._scalar_memory()
        memory.check(address, size, size, write=True)
        memory.store_bytes(address, size, value)
        return 0
