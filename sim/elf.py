"""Run a static RISC-V ELF program: in user mode with system calls, or on a bare machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oxegg.costmodels import Machine
from oxegg.sim import bare_metal, linux
from oxegg.sim.accelerators import accelerators
from oxegg.sim.banks import banks_end, map_local_memories
from oxegg.sim.clock import Clock
from oxegg.sim.elf_image import Image, read_image
from oxegg.sim.engine import MAX_INSTRUCTIONS, Engine
from oxegg.sim.flags import with_flags_if_observed
from oxegg.sim.machine_mode import Hart
from oxegg.sim.recording import Recording
from oxegg.sim.state import State

SP = 2
NOWHERE = -1
"""No instruction has this address: only the program ends the run."""


@dataclass(frozen=True)
class ElfResult:
    """What a program did; see ``CallResult`` for the fields in common. ``executed`` and
    ``cycles_by_pc`` are by address, ``symbols`` gives the addresses of functions and labels;
    ``recording`` is there unless timing was off."""

    exit_code: int
    output: bytes
    instructions: int
    cycles: int | None
    units: Mapping[str, float] = field(default_factory=dict[str, float])
    stalls: Mapping[str, float] = field(default_factory=dict[str, float])
    executed: Mapping[int, int] = field(default_factory=dict[int, int])
    cycles_by_pc: Mapping[int, float] = field(default_factory=dict[int, float])
    symbols: Mapping[str, int] = field(default_factory=dict[str, int])
    recording: Recording | None = None


def run_elf(
    path: str | Path,
    machine: Machine,
    *,
    arguments: Sequence[str] = (),
    timing: bool = True,
    max_instructions: int = MAX_INSTRUCTIONS,
    fill_agnostic: bool = False,
    record: bool = False,
    native: bool = True,
    misaligned: bool = True,
) -> ElfResult:
    """Run the program at ``path`` from its entry point to its exit.

    A program with a ``tohost`` symbol gets a bare machine that starts in machine mode, any other
    one user mode and the system calls of newlib and Linux.
    All of its memory counts as DRAM behind L2; the scratchpad and the near-memory banks are there
    as well, at ``SPM_BASE`` and ``NEAR_MEMORY_BASE``, unless the program lies there. ``record``
    keeps a timeline; ``native`` allows machine code of the host, which changes nothing but the time
    that the simulation takes. ``fill_agnostic`` puts ones into agnostic vector elements; else they
    stay undisturbed, as on most hardware. ``misaligned``: whether scalar loads and stores may be
    misaligned; else they are exceptions, as an implementation may choose. Raises ``UsageError`` for
    a file that is no static RV64 program and ``SimulationError`` for a fault.
    """
    image = read_image(Path(path))

    def run(track_flags: bool) -> ElfResult:
        return _run(
            image, [str(path), *arguments], machine, timing=timing, track_flags=track_flags,
            max_instructions=max_instructions, fill_agnostic=fill_agnostic, record=record,
            native=native, misaligned=misaligned,
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
    record: bool,
    native: bool,
    misaligned: bool,
    track_flags: bool,
) -> ElfResult:
    """One run from the beginning."""
    clock = Clock(machine, recording=record) if timing else None
    if bare_metal.is_bare_metal(image):
        memory, sp, call = bare_metal.load(image, command[0]), 0, None
        symbols = image.symbols
        environment = bare_metal.Host(memory, symbols["tohost"], symbols.get("fromhost"))
    else:
        memory, heap, sp = linux.load(image, command, banks_end(machine))
        environment = linux.System(machine.clock_ghz, heap)
        call = environment.call
    memory.misaligned = misaligned
    map_local_memories(memory, machine)
    state = State(
        memory, machine.vlen, accelerators(machine, memory),
        track_flags=track_flags, fill_agnostic=fill_agnostic,
    )  # fmt: skip
    state.x[SP] = sp
    engine = Engine(state, clock, call, hart=None if call else Hart(state), native=native)
    code = engine.run(image.entry, NOWHERE, max_instructions)
    cycles = clock.finished if clock else None
    busy = clock.busy() if clock else {}
    return ElfResult(
        exit_code=code,
        output=bytes(environment.output),
        instructions=state.instructions,
        cycles=cycles,
        units={unit: spent / max(1, cycles or 1) for unit, spent in busy.items()},
        stalls=clock.stalls() if clock else {},
        executed=dict(sorted(engine.executed().items())),
        cycles_by_pc=clock.cycles_by_pc() if clock else {},
        symbols=image.symbols,
        recording=clock.record() if clock else None,
    )
