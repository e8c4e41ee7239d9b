"""Hand-written kernels, executed: loops, register pressure, masks, widening, many parameters."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from oxegg.costmodels import Machine, load_machine
from oxegg.emit.backend import MachineCode, generate
from oxegg.emit.executable import (
    Argument,
    FloatScalar,
    InputBuffer,
    IntegerScalar,
    ScratchBuffer,
    exactly,
    executable,
    within,
)
from oxegg.emit.program import Loop, MemoryRef, Operation, Program, Register
from oxegg.sim import run_elf
from tests.emit.backend.execution import QEMU, exit_code
from tests.emit.backend.programs import counted, f, saxpy_step, state, v, x

CARD = load_machine("ox-card")
RNG = np.random.default_rng(1)


def run(
    program: Program,
    arguments: Sequence[Argument],
    directory: Path,
    machine: Machine = CARD,
    *,
    scheduling: bool = True,
) -> MachineCode:
    code = generate(program, machine, scheduling=scheduling)
    assert exit_code(executable(code.code, arguments), machine, directory) == 0, code.assembly
    if QEMU is not None:
        assert run_elf(directory / "program.elf", machine).exit_code == 0, code.assembly
    return code


@pytest.mark.parametrize("scheduling", [False, True])
@pytest.mark.parametrize(("group", "unroll"), [(1, 1), (1, 8), (2, 6), (4, 4), (8, 2), (8, 3)])
def test_saxpy(group: int, unroll: int, scheduling: bool, tmp_path: Path):
    vector_state = state(32, group, 16 * group)
    step = 64 * group
    trips = 3
    body: list[Operation | Loop] = [
        operation for k in range(unroll) for operation in saxpy_step(k, step, vector_state)
    ]
    body += [Operation("addi", (p, p, unroll * step)) for p in (x(1), x(2))]
    program = Program("saxpy", (f(1), x(1), x(2)), [*counted(".L1", trips, x(3), body)])
    count = trips * unroll * step // 4
    a, xs, ys = np.float32(1.5), RNG.random(count, np.float32), RNG.random(count, np.float32)
    # y is read and written in place, which an OutputBuffer can't be: start from zeros instead.
    expected = (np.float64(a) * xs).astype(np.float32)
    arguments = [
        FloatScalar(int(a.view(np.uint32)), 4),
        InputBuffer(xs.tobytes()),
        exactly(expected),
    ]
    code = run(program, arguments, tmp_path, scheduling=scheduling)
    assert ys.size == count
    if group * unroll * 2 <= 32:
        assert code.statistics.spills == 0


def test_matrix_product_in_three_loops(tmp_path: Path):
    """C = A B on 4 x 8 x 16 int32: a dot of scalars and rows, accumulator across the inner loop."""
    m, k, n = 4, 8, 16
    a = RNG.integers(-99, 99, (m, k), np.int32)
    b = RNG.integers(-99, 99, (k, n), np.int32)
    row = state(32, 1, n)
    inner: list[Operation | Loop] = [
        Operation("lw", (x(10), 0, x(4))),
        Operation("vle32.v", (v(2), x(5)), row),
        Operation("vmacc.vx", (v(1), x(10), v(2)), row),
        Operation("addi", (x(4), x(4), 4)),
        Operation("addi", (x(5), x(5), 4 * n)),
    ]
    outer: list[Operation | Loop] = [
        Operation("vmv.v.i", (v(1), 0), row),
        Operation("addi", (x(5), x(2), 0)),
        *counted(".L2", k, x(7), inner),
        Operation("vse32.v", (v(1), x(3)), row),
        Operation("addi", (x(3), x(3), 4 * n)),
    ]
    body = [Operation("addi", (x(4), x(1), 0)), *counted(".L1", m, x(6), outer)]
    program = Program("matmul", (x(1), x(2), x(3)), body)
    code = run(
        program, [InputBuffer(a.tobytes()), InputBuffer(b.tobytes()), exactly(a @ b)], tmp_path
    )
    assert code.statistics.state_changes == 1


def test_more_accumulators_than_registers(tmp_path: Path):
    """Groups of 1, 2, 4 and 8, 60 registers together, all live through a loop."""
    groups = [8, 4, 2, 1] * 4
    accumulators = [v(100 + k, group) for k, group in enumerate(groups)]
    pointers = [x(200 + k) for k in range(len(groups))]
    states = [state(8, group, 64 * group) for group in groups]
    start = [
        Operation("vmv.v.i", (register, k - 8), own)
        for k, (register, own) in enumerate(zip(accumulators, states, strict=True))
    ]
    body: list[Operation | Loop] = []
    for pointer, register, own in zip(pointers, accumulators, states, strict=True):
        loaded = v(pointer.number + 100, register.group)
        body.append(Operation("vle8.v", (loaded, x(1)), own, MemoryRef("in", "load")))
        body.append(Operation("vadd.vv", (register, register, loaded), own))
    body.append(Operation("addi", (x(1), x(1), 512)))
    end: list[Operation | Loop] = []
    for register, own in zip(accumulators, states, strict=True):
        end.append(Operation("vse8.v", (register, x(2)), own))
        end.append(Operation("addi", (x(2), x(2), 64 * register.group)))
    trips = 3
    program = Program("sums", (x(1), x(2)), [*start, *counted(".L1", trips, x(3), body), *end])
    data = RNG.integers(0, 256, (trips, 512), np.uint8)
    total = data.sum(axis=0, dtype=np.uint8)
    expected = np.concatenate(
        [total[: 64 * group] + np.uint8((k - 8) % 256) for k, group in enumerate(groups)]
    )
    code = run(program, [InputBuffer(data.tobytes()), exactly(expected)], tmp_path)
    assert code.statistics.reloads > 0
    assert code.statistics.frame_bytes % 16 == 0


def test_a_splat_is_computed_again_rather_than_spilled(tmp_path: Path):
    """33 splats of different constants are needed at the end: all but memory-free."""
    one = state(8, 1, 64)
    splats = [v(100 + k) for k in range(40)]
    start = [Operation("vmv.v.i", (register, k % 16), one) for k, register in enumerate(splats)]
    body: list[Operation | Loop] = list(start)
    for k, register in enumerate(splats):
        body += [
            Operation("vse8.v", (register, x(1)), one, MemoryRef("out", "store", 64 * k, 64)),
            Operation("addi", (x(1), x(1), 64)),
        ]
    program = Program("splats", (x(1),), body)
    expected = np.repeat(np.arange(40, dtype=np.uint8) % 16, 64)
    code = run(program, [exactly(expected)], tmp_path, scheduling=False)
    assert code.statistics.rematerialized > 0
    assert code.statistics.spills == 0


def test_two_masks_take_turns_in_v0(tmp_path: Path):
    """out = x < 50 ? x + 1 : x, then x > 200 ? ... both masks alive throughout."""
    one = state(8, 1, 64, mask_undisturbed=True)
    body: list[Operation | Loop] = [
        Operation("vle8.v", (v(1), x(1)), one),
        Operation("li", (x(3), 50)),
        Operation("li", (x(4), 200)),
        Operation("vmsltu.vx", (v(2), v(1), x(3)), one),
        Operation("vmsgtu.vx", (v(3), v(1), x(4)), one),
        Operation("vadd.vi", (v(1), v(1), 1, v(2)), one),
        Operation("vadd.vi", (v(1), v(1), 2, v(3)), one),
        Operation("vadd.vi", (v(1), v(1), 4, v(2)), one),
        Operation("vadd.vi", (v(1), v(1), 8, v(3)), one),
        Operation("vse8.v", (v(1), x(2)), one),
    ]
    data = RNG.integers(0, 246, 64, np.uint8)
    expected = data + np.where(data < 50, 5, np.where(data > 200, 10, 0)).astype(np.uint8)
    program = Program("masks", (x(1), x(2)), body)
    run(program, [InputBuffer(data.tobytes()), exactly(expected)], tmp_path)


def test_widening_products(tmp_path: Path):
    """int8 dot products over int16 and int32: groups of 1, 2 and 4."""
    count, trips = 64, 5
    narrow, middle = state(8, 1, count), state(16, 2, count)
    body: list[Operation | Loop] = [
        Operation("vle8.v", (v(1), x(1)), narrow),
        Operation("vle8.v", (v(2), x(2)), narrow),
        Operation("vwmul.vv", (v(3, 2), v(1), v(2)), narrow),
        Operation("vwadd.wv", (v(4, 4), v(4, 4), v(3, 2)), middle),
        Operation("addi", (x(1), x(1), count)),
        Operation("addi", (x(2), x(2), count)),
    ]
    wide = state(32, 4, count)
    program = Program(
        "dots",
        (x(1), x(2), x(3)),
        [
            Operation("vmv.v.i", (v(4, 4), 0), wide),
            *counted(".L1", trips, x(4), body),
            Operation("vse32.v", (v(4, 4), x(3)), wide),
        ],
    )
    a, b = (RNG.integers(-128, 128, (trips, count), np.int8) for _ in range(2))
    expected = (a.astype(np.int32) * b).sum(axis=0, dtype=np.int32)
    arguments = [InputBuffer(a.tobytes()), InputBuffer(b.tobytes()), exactly(expected)]
    run(program, arguments, tmp_path)


def test_parameters_beyond_the_registers(tmp_path: Path):
    """Twelve integers (four in memory), three doubles, and scratch."""
    integers = [x(10 + k) for k in range(12)]
    doubles = [f(k) for k in range(1, 4)]
    body: list[Operation | Loop] = [
        *(Operation("sd", (register, 8 * k, x(1))) for k, register in enumerate(integers)),
        *(Operation("fsd", (register, 96 + 8 * k, x(1))) for k, register in enumerate(doubles)),
        Operation("sd", (integers[-1], 0, x(2))),
    ]
    program = Program("many", (x(1), *integers, *doubles, x(2)), body)
    values = [(-1) ** k * (k + 1) << 40 for k in range(12)]
    floats = np.array([0.5, -2.0, 1e300])
    expected = np.concatenate([np.array(values, np.int64), floats.view(np.int64)])
    arguments: list[Argument] = [exactly(expected), *map(IntegerScalar, values)]
    arguments += [FloatScalar(int(bits), 8) for bits in floats.view(np.int64)]
    run(program, [*arguments, ScratchBuffer(64)], tmp_path)


def test_scalar_pressure_saves_and_spills(tmp_path: Path):
    """40 integers and 40 doubles live at once: callee-saved registers and stack slots."""
    count = 40
    integers, doubles = [x(10 + k) for k in range(count)], [f(10 + k) for k in range(count)]
    body: list[Operation | Loop] = [
        *(Operation("ld", (register, 8 * k, x(1))) for k, register in enumerate(integers)),
        *(Operation("fld", (register, 8 * k, x(1))) for k, register in enumerate(doubles)),
        *(Operation("add", (a, a, b)) for a, b in pairwise(integers)),
        *(Operation("fadd.d", (a, a, b)) for a, b in pairwise(doubles)),
        *(Operation("sd", (register, 16 * k, x(2))) for k, register in enumerate(integers)),
        *(Operation("fsd", (register, 16 * k + 8, x(2))) for k, register in enumerate(doubles)),
    ]
    data = RNG.random(count)
    bits = data.view(np.int64)
    sums = np.concatenate([bits[:-1] + bits[1:], bits[-1:]])
    float_sums = np.concatenate([data[:-1] + data[1:], data[-1:]])
    expected = np.stack([sums, float_sums.view(np.int64)], axis=1)
    program = Program("scalars", (x(1), x(2)), body)
    arguments = [InputBuffer(data.tobytes()), exactly(expected)]
    code = run(program, arguments, tmp_path, scheduling=False)
    assert code.statistics.spills > 0
    assert code.statistics.frame_bytes >= 8 * 24


def test_constants_behind_the_code(tmp_path: Path):
    one = state(8, 1, 40)
    table = bytes(range(100, 140))
    body: list[Operation | Loop] = [
        Operation("la", (x(2), "table")),
        Operation("vle8.v", (v(1), x(2)), one),
        Operation("vse8.v", (v(1), x(1)), one),
    ]
    program = Program("lookup", (x(1),), body, {"other": b"abc", "table": table})
    run(program, [exactly(np.frombuffer(table, np.uint8))], tmp_path)


def test_a_loop_too_long_for_its_branch(tmp_path: Path):
    body: list[Operation | Loop] = [Operation("addi", (x(2), x(2), 1)) for _ in range(1500)]
    program = Program(
        "long",
        (x(1),),
        [
            Operation("li", (x(2), 0)),
            *counted(".L1", 3, x(3), body),
            Operation("sd", (x(2), 0, x(1))),
        ],
    )
    code = run(program, [exactly(np.array([4500]))], tmp_path, scheduling=False)
    assert "jal zero, .L1" in code.assembly


def test_a_wrong_result_is_noticed(tmp_path: Path):
    program = Program("zero", (x(1),), [Operation("sd", (Register("x", 0), 0, x(1)))])
    code = generate(program, CARD).code

    def status(*outputs: Argument) -> int:
        return exit_code(executable(code, outputs), CARD, tmp_path)

    assert status(exactly(np.array([0]))) == 0
    assert status(exactly(np.array([1]))) == 1
    assert status(exactly(np.array([-0.0]))) == 1
    assert status(within(np.array([-0.0]), np.array([0.0]))) == 0
    assert status(within(np.array([1e-3]), np.array([1e-3]))) == 0
    assert status(within(np.array([1e-3]), np.array([0.9e-3]))) == 1
    assert status(within(np.array([-1e-3]), np.array([1.1e-3]))) == 0
    assert status(within(np.array([np.nan]), np.array([1.0]))) == 1
