"""The copy engine: 2-D copies, transpositions, multicast, queues; what it refuses."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from oxegg.costmodels import load_machine
from oxegg.errors import SimulationError
from oxegg.sim import Buffer, call
from oxegg.sim.dma import Descriptor
from tests.sim.programs import RETURN, Line, assemble

CARD = load_machine("ox-card")
WORDS = ("row_bytes", "rows", "source_stride", "target_stride", "flags")
Bytes = npt.NDArray[np.uint8]


def descriptor(**words: int) -> npt.NDArray[np.int64]:
    """Words 2 to 7; the program fills in the two addresses."""
    return np.array([0, 0, *(words.get(word, 0) for word in WORDS), 0], np.int64)


# a0: descriptor, a1: source, a2: target; handle in t0.
START: list[Line] = [("sd", 11, 0, 10), ("sd", 12, 8, 10), ("ox.dma", 5, 10, 0)]
WAIT: list[Line] = [("ox.dma.wait", 5)]


def copy(
    words: npt.NDArray[np.int64], source: Bytes, target: Bytes, end: list[Line] = WAIT
) -> Bytes:
    result = call(assemble([*START, *end, RETURN]), CARD,
                  [Buffer(words), Buffer(source, "dram"), Buffer(target)])  # fmt: skip
    return result.arrays[2]


def pattern(count: int) -> Bytes:
    return (np.arange(count) % 251 + 1).astype(np.uint8)


def test_rows_with_strides():
    words = descriptor(row_bytes=10, rows=5, source_stride=32, target_stride=16)
    out = copy(words, pattern(200), np.zeros(80, np.uint8))
    expected = np.zeros((5, 16), np.uint8)
    expected[:, :10] = np.lib.stride_tricks.as_strided(pattern(200), (5, 10), (32, 1))
    assert np.array_equal(out, expected.reshape(-1))


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_transposition(size: int):
    rows, columns = 6, 5
    words = descriptor(row_bytes=columns * size, rows=rows, source_stride=columns * size,
                       target_stride=rows * size, flags=size)  # fmt: skip
    out = copy(words, pattern(rows * columns * size), np.zeros(rows * columns * size, np.uint8))
    elements = pattern(rows * columns * size).reshape(rows, columns, size)
    assert np.array_equal(out, elements.transpose(1, 0, 2).reshape(-1))


def test_nothing_arrives_before_the_wait():
    words = descriptor(row_bytes=64, rows=1)
    assert not copy(words, pattern(64), np.zeros(64, np.uint8), end=[]).any()
    fenced = copy(words, pattern(64), np.zeros(64, np.uint8), end=[("ox.dma.fence",)])
    assert np.array_equal(fenced, pattern(64))


def test_a_wait_completes_earlier_transfers_of_its_queue_only():
    lines: list[Line] = [
        ("sd", 11, 0, 10), ("addi", 6, 0, 1),
        # Target bytes 0 (queue 0), 64 (queue 1), 128 (queue 0).
        ("sd", 12, 8, 10), ("ox.dma", 5, 10, 0), ("addi", 12, 12, 64), ("sd", 12, 8, 10),
        ("ox.dma", 5, 10, 6), ("addi", 12, 12, 64), ("sd", 12, 8, 10), ("ox.dma", 5, 10, 0),
        ("ox.dma.wait", 5), RETURN,
    ]  # fmt: skip
    buffers = [Buffer(descriptor(row_bytes=64, rows=1)), Buffer(pattern(64)),
               Buffer(np.zeros(192, np.uint8))]  # fmt: skip
    result = call(assemble(lines), CARD, buffers)
    parts = result.arrays[2].reshape(3, 64)
    assert np.array_equal(parts[0], pattern(64))
    assert not parts[1].any()
    assert np.array_equal(parts[2], pattern(64))


def test_multicast_reaches_the_cores_in_the_mask():
    for mask, arrives in ((0b01, True), (0b11, True), (0b10, False)):
        words = descriptor(row_bytes=64, rows=1, flags=mask << 32)
        assert copy(words, pattern(64), np.zeros(64, np.uint8)).any() == arrives


def test_a_descriptor_holds_its_words():
    data = np.array([1, 2, 32, 3, -4, 5, 2 | 7 << 32, 0], np.int64).tobytes()
    got = Descriptor.decode(data)
    assert got == Descriptor(1, 2, 32, 3, (1 << 64) - 4, 5, 2, 7)
    assert got.target_rows == (16, 6)


@pytest.mark.parametrize(
    ("words", "lines", "message"),
    [
        ({"row_bytes": 65, "rows": 1}, START, "ox.dma t0, a0, zero: load of 65 bytes"),
        ({"row_bytes": 64, "rows": 1, "flags": 3}, START, "can't transpose rows of 64 bytes by 3"),
        ({"row_bytes": 6, "rows": 1, "flags": 4}, START, "can't transpose"),
        ({"flags": 256}, START, "reserved bits"),
        ({"row_bytes": 64, "rows": 1}, [("addi", 6, 0, 4), ("ox.dma", 5, 10, 6)], "queue 4 is not"),
        ({}, [("addi", 10, 10, 8), ("ox.dma", 5, 10, 0)], "misaligned DMA descriptor"),
        ({}, [("ox.dma", 5, 11, 0)], "descriptor at .* not in the scratchpad"),
        ({}, [("ox.dma.wait", 0)], "0 is no handle"),
        ({"row_bytes": 64, "rows": 1, "flags": 1 << 32},
         [("sd", 11, 8, 10), ("sd", 12, 0, 10), ("ox.dma", 5, 10, 0)], "goes to scratchpads"),
    ],
)  # fmt: skip
def test_faults(words: dict[str, int], lines: list[Line], message: str):
    with pytest.raises(SimulationError, match=message):
        call(assemble([*lines, RETURN]), CARD,
             [Buffer(descriptor(**words)), Buffer(64, "dram"), Buffer(64)])  # fmt: skip


def test_machine_without_the_engine():
    with pytest.raises(SimulationError, match="no DMA engine"):
        call(assemble([("ox.dma.fence",), RETURN]), replace(CARD, name="plain", dma=None),
             timing=False)  # fmt: skip
