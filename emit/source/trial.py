"""Both texts of a loop on the simulator: equal results on random inputs, cycles per iteration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oxegg.costmodels import Machine
from oxegg.emit.assembler import Label as CodeLabel
from oxegg.emit.assembler import Line, assemble, lines_of
from oxegg.emit.modulo.addresses import touches_memory
from oxegg.emit.modulo.values import address_of
from oxegg.emit.program import STACK_POINTER, ZERO, Register
from oxegg.emit.source.flow import Place, written_places
from oxegg.emit.source.instructions import hardware
from oxegg.emit.source.pipelines import SourcePipeline
from oxegg.emit.source.proof import STEP, in_hardware, new_text, original_text
from oxegg.emit.source.symbolic import Item, Label
from oxegg.emit.vector_state import vtype_immediate
from oxegg.errors import SimulationError, VerificationError
from oxegg.sim.clock import Clock
from oxegg.sim.engine import Engine
from oxegg.sim.memory import SPM_BASE, TEXT_BASE, Memory
from oxegg.sim.state import State

BUFFER = 1 << 14
SMALL = 40
"""Numbers in registers that aren't pointers: also a plausible length."""
MAXIMUM = 200_000
FEW, MANY = 24, 40


@dataclass(frozen=True)
class Trial:
    """Cycles per iteration in the middle of a long run, before and after; runs compared."""

    before: float
    after: float
    runs: int


@dataclass(frozen=True)
class _Run:
    registers: dict[Place, bytes]
    memory: bytes
    cycles: int


def simulate(pipeline: SourcePipeline, machine: Machine, *, runs: int = 6) -> Trial | None:
    """Compare both texts on random inputs; ``None`` when the loop can't be run by itself.

    Raises ``VerificationError`` for a difference in memory or in registers read afterwards.
    """
    old = _code(original_text(pipeline))
    new = _code(in_hardware(new_text(pipeline), pipeline))
    counts = [*range(1, runs), FEW, MANY] if pipeline.control is not None else [SMALL, 2 * SMALL]
    cycles: list[tuple[int, int]] = []
    for count in counts:
        try:
            before = _run(old, pipeline, machine, count)
        except SimulationError:
            return None
        after = _run(new, pipeline, machine, count)
        if before.memory != after.memory or before.registers != after.registers:
            raise VerificationError(
                f"with {count} iterations the simulator sees another result of loop "
                f"{pipeline.loop.label}"
            )
        cycles.append((before.cycles, after.cycles))
    first, last = cycles[-2], cycles[-1]
    span = (MANY - FEW) if pipeline.control is not None else SMALL
    return Trial((last[0] - first[0]) / span, (last[1] - first[1]) / span, len(counts))


def _code(text: Sequence[Item]) -> bytes:
    items: list[Line | CodeLabel] = []
    for item in text:
        if isinstance(item, Label):
            items.append(CodeLabel(item.name))
            continue
        registers = [o for o in item.operands if isinstance(o, Register)]
        items += lines_of(item, {r: hardware(r) for r in registers})
    return assemble("loop", items, {}).code


def _run(code: bytes, pipeline: SourcePipeline, machine: Machine, count: int) -> _Run:
    """One run from random contents; the seed depends on nothing but the count."""
    random = np.random.default_rng(count)
    memory = Memory()
    memory.map(TEXT_BASE, len(code), "spm", "code", writable=False, executable=True)
    memory.write(TEXT_BASE, code)
    state = State(memory, machine.vlen)
    pointers = _pointers(pipeline)
    starts = {p: SPM_BASE + (2 * k + 1) * BUFFER for k, p in enumerate(pointers)}
    whole = 2 * BUFFER * (len(pointers) + 1)
    memory.map(SPM_BASE, whole, "spm", "memory")
    memory.write(SPM_BASE, random.integers(0, 256, whole, np.uint8).tobytes())
    _fill(state, random, starts)
    _bind(state, pipeline, count)
    context = pipeline.loop.context.state
    if context is not None:
        state.set_vl(context.vl, vtype_immediate(context))
        state.refresh()
    clock = Clock(machine)
    Engine(state, clock).run(TEXT_BASE, TEXT_BASE + len(code), MAXIMUM)
    written = frozenset[Place]().union(*(written_places(op) for op in pipeline.loop.operations))
    kept = sorted(pipeline.loop.live_out & written)
    return _Run(
        {place: _contents(state, place) for place in kept},
        memory.read(SPM_BASE, whole),
        clock.finished,
    )


def _pointers(pipeline: SourcePipeline) -> list[Register]:
    """Registers whose contents the loop takes for addresses."""
    values = pipeline.body.values
    found: dict[Register, None] = {}
    for index, operation in enumerate(values.operations):
        if not touches_memory(operation):
            continue
        affine = values.pointer(index)
        base, _ = address_of(operation)
        register = affine.register if affine is not None else base
        if register is not None:
            found[register] = None
    return list(found)


def _fill(state: State, random: np.random.Generator, starts: dict[Register, int]) -> None:
    for number in range(1, 32):
        state.x[number] = int(random.integers(1, SMALL))
    state.x[hardware(STACK_POINTER)] = SPM_BASE + BUFFER
    for register, start in starts.items():
        state.x[hardware(register)] = start
    values = random.normal(size=32).astype(np.float32)
    for number in range(32):
        state.f_u64[number] = int(values[number : number + 1].view(np.uint32)[0]) | ~0 << 32 & (
            (1 << 64) - 1
        )
    state.v[:] = random.integers(0, 256, state.v.size, np.uint8)


def _bind(state: State, pipeline: SourcePipeline, count: int) -> None:
    """Let the loop run ``count`` times."""
    control = pipeline.control
    if control is None:
        return
    step = STEP
    if isinstance(control.step, Register):
        state.x[hardware(control.step)] = STEP
    else:
        step = control.step
    if control.limit == ZERO:
        state.x[hardware(control.counter)] = -count * step & (1 << 64) - 1
    else:
        start = state.x[hardware(control.counter)]
        state.x[hardware(control.limit)] = start + count * step & (1 << 64) - 1


def _contents(state: State, place: Place) -> bytes:
    bank, number = place
    if bank == "x":
        return state.x[number].to_bytes(8, "little")
    if bank == "f":
        return state.f_u64[number].to_bytes(8, "little")
    size = state.vlenb
    return state.v[number * size : (number + 1) * size].tobytes()
