"""The native tier against the Python tier: the same programs, results, faults and times."""

import random
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from oxegg.costmodels import load_machine
from oxegg.errors import SimulationError
from oxegg.isa import VType
from oxegg.sim.clock import Clock
from oxegg.sim.engine import Engine
from oxegg.sim.memory import DRAM_BASE, SPM_BASE, TEXT_BASE, Memory, Place
from oxegg.sim.state import State
from tests.sim.programs import RETURN, Line, assemble
from tests.sim.random_programs import (
    INDICES,
    LENGTH,
    POINTERS,
    STRIDE,
    groups_of_records,
    random_loop,
)

pytest.importorskip("llvmlite")
CARD = load_machine("ox-card")
BUFFER = 1 << 14
INDEX_WORDS = 3 * BUFFER // 2 // 8
RETURN_ADDRESS = TEXT_BASE - 4
HOT = 0.0
"""Microseconds after which code is hot: at once."""


@dataclass(frozen=True)
class Outcome:
    """All that a program leaves behind."""

    error: str
    x: list[int]
    f: list[int]
    v: bytes
    memory: bytes
    csrs: dict[str, int]
    instructions: int
    executed: dict[int, int]
    clock: tuple[Any, ...]


def outcome(
    code: bytes, seed: int, vlen: int, place: Place, *, timed: bool, native: bool
) -> Outcome:
    """Run a program on random registers and buffers."""
    rng = np.random.default_rng(seed)
    memory = Memory(DRAM_BASE + 4 * BUFFER)
    memory.map(TEXT_BASE, len(code), "spm", "code", writable=False, executable=True)
    memory.write(TEXT_BASE, code)
    base = SPM_BASE if place == "spm" else DRAM_BASE
    # The end of the buffer lies in the middle of a line.
    memory.map(base, 2 * BUFFER - 24, place, "a buffer")
    words = rng.integers(0, 1 << 63, BUFFER // 4, np.uint64)
    # Small integers make good indices, and floats near 1 good numbers.
    words[::2] &= np.uint64(0x01FF_01FF_01FF_01FF)
    words[1::4] = rng.standard_normal(len(words[1::4])).view(np.uint64)
    words[INDEX_WORDS:] = 8 * rng.integers(0, 32, len(words) - INDEX_WORDS, np.uint64)
    memory.write(base, words.tobytes()[: 2 * BUFFER - 24])
    state = State(memory, vlen)
    state.x[1:] = [int(word) for word in rng.integers(0, 1 << 63, 31, np.uint64)]
    for number, pointer in enumerate(POINTERS):
        state.x[pointer] = base + 1024 * (number + 1)
    state.x[STRIDE] = int(rng.integers(-3, 5)) * 8 % (1 << 64)
    state.x[INDICES] = base + 8 * INDEX_WORDS
    state.x[LENGTH] = int(rng.integers(1, 100))
    state.x[1] = RETURN_ADDRESS
    singles = rng.standard_normal(32).astype(np.float32).view(np.uint32)
    for number in range(32):
        word = int(words[4 * number + 1])
        state.f_u64[number] = word if number % 2 else 0xFFFF_FFFF_0000_0000 | int(singles[number])
    state.v[:] = np.frombuffer(rng.bytes(len(state.v)), np.uint8)
    clock = Clock(CARD) if timed else None
    engine = Engine(state, clock, native=native, hot_microseconds=HOT)
    error = ""
    try:
        engine.run(TEXT_BASE, RETURN_ADDRESS, 100_000)
    except SimulationError as reported:
        error = str(reported)
    return Outcome(
        error,
        list(state.x),
        list(state.f_u64),
        state.v.tobytes(),
        memory.read(base, 2 * BUFFER),
        {name: getattr(state, name) for name in ("vl", "vtype", "vstart", "vxsat", "cycles")},
        state.instructions,
        engine.executed(),
        () if clock is None else
        (clock.finished, clock.stalls(), clock.busy(), clock.cycles_by_pc()),
    )  # fmt: skip


def assert_same(code: bytes, seed: int, vlen: int, place: Place, *, timed: bool) -> None:
    slow, fast = (
        outcome(code, seed, vlen, place, timed=timed, native=native) for native in (False, True)
    )
    for name in Outcome.__dataclass_fields__:
        assert getattr(fast, name) == getattr(slow, name), (name, seed)


def compare_all(seed: int, vlen: int, *, timed: bool) -> None:
    """Execute every instruction of the table in some loop."""
    rng = random.Random(seed)
    for number, records in enumerate(groups_of_records(rng, 28)):
        code = assemble(random_loop(rng, records, vlen))
        assert_same(code, 1000 * seed + number, vlen, rng.choice(("spm", "dram")), timed=timed)


@pytest.mark.parametrize(("vlen", "timed"), [(128, False), (512, True)])
def test_every_instruction_does_the_same(vlen: int, timed: bool):
    compare_all(vlen, vlen, timed=timed)


COUNT = 28
E16 = VType(16, Fraction(1)).encode()
E32 = VType(32, Fraction(1)).encode()
DIRECTED: dict[str, list[Line]] = {
    # A function called from a loop, and a jump to an address that is computed.
    "calls": [
        ("addi", 20, 1, 0), ("addi", COUNT, 0, 40),
        ("jal", 1, 24), ("add", 5, 5, 6), ("addi", COUNT, COUNT, -1), ("bne", COUNT, 0, -12),
        ("addi", 1, 20, 0), RETURN,
        ("addi", 6, 6, 3), ("jalr", 0, 0, 1),
    ],
    # The cycle and instret counters are read by the Python tier, between native stretches.
    "counters": [
        ("addi", COUNT, 0, 40), ("mul", 6, 5, 5), ("csrrs", 5, 0xC00, 0), ("add", 7, 7, 5),
        ("csrrs", 8, 0xC02, 0), ("addi", COUNT, COUNT, -1), ("bne", COUNT, 0, -20), RETURN,
    ],
    # The 30th round stores behind the buffer.
    "fault": [
        ("addi", COUNT, 0, 1024), ("sd", 5, 0, 10), ("addi", 5, 5, 1), ("add", 10, 10, COUNT),
        ("jal", 0, -12),
    ],
    "misaligned": [
        ("addi", COUNT, 0, 20), ("lw", 5, 0, 10), ("addi", COUNT, COUNT, -1),
        ("bne", COUNT, 0, 8), ("addi", 10, 10, 2), ("blt", 0, COUNT, -16), ("lw", 5, 0, 10),
        RETURN,
    ],
    "endless": [("addi", 5, 5, 1), ("jal", 0, -4)],
    # ft10 holds a binary32 number, which is no boxed bfloat16: the canonical NaN is bfloat16's.
    "unboxed bfloat16": [
        ("vsetvli", 5, LENGTH, E16), ("addi", COUNT, 0, 40), ("vmv.v.i", 8, 0), ("vmv.v.i", 9, 0),
        ("vfwmaccbf16.vf", 8, 30, 4), ("addi", COUNT, COUNT, -1), ("bne", COUNT, 0, -16), RETURN,
    ],
    # No element is active: vs1[0] may be any NaN.
    "empty sums": [
        ("vsetvli", 5, LENGTH, E32), ("vxor.vv", 0, 0, 0), ("addi", COUNT, 0, 5),
        ("vmv.v.i", 4, -1), ("vfredusum.vs", 8, 12, 4, True), ("vfredosum.vs", 9, 12, 4, True),
        ("vfredmax.vs", 10, 12, 4, True), ("addi", COUNT, COUNT, -1), ("bne", COUNT, 0, -20),
        RETURN,
    ],
}  # fmt: skip


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("name", DIRECTED)
def test_native_code_leaves_where_it_must(name: str, timed: bool):
    assert_same(assemble(DIRECTED[name]), 1, 256, "dram", timed=timed)


@pytest.mark.slow
@pytest.mark.parametrize("vlen", [128, 256, 512, 1024])
@pytest.mark.parametrize("seed", range(8))
def test_every_instruction_does_the_same_campaign(seed: int, vlen: int):
    compare_all(seed, vlen, timed=bool(seed % 2))
