"""Near-memory commands against models in NumPy and rational numbers; mode and address faults."""

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from oxegg.costmodels import load_machine
from oxegg.errors import SimulationError, UsageError
from oxegg.sim import Buffer, call
from tests.sim.programs import RETURN, Line, assemble, constant

EDGE = load_machine("ox-edge")  # one channel of 8 units, W = 32
TINY = load_machine("ox-tiny")  # 8 units, W = 8, SRAM
UNITS, W = 8, 32
I8, F16, BF16, F32 = range(4)
DTYPES: dict[int, np.dtype[np.generic]] = {
    I8: np.dtype(np.int8),
    F16: np.dtype(np.float16),
    BF16: np.dtype(ml_dtypes.bfloat16),
    F32: np.dtype(np.float32),
}
BANKS, SCRATCH, OUT, COUNT = 10, 11, 12, 28
Matrix = npt.NDArray[Any]


def run(
    kind: int, lines: list[Line], banks: Matrix, scratch: Matrix, out: Matrix, n: int = 8
) -> tuple[Matrix, Matrix]:
    """a0: banks, a1: inputs in the scratchpad, a2: output; t3 = n, the mode is on around lines."""
    program: list[Line] = [
        ("addi", 5, 0, 1), ("addi", 6, 0, kind), *constant(COUNT, n),
        ("ox.nm.on", 7, 5, 6), *lines, ("ox.nm.wait", 5), ("ox.nm.off",), RETURN,
    ]  # fmt: skip
    arguments = [Buffer(banks, "near_memory"), Buffer(scratch), Buffer(out)]
    result = call(assemble(program), EDGE, arguments)
    return result.arrays[2], result.arrays[0]


def random_values(kind: int, count: int, seed: int, spread: int = 3) -> Matrix:
    random = np.random.default_rng(seed)
    if kind == I8:
        return random.integers(-128, 128, count).astype(np.int8)
    values = random.normal(size=count) * 2.0 ** random.integers(-spread, spread, count)
    return values.astype(DTYPES[kind])


def wide(values: Matrix) -> npt.NDArray[np.float32]:
    return values.astype(np.float32)


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("name", ["add", "mul", "max"])
def test_elementwise_commands(kind: int, name: str):
    """h = g op bank for 5 registers from number 6 on, so that the numbers wrap round."""
    n, lanes = 5, W // DTYPES[kind].itemsize
    banks = random_values(kind, UNITS * n * lanes, 1).reshape(UNITS, n * lanes)
    g = random_values(kind, n * lanes, 2)
    lines: list[Line] = [
        ("ox.nm.bcv", 6, SCRATCH, COUNT), (f"ox.nm.{name}", 6, BANKS, COUNT),
        ("ox.nm.rd", 6, OUT, COUNT),
    ]  # fmt: skip
    out, _ = run(kind, lines, banks, g, np.zeros((UNITS, n * lanes), DTYPES[kind]), n)
    a, b = np.broadcast_arrays(g, banks)
    if kind == I8:
        expected = {"add": a + b, "mul": a * b, "max": np.maximum(a, b)}[name]
    else:
        x, y = wide(a), wide(b)
        expected = {"add": x + y, "mul": x * y, "max": np.maximum(x, y)}[name].astype(DTYPES[kind])
    assert np.array_equal(out.view(np.uint8), expected.view(np.uint8))


@pytest.mark.parametrize("kind", [F16, BF16, F32])
@pytest.mark.parametrize("name", ["mac", "macs"])
def test_float_sums_round_to_binary32_per_step(kind: int, name: str):
    lanes = W // DTYPES[kind].itemsize
    banks = random_values(kind, UNITS * 8 * lanes, 3).reshape(UNITS, 8, lanes)
    factors = random_values(kind, 8 * lanes if name == "mac" else 8, 4)
    lines: list[Line] = [
        ("ox.nm.bcv" if name == "mac" else "ox.nm.bcs", 0, SCRATCH, COUNT),
        (f"ox.nm.{name}", 3, BANKS, COUNT), (f"ox.nm.{name}", 3, BANKS, COUNT),
        ("addi", COUNT, 0, 1), ("ox.nm.rdsum", 3, OUT, COUNT),
    ]  # fmt: skip
    out, _ = run(kind, lines, banks, factors, np.zeros(UNITS, np.float32))
    rows = wide(factors).reshape(8, -1)
    h = np.zeros((UNITS, lanes))
    for _ in range(2):
        for i in range(8):
            # Products of 24 bits are exact in binary64; the sums are far from its midpoints.
            h = (h + wide(banks)[:, i].astype(np.float64) * rows[i]).astype(np.float32)
            h = h.astype(np.float64)
    total = h[:, 0].astype(np.float32)
    for lane in range(1, lanes):
        total = total + h[:, lane].astype(np.float32)
    assert out.tolist() == total.tolist()


@pytest.mark.parametrize("name", ["mac", "macs"])
def test_byte_products_are_summed_in_four_registers(name: str):
    banks = random_values(I8, UNITS * 8 * W, 5).reshape(UNITS, 8, W)
    factors = random_values(I8, 8 * W if name == "mac" else 8, 6)
    lines: list[Line] = [
        ("ox.nm.bcv" if name == "mac" else "ox.nm.bcs", 0, SCRATCH, COUNT),
        (f"ox.nm.{name}", 4, BANKS, COUNT), ("addi", COUNT, 0, 4),
        ("ox.nm.rd", 4, OUT, COUNT),
    ]  # fmt: skip
    out, _ = run(I8, lines, banks, factors, np.zeros((UNITS, W), np.int32))
    rows = factors.astype(np.int32).reshape(8, -1)
    assert np.array_equal(out, (banks.astype(np.int32) * rows[None]).sum(axis=1))


def test_sums_of_byte_lanes_are_of_32_bit_words():
    banks = random_values(I8, UNITS * 8 * W, 7).reshape(UNITS, 8, W)
    factors = random_values(I8, 8, 8)
    lines: list[Line] = [
        ("ox.nm.bcs", 0, SCRATCH, COUNT), ("ox.nm.macs", 0, BANKS, COUNT), ("addi", COUNT, 0, 4),
        ("ox.nm.rdsum", 0, OUT, COUNT),
    ]  # fmt: skip
    out, _ = run(I8, lines, banks, factors, np.zeros((UNITS, 4), np.int32))
    sums = (banks.astype(np.int32) * factors.astype(np.int32)[None, :, None]).sum(axis=1)
    assert np.array_equal(out, sums.reshape(UNITS, 4, W // 4).sum(axis=2))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("kind", DTYPES)
def test_load_zero_and_store(kind: int, relu: bool):
    lanes = W // DTYPES[kind].itemsize
    banks = random_values(kind, UNITS * 4 * lanes, 9).reshape(UNITS, 4, lanes)
    store = "ox.nm.st.relu" if relu else "ox.nm.st"
    lines: list[Line] = [
        # g0, g1 = rows 0, 1; h0, h1 = g + rows 2, 3; row 0 = h0, row 1 = h1, row 2 = 0.
        ("ox.nm.ld", 0, BANKS, COUNT), ("addi", 29, BANKS, 2 * W),
        ("ox.nm.add", 0, 29, COUNT), (store, 0, BANKS, COUNT), ("addi", COUNT, 0, 1),
        ("ox.nm.zero", 7, COUNT), ("ox.nm.st", 7, 29, COUNT),
    ]  # fmt: skip
    _, after = run(kind, lines, banks, np.zeros(8), np.zeros(8), n=2)
    if kind == I8:
        sums = banks[:, :2] + banks[:, 2:]
    else:
        sums = (wide(banks[:, :2]) + wide(banks[:, 2:])).astype(DTYPES[kind])
    expected = banks.copy()
    expected[:, :2] = np.maximum(sums, DTYPES[kind].type(0)) if relu else sums
    expected[:, 2] = 0
    assert np.array_equal(after.view(np.uint8), expected.view(np.uint8))


def test_wait_gives_status_zero_and_on_the_number_of_units():
    lines: list[Line] = [("sd", 7, 0, OUT), ("ox.nm.wait", 6), ("sd", 6, 8, OUT)]
    out, _ = run(F32, lines, np.zeros((UNITS, 8)), np.zeros(8), np.full(2, 7))
    assert out.tolist() == [UNITS, 0]


def test_the_mode_clears_the_registers():
    lines: list[Line] = [
        ("ox.nm.bcs", 0, SCRATCH, COUNT), ("ox.nm.off",), ("ox.nm.on", 7, 5, 6),
        ("ox.nm.macs", 0, BANKS, COUNT), ("addi", COUNT, 0, 1), ("ox.nm.rd", 0, OUT, COUNT),
    ]  # fmt: skip
    out, _ = run(F32, lines, np.ones((UNITS, 64), np.float32), np.ones(8, np.float32),
                 np.ones((UNITS, 8), np.float32))  # fmt: skip
    assert not out.any()


def test_several_channels():
    memory = EDGE.near_memory
    assert memory is not None
    one_core = replace(EDGE, name="one-core", cores=1)
    banks = np.arange(4 * UNITS * 8, dtype=np.float32).reshape(4 * UNITS, 8)
    lines: list[Line] = [
        ("addi", 5, 0, 0b1010), ("addi", 6, 0, F32), ("addi", COUNT, 0, 1),
        ("ox.nm.on", 7, 5, 6), ("ox.nm.zero", 0, COUNT), ("ox.nm.bcv", 0, 11, COUNT),
        ("ox.nm.add", 0, 10, COUNT), ("ox.nm.rd", 0, 12, COUNT), ("ox.nm.off",),
        # Channel 0 was never in the mode, and now all are accessible again.
        ("lw", 5, 0, 10), ("sw", 5, 0, 12), RETURN,
    ]  # fmt: skip
    out = np.zeros((2 * UNITS, 8), np.float32)
    result = call(assemble(lines), one_core,
                  [Buffer(banks, "near_memory"), Buffer(np.zeros(8)), Buffer(out)])  # fmt: skip
    expected = np.concatenate([banks[8:16], banks[24:32]])
    expected[0, 0] = 0
    assert np.array_equal(result.arrays[2], expected)


ON: list[Line] = [("addi", 5, 0, 1), ("addi", 28, 0, 1), ("ox.nm.on", 7, 5, 5)]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([("ox.nm.ld", 0, 10, 28)], "ox.nm.ld g0, .a0., t3: near-memory mode is off"),
        ([("ox.nm.off",)], "near-memory mode is off"),
        ([*ON, ("ox.nm.on", 7, 5, 5)], "near-memory mode is on already"),
        ([("ox.nm.on", 7, 0, 0)], "channel mask 0x0: this core has channels 0 to 0"),
        ([("addi", 5, 0, 1), ("addi", 6, 0, 4), ("ox.nm.on", 7, 5, 6)], "element type 4"),
        ([*ON, ("ox.nm.zero", 0, 0)], "repeat count 0 is not from 1 to 8"),
        (
            [*ON, ("lw", 6, 0, 10)],
            "lw t1, 0.a0.: load of 4 bytes .* channel is in near-memory mode",
        ),
        ([*ON, ("sw", 6, 0, 10)], "store of 4 bytes .* channel is in near-memory mode"),
        ([*ON, ("addi", 6, 10, 4), ("ox.nm.ld", 0, 6, 28)], "misaligned near-memory access"),
        ([*ON, ("ox.nm.ld", 0, 11, 28)], "outside bank 0"),
        ([*ON, ("addi", 6, 10, 256), ("ox.nm.ld", 0, 6, 28)], "outside all buffers"),
        ([*ON, ("ox.nm.bcv", 0, 12, 28)], "not in the scratchpad"),
        ([("addi", 5, 0, 1), ("ox.nm.on", 7, 5, 0), ("ox.nm.macs", 2, 10, 5)], "doesn't start"),
    ],
)
def test_faults(lines: list[Line], message: str):
    arguments = [Buffer(np.zeros((UNITS, 64), np.uint8), "near_memory"), Buffer(64),
                 Buffer(4096, "dram")]  # fmt: skip
    with pytest.raises(SimulationError, match=message):
        call(assemble([*lines, RETURN]), EDGE, arguments)


def test_a_vector_access_to_a_channel_in_the_mode():
    lines: list[Line] = [*ON, ("vsetivli", 0, 4, 0xD0), ("vle32.v", 8, 10), RETURN]
    with pytest.raises(SimulationError, match="channel is in near-memory mode"):
        call(assemble(lines), EDGE, [Buffer(np.zeros((UNITS, 64), np.uint8), "near_memory")])


def test_machines_and_buffers_that_do_not_fit():
    with pytest.raises(SimulationError, match="no near-memory units"):
        call(assemble([("ox.nm.off",), RETURN]), load_machine("x280"), timing=False)
    with pytest.raises(UsageError, match="x280 has no near-memory units"):
        call(assemble([RETURN]), load_machine("x280"), [Buffer(64, "near_memory")])
    with pytest.raises(UsageError, match="don't divide into 8 banks"):
        call(assemble([RETURN]), TINY, [Buffer(100, "near_memory")])
    with pytest.raises(UsageError, match="a bank of ox-tiny has 131072 bytes"):
        call(assemble([RETURN]), TINY, [Buffer(2 << 20, "near_memory")])
