"""Run a static RISC-V ELF program under a minimal newlib/Linux system interface."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oxegg.costmodels import Machine
from oxegg.errors import UsageError
from oxegg.sim.accelerators import accelerators
from oxegg.sim.clock import Clock
from oxegg.sim.elf_image import Image, read_image
from oxegg.sim.engine import MAX_INSTRUCTIONS, Engine, Exited, with_flags_if_observed
from oxegg.sim.memory import DEFAULT_SPACE, LINE, STACK_BYTES, Memory
from oxegg.sim.state import State

A0, A1, A2, A7, SP = 10, 11, 12, 17, 2
HEAP_BYTES = 64 << 20
MAX_SPACE = 1 << 32
NO_SUCH_CALL = -38
AUXILIARY_PAGE_SIZE = 6
PAGE = 4096


@dataclass(frozen=True)
class ElfResult:
    """What a program did; see ``CallResult`` for the fields in common. ``executed`` and
    ``cycles_by_pc`` are by address, ``symbols`` gives the addresses of functions and labels."""

    exit_code: int
    output: bytes
    instructions: int
    cycles: int | None
    units: Mapping[str, float] = field(default_factory=dict[str, float])
    stalls: Mapping[str, float] = field(default_factory=dict[str, float])
    executed: Mapping[int, int] = field(default_factory=dict[int, int])
    cycles_by_pc: Mapping[int, float] = field(default_factory=dict[int, float])
    symbols: Mapping[str, int] = field(default_factory=dict[str, int])


def run_elf(
    path: str | Path,
    machine: Machine,
    *,
    arguments: Sequence[str] = (),
    timing: bool = True,
    max_instructions: int = MAX_INSTRUCTIONS,
    fill_agnostic: bool = False,
) -> ElfResult:
    """Run the program at ``path`` from its entry point to its exit.

    All of its memory counts as DRAM behind L2. ``fill_agnostic`` puts ones into agnostic vector
    elements; else they stay undisturbed, as on most hardware. Raises ``UsageError`` for a file that
    is no static RV64 program and ``SimulationError`` for a fault.
    """
    image = read_image(Path(path))

    def run(track_flags: bool) -> ElfResult:
        return _run(
            image, [str(path), *arguments], machine, timing=timing, track_flags=track_flags,
            max_instructions=max_instructions, fill_agnostic=fill_agnostic,
        )  # fmt: skip

    return with_flags_if_observed(run)


def _run(
    image: Image,
    command: Sequence[str],
    machine: Machine,
    *,
    timing: bool,
    max_instructions: int,
    fill_agnostic: bool,
    track_flags: bool,
) -> ElfResult:
    """One run from the beginning."""
    top = image.end + HEAP_BYTES + STACK_BYTES + 4 * PAGE
    if top > MAX_SPACE:
        raise UsageError("the program does not fit below 4 GiB", where=command[0])
    memory = Memory(max(DEFAULT_SPACE, 1 << (top - 1).bit_length()))
    for address, data, size, writable, executable in image.segments:
        memory.map(
            address, size, "dram", "read-only memory", writable=writable, executable=executable
        )
        memory.write(address, data)
    heap = -(-image.end // PAGE) * PAGE + PAGE
    memory.map(heap, HEAP_BYTES, "dram", "the heap")
    stack = heap + HEAP_BYTES + PAGE
    memory.map(stack, STACK_BYTES, "dram", "the stack")
    state = State(
        memory, machine.vlen, accelerators(machine, memory),
        track_flags=track_flags, fill_agnostic=fill_agnostic,
    )  # fmt: skip
    state.x[SP] = _initial_stack(memory, stack + STACK_BYTES, command)
    clock = Clock(machine) if timing else None
    system = _System(machine, heap)
    engine = Engine(state, clock, system.call)
    code = engine.run(image.entry, 0, max_instructions)
    cycles = clock.finished if clock else None
    busy = clock.busy() if clock else {}
    return ElfResult(
        exit_code=code,
        output=bytes(system.output),
        instructions=state.instructions,
        cycles=cycles,
        units={unit: spent / max(1, cycles or 1) for unit, spent in busy.items()},
        stalls=clock.stalls() if clock else {},
        executed=dict(sorted(engine.executed().items())),
        cycles_by_pc=clock.cycles_by_pc() if clock else {},
        symbols=image.symbols,
    )


def _initial_stack(memory: Memory, top: int, arguments: Sequence[str]) -> int:
    """Lay out argc, argv, an empty environment and the auxiliary vector; gives sp."""
    pointers: list[int] = []
    for argument in arguments:
        text = argument.encode() + b"\0"
        top -= len(text)
        memory.write(top, text)
        pointers.append(top)
    words = [len(arguments), *pointers, 0, 0, AUXILIARY_PAGE_SIZE, PAGE, 0, 0]
    sp = (top - 8 * len(words)) // LINE * LINE
    memory.write(sp, b"".join(word.to_bytes(8, "little") for word in words))
    return sp


@dataclass
class _System:
    """The system calls that newlib and a static C library need to start, print and stop."""

    machine: Machine
    heap: int
    output: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.limit = self.heap + HEAP_BYTES
        self.brk = self.heap

    def call(self, state: State) -> None:
        """Perform the call in a7; the result goes to a0."""
        handlers = {
            57: self._succeed, 64: self._write, 66: self._write_vector, 80: self._fstat,
            93: self._exit, 94: self._exit, 113: self._clock, 214: self._set_brk,
        }  # fmt: skip
        handler = handlers.get(state.x[A7])
        result = handler(state) if handler else NO_SUCH_CALL
        state.x[A0] = result & (1 << 64) - 1

    def _succeed(self, state: State) -> int:
        del state
        return 0

    def _exit(self, state: State) -> int:
        raise Exited(state.x[A0] & 0xFF)

    def _write(self, state: State) -> int:
        address, size = state.x[A1], state.x[A2]
        if size:
            state.memory.region(address, size, write=False)
        self.output += state.memory.read(address, size)
        return size

    def _write_vector(self, state: State) -> int:
        total = 0
        for i in range(state.x[A2]):
            entry = state.memory.read(state.x[A1] + 16 * i, 16)
            address, size = (int.from_bytes(entry[at : at + 8], "little") for at in (0, 8))
            self.output += state.memory.read(address, size)
            total += size
        return total

    def _fstat(self, state: State) -> int:
        # st_mode: a character device, so that the C library doesn't seek.
        state.memory.write(state.x[A1], bytes(128))
        state.memory.write(state.x[A1] + 16, (0o020000).to_bytes(4, "little"))
        return 0

    def _clock(self, state: State) -> int:
        seconds = state.cycles / (self.machine.clock_ghz * 1e9)
        whole = int(seconds)
        words = (whole, int((seconds - whole) * 1e9))
        state.memory.write(state.x[A1], b"".join(word.to_bytes(8, "little") for word in words))
        return 0

    def _set_brk(self, state: State) -> int:
        if self.heap <= state.x[A0] <= self.limit:
            self.brk = state.x[A0]
        return self.brk
