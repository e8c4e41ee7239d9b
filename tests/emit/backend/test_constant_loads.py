"""Copies of constant vectors are loaded where the arithmetic unit is the busiest."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from oxegg.costmodels import load_machine
from oxegg.emit.backend import generate
from oxegg.emit.constant_loads import with_constant_loads
from oxegg.emit.effects import LA
from oxegg.emit.executable import InputBuffer, exactly, executable
from oxegg.emit.program import ZERO, Bank, Loop, MemoryRef, Operation, Program, operations
from tests.emit.backend.execution import exit_code
from tests.emit.backend.programs import counted, f, state, v, x

CARD = load_machine("ox-card")
FILES: dict[Bank, int] = {"x": 28, "f": 32, "v": 32}
TRIPS = 4
FULL = state(32, 1, 16)


def polynomial(squares: int, loads: int = 1) -> Program:
    """y = 1.5 x^(2^squares) + 2.5 in strips of 16; further loads, whose results nobody needs."""
    strip = 64
    constants = [
        Operation("lui", (x(10), 0x40200)),
        Operation("fmv.w.x", (f(1), x(10))),
        Operation("vfmv.v.f", (v(1), f(1)), FULL),
        Operation("lui", (x(11), 0x3FC00)),
        Operation("fmv.w.x", (f(2), x(11))),
    ]
    read = MemoryRef("x", "load", 0, strip)
    body: list[Operation | Loop] = [
        *(Operation("vle32.v", (v(2 + k), x(1)), FULL, read) for k in range(loads)),
        *(Operation("vfmul.vv", (v(2), v(2), v(2)), FULL) for _ in range(squares)),
        Operation("vmv1r.v", (v(9), v(1))),
        Operation("vfmacc.vf", (v(9), f(2), v(2)), FULL),
        Operation("vse32.v", (v(9), x(2)), FULL, MemoryRef("y", "store", 0, strip)),
        Operation("addi", (x(1), x(1), strip)),
        Operation("addi", (x(2), x(2), strip)),
    ]
    loop = counted(".L", TRIPS, x(3), body)
    return Program("polynomial", (x(1), x(2)), [*constants, *loop])


def names(program: Program) -> Counter[str]:
    return Counter(operation.name for operation in operations(program.body))


def test_a_copy_becomes_a_load_of_the_constant() -> None:
    program = with_constant_loads(polynomial(4), CARD, FILES)
    assert (names(program)["vmv1r.v"], names(program)["vle32.v"], names(program)[LA]) == (0, 2, 1)
    assert [*program.constants.values()] == [np.full(16, 2.5, np.float32).tobytes()]
    # Nobody else reads the vector that was copied.
    assert names(program)["vfmv.v.f"] == 0
    (loop,) = (item for item in program.body if isinstance(item, Loop))
    assert LA not in [operation.name for operation in operations(loop.body)]


@pytest.mark.parametrize(
    ("program", "files"),
    [(polynomial(1, loads=4), FILES), (polynomial(4), {**FILES, "x": 3})],
    ids=["the loads' port is as busy", "no register for the address"],
)
def test_what_stays_a_copy(program: Program, files: dict[Bank, int]) -> None:
    assert with_constant_loads(program, CARD, files) == program


def test_vectors_that_are_no_constants_stay() -> None:
    program = polynomial(4)
    # The splat's scalar comes from memory.
    program.body[1] = Operation("flw", (f(1), 0, x(1)), memory=MemoryRef("x", "load", 0, 4))
    assert with_constant_loads(program, CARD, FILES) == program


def test_what_a_loop_counts_is_no_constant() -> None:
    """The register holds 0 before the first round only (trial 6000630 of the random kernels)."""
    program = polynomial(4)
    splat = Operation("vmv.v.x", (v(1), x(20)), FULL)
    inner = [*program.body[:2], splat, *program.body[3:]]
    rounds = counted(".Lrounds", 3, x(21), [*inner, Operation("addi", (x(20), x(20), 1))])
    start = Operation("addi", (x(20), ZERO, 0))
    program.body = [start, *rounds]
    assert with_constant_loads(program, CARD, FILES) == program
    program.body = [start, *inner]
    assert with_constant_loads(program, CARD, FILES) != program


@pytest.mark.parametrize("name", ["ox-card", "ox-dc", "x280"])
def test_the_code_computes_the_same(name: str, tmp_path: Path) -> None:
    machine = load_machine(name)
    data = np.arange(16 * TRIPS, dtype=np.float32) / 16 - 2
    # Multiples of 2^-17 below 2^5: exact, and rounded by nobody.
    wanted = (1.5 * data.astype(np.float64) ** 4 + 2.5).astype(np.float32)
    program = polynomial(2)
    assert names(with_constant_loads(program, machine, FILES))["vmv1r.v"] == 0
    code = generate(program, machine)
    elf = executable(code.code, [InputBuffer(data.tobytes()), exactly(wanted)])
    assert exit_code(elf, machine, tmp_path) == 0
