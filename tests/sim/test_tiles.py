"""Every tile instruction against the records' own expression trees, and against NumPy models."""

import math
from collections.abc import Sequence
from fractions import Fraction

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from oxegg.costmodels import load_machine
from oxegg.errors import SimulationError
from oxegg.isa import TABLE, Instruction
from oxegg.sim import Buffer, call
from oxegg.sim.accelerators import Accelerators
from oxegg.sim.custom import compile_custom
from oxegg.sim.memory import DRAM_BASE, SPM_BASE, Memory
from oxegg.sim.state import State
from oxegg.sim.tile import Tiles
from oxegg.sim.tile_reference import TileReference
from oxegg.sim.vector_groups import scalar_sources
from oxegg.sim.vector_memory import Access
from tests.sim.programs import RETURN, Line, assemble, constant

R = 8
BYTES = 16384
U64 = (1 << 64) - 1
TENSOR = [record for record in TABLE.values() if record.extension == "Xoxt"]
SHAPES = ((R, R, 4 * R), (3, 5, 12), (1, 8, 4), (8, 1, 28), (0, 4, 8), (2, 0, 16), (4, 4, 0))


def random_tiles(random: np.random.Generator, shape: tuple[int, int, int]) -> Tiles:
    tiles = Tiles(R)
    for number in (*range(8), *range(16, 20)):
        tiles.register(number)[:] = random.integers(0, 256, (R, 4 * R))
        # Numbers of like size too, so that sums round, and some specials.
        if random.random() < 0.5:
            tiles.elements(number, 32, "f")[:] = random.normal(size=(R, R))
    tiles.m, tiles.n, tiles.k = shape
    return tiles


def copy(tiles: Tiles) -> Tiles:
    other = Tiles(tiles.rows)
    for number in (*range(8), *range(16, 20)):
        other.register(number)[:] = tiles.register(number)
    other.m, other.n, other.k = tiles.shape
    return other


def same(a: Tiles, b: Tiles) -> bool:
    numbers = (*range(8), *range(16, 20))
    equal = all(np.array_equal(a.register(n), b.register(n)) for n in numbers)
    return equal and a.shape == b.shape


@pytest.mark.parametrize("record", TENSOR, ids=lambda record: record.name)
def test_fast_form_equals_the_record(record: Instruction):
    random = np.random.default_rng(len(record.name) * 97 + ord(record.name[-1]))
    shapes = SHAPES if record.timing != "tmm" else SHAPES[:3]
    for shape in shapes:
        check_against_the_record(record, shape, random)


def check_against_the_record(
    record: Instruction, shape: tuple[int, int, int], random: np.random.Generator
) -> None:
    memory = Memory(1 << 28)
    memory.map(SPM_BASE, BYTES, "spm", "data")
    memory.write(SPM_BASE, random.bytes(BYTES))
    tiles = random_tiles(random, shape)
    oracle = copy(tiles)
    state = State(memory, 256, Accelerators(tiles=tiles))
    state.v[:] = random.integers(0, 256, len(state.v))
    accumulators = record.name == "ox.tmv" and random.random() < 0.5
    values = tuple(
        int(random.integers(16, 20)) if o.kind == "acc" or (o.kind == "t" and accumulators)
        else int(random.integers(0, 8))
        for o in record.operands
    )  # fmt: skip
    scalars = _sources(record, random)
    operands = zip(record.operands, values, strict=True)
    vector = next((number for o, number in operands if o.kind == "v"), 0)
    group = slice(vector * 32, vector * 32 + 32)
    stored: dict[int, int] = {}
    reference = TileReference(
        oracle,
        load=lambda address, bits: int.from_bytes(memory.read(address & U64, bits // 8), "little"),
        store=lambda address, value, bits: stored.update({address & U64: value}),
        vector=bytearray(state.v[group].tobytes()),
    )
    expected = reference.execute(record, values, scalars)
    before = memory.read(SPM_BASE, BYTES)
    access = Access(memory, False, lambda new: None)
    operation = compile_custom(record, values, state, access, lambda event: None)
    with np.errstate(all="ignore"):
        result = operation(*(scalars[name] for name in scalar_sources(record)))
    assert result == expected
    assert same(tiles, oracle), shape
    assert state.v[group].tobytes() == bytes(reference.vector)
    after = bytearray(before)
    for address, value in stored.items():
        after[address - SPM_BASE] = value
    assert memory.read(SPM_BASE, BYTES) == bytes(after)


def _sources(record: Instruction, random: np.random.Generator) -> dict[str, int]:
    names = [o.name for o in record.operands if o.kind == "x" and o.reads]
    if record.memory:
        return {"rs1": SPM_BASE + 4096, "rs2": int(random.choice([64, -64 & U64, 36, 0]))}
    if record.name == "ox.trq.b":
        m, s, z = (
            random.integers(-(2**31), 2**31),
            random.integers(0, 40),
            random.integers(-128, 128),
        )
        return {"rs2": int(m) & 0xFFFF_FFFF | int(s) << 32 | (int(z) & 0xFF) << 40}
    small = record.timing in ("tile_to_vector", "vector_to_tile")
    return {name: int(random.integers(0, R if small else 3 * R)) for name in names}


# Programs on a whole machine, against independent models


CARD = load_machine("ox-card")
FULL = CARD.tensor.rows if CARD.tensor else 0
Matrix = npt.NDArray[np.generic]


def multiply(kind: str, a: Matrix, b: Matrix, c: Matrix, shape: Sequence[int]) -> Matrix:
    """C + A B^T by one ox.mm on ox-card; a, b, c are dense."""
    m, n, k = shape
    lines: list[Line] = [
        *constant(5, m), ("ox.tset.m", 0, 5), *constant(5, n), ("ox.tset.n", 0, 5),
        *constant(5, k), ("ox.tset.k", 0, 5),
        *constant(6, a.strides[0]), *constant(7, b.strides[0]), *constant(28, c.strides[0]),
        ("ox.tld.a", 0, 10, 6), ("ox.tld.b", 1, 11, 7), ("ox.tld.c", 16, 12, 28),
        (f"ox.mm.{kind}", 16, 0, 1), ("ox.tst.c", 16, 12, 28),
    ]  # fmt: skip
    result = call(assemble([*lines, RETURN]), CARD, [Buffer(a), Buffer(b), Buffer(c)])
    return result.arrays[2]


@pytest.mark.parametrize("kind", ["uu", "us", "su", "ss"])
def test_integer_products_wrap(kind: str):
    random = np.random.default_rng(1)
    types = {"u": np.uint8, "s": np.int8}
    a = random.integers(0, 256, (16, 64)).astype(np.uint8).view(types[kind[0]])
    b = random.integers(0, 256, (16, 64)).astype(np.uint8).view(types[kind[1]])
    c = random.integers(-(2**31), 2**31, (16, 16)).astype(np.int32)
    expected = (c.astype(np.int64) + a.astype(np.int64) @ b.astype(np.int64).T).astype(np.int32)
    assert np.array_equal(multiply(kind, a, b, c, (16, 16, 64)), expected)


FLOATS: dict[str, np.dtype[np.generic]] = {
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f16": np.dtype(np.float16),
    "f32": np.dtype(np.float32),
    "e4m3": np.dtype(ml_dtypes.float8_e4m3fn),
    "e5m2": np.dtype(ml_dtypes.float8_e5m2),
}


@pytest.mark.parametrize("kind", FLOATS)
def test_float_products_round_once_per_step_in_ascending_order(kind: str):
    random = np.random.default_rng(2)
    k = 64 // FLOATS[kind].itemsize
    a = random.normal(size=(16, k)).astype(FLOATS[kind])
    b = (random.normal(size=(16, k)) * 2.0 ** random.integers(-6, 6, (16, k))).astype(FLOATS[kind])
    c = random.normal(size=(16, 16)).astype(np.float32)
    expected = c.copy()
    for i in range(16):
        for j in range(16):
            expected[i, j] = exact_fold(a[i], b[j], c[i, j])
    got = multiply(kind, a.view(np.uint8), b.view(np.uint8), c, (16, 16, 64))
    assert np.array_equal(got.view(np.uint32), expected.view(np.uint32))


def exact_fold(a: Matrix, b: Matrix, c: np.float32) -> np.float32:
    """Round32(C + exact(a * b)) for ascending k, with rational numbers."""
    total = Fraction(float(c))
    for x, y in zip(a.astype(np.float64), b.astype(np.float64), strict=True):
        total = Fraction(nearest32(total + Fraction(float(x)) * Fraction(float(y))))
    return np.float32(float(total))


def nearest32(value: Fraction) -> float:
    """The binary32 nearest to a rational number, ties to even; the magnitude is normal or zero."""
    if not value:
        return 0.0
    exponent = math.floor(math.log2(abs(value))) - 23
    exponent += abs(value) >= Fraction(2) ** (exponent + 24)
    exponent -= abs(value) < Fraction(2) ** (exponent + 23)
    step = Fraction(2) ** exponent
    return float(round(value / step) * step)


def test_shape_registers_saturate_and_are_readable():
    lines: list[Line] = [
        ("addi", 5, 0, 100), ("ox.tset.m", 6, 5), ("ox.tset.k", 7, 5), ("addi", 5, 0, 7),
        ("ox.tset.n", 28, 5), ("ox.tset.k", 29, 5),
        ("sd", 6, 0, 10), ("sd", 7, 8, 10), ("sd", 28, 16, 10), ("sd", 29, 24, 10),
        ("csrrs", 5, 0x8C0, 0), ("sd", 5, 32, 10), ("csrrs", 5, 0x8C1, 0), ("sd", 5, 40, 10),
        ("csrrs", 5, 0x8C2, 0), ("sd", 5, 48, 10), ("ox.trel",),
        ("csrrs", 5, 0x8C2, 0), ("sd", 5, 56, 10),
    ]  # fmt: skip
    result = call(assemble([*lines, RETURN]), CARD, [Buffer(np.zeros(8, np.int64))])
    assert result.arrays[0].tolist() == [16, 64, 7, 4, 16, 7, 4, 64]


def test_transposing_load_reads_a_column_major_matrix():
    random = np.random.default_rng(3)
    a = random.integers(-128, 128, (16, 64)).astype(np.int8)
    b = random.integers(-128, 128, (64, 16)).astype(np.int8)
    lines: list[Line] = [
        *constant(6, 64), *constant(7, 16), ("ox.tld.a", 0, 10, 6), ("ox.tldbt.b", 1, 11, 7),
        ("ox.tzero", 17), ("ox.mm.ss", 17, 0, 1), ("ox.tst.c", 17, 12, 6),
    ]  # fmt: skip
    result = call(assemble([*lines, RETURN]), CARD,
                  [Buffer(a), Buffer(b), Buffer(np.zeros((16, 16), np.int32))])  # fmt: skip
    assert np.array_equal(result.arrays[2], a.astype(np.int32) @ b.astype(np.int32))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([("ox.tld.a", 0, 0, 6)], "ox.tld.a tr0, .zero., t1: load of 64 bytes at 0x0 outside"),
        ([("addi", 11, 10, 2), ("ox.tld.c", 16, 11, 6)], "misaligned load of 4 bytes"),
        ([("addi", 11, 10, 1), ("ox.tldbt.h", 0, 11, 6)], "misaligned load of 2 bytes"),
        ([("addi", 5, 0, 16), ("ox.tmv.t.v", 0, 1, 5)], "row 16 of a tile of 16 rows"),
        ([("ox.tmv", 0, 16)], "copies a tile to a tile"),
    ],
)
def test_faults(lines: list[Line], message: str):
    with pytest.raises(SimulationError, match=message):
        call(assemble([*lines, RETURN]), CARD, [Buffer(4096)])


def test_machine_without_the_engine():
    with pytest.raises(SimulationError, match="no tensor engine"):
        call(assemble([("ox.tzero", 0), RETURN]), load_machine("x280"), timing=False)


# Rows of memory at once


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("base", [SPM_BASE, DRAM_BASE])
def test_rows_at_once_are_rows_one_by_one(base: int, timed: bool):
    random = np.random.default_rng(base + timed)
    memories = [Memory(1 << 29), Memory(1 << 29)]
    for memory in memories:
        memory.map(base, BYTES, "spm" if base == SPM_BASE else "dram", "data")
    told: list[list[int]] = [[], []]
    together, alone = (
        Access(memory, timed, note.append) for memory, note in zip(memories, told, strict=True)
    )
    for _ in range(300):
        rows, size, stride = (int(random.integers(1, most)) for most in (20, 65, 300))
        address = base + int(random.integers(0, BYTES - 64))
        for note in told:
            note.clear()
        found = together.rows(address, stride, rows, size, write=True)
        inside = address + (rows - 1) * stride + size <= base + BYTES
        assert (found is not None) == (inside and size <= stride)
        if found is None:
            continue
        assert found.shape == (rows, size)
        for number in range(rows):
            place = alone.block(address + number * stride, size, 1, write=True)
            memories[1].bytes[place] = found[number] = number
        assert bool(told[0]) == bool(told[1])
        assert sum(told[0]) == sum(told[1])
        assert memories[0].read(base, BYTES) == memories[1].read(base, BYTES)


def test_rows_are_written_where_writing_is_allowed_only():
    memory = Memory(1 << 29)
    memory.map(DRAM_BASE, BYTES, "dram", "constants", writable=False)
    access = Access(memory, True, lambda new: None)
    assert access.rows(DRAM_BASE, 64, 4, 64, write=False) is not None
    assert access.rows(DRAM_BASE, 64, 4, 64, write=True) is None
