"""SIMT mode: every instruction against Vortex's definition, whole kernels, divergence, faults."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from oxegg.costmodels import load_machine
from oxegg.errors import SimulationError
from oxegg.sim import Buffer, CallResult, call
from tests.sim.programs import RETURN, Line, assemble

EDGE = load_machine("ox-edge")
WARPS, THREADS = 4, 8
THREAD_ID, WARP_ID, ACTIVE_WARPS, ACTIVE_THREADS = 0xCC0, 0xCC1, 0xCC3, 0xCC4
NUM_THREADS, NUM_WARPS = 0xFC0, 0xFC1
ALL_THREADS: list[Line] = [("addi", 5, 0, 255), ("ox.tmc", 5)]
ONE_THREAD: list[Line] = [("addi", 5, 0, 1), ("ox.tmc", 5)]
Words = npt.NDArray[np.int64]


def on_all_threads(body: list[Line], *, words: int = THREADS) -> Words:
    """Run ``body`` on 8 threads; each stores t0 to its word. t5 holds the thread id."""
    # x registers of the other threads start as zeros: the address comes through a shuffle.
    lines: list[Line] = [
        *ALL_THREADS, ("csrrs", 30, THREAD_ID, 0), ("ox.shfl.idx", 10, 10, 0),
        *body, ("slli", 31, 30, 3), ("add", 31, 31, 10), ("sd", 5, 0, 31), *ONE_THREAD, RETURN,
    ]  # fmt: skip
    return run(lines, words).arrays[0]


def run(lines: list[Line], words: int = THREADS, timing: bool = True) -> CallResult:
    return call(assemble(lines), EDGE, [Buffer(np.zeros(words, np.int64))], timing=timing)


# A shuffle reads lane 0 when step, clamp and segment are 0: then j = lane & 0 = 0 <= 0.


def test_threads_have_their_own_registers():
    assert on_all_threads([("mul", 5, 30, 30)]).tolist() == [i * i for i in range(THREADS)]


@pytest.mark.parametrize(
    ("csr", "value"),
    [(NUM_THREADS, THREADS), (NUM_WARPS, WARPS), (ACTIVE_THREADS, 255), (ACTIVE_WARPS, 1),
     (WARP_ID, 0), (0xCC2, 0), (0xFC2, 1)],
)  # fmt: skip
def test_control_registers(csr: int, value: int):
    assert on_all_threads([("csrrs", 5, csr, 0)]).tolist() == [value] * THREADS


@pytest.mark.parametrize(
    ("name", "expected"),
    [("all", [0, 0, 1]), ("any", [0, 1, 1]), ("uni", [1, 0, 1]), ("ballot", [0, 0b10101000, 255])],
)
def test_votes(name: str, expected: list[int]):
    # Conditions: nobody; odd threads from 3 on; all. Each vote adds a byte to the result.
    body: list[Line] = [
        ("addi", 6, 0, 0), ("slti", 7, 30, 3), ("xori", 7, 7, 1), ("and", 7, 7, 30),
        ("addi", 28, 0, 1), (f"ox.vote.{name}", 5, 6), (f"ox.vote.{name}", 29, 7),
        ("slli", 29, 29, 8), ("or", 5, 5, 29), (f"ox.vote.{name}", 29, 28),
        ("slli", 29, 29, 16), ("or", 5, 5, 29),
    ]  # fmt: skip
    word = sum(value << 8 * i for i, value in enumerate(expected))
    assert on_all_threads(body).tolist() == [word] * THREADS


def shuffled(name: str, step: int, clamp: int, segment: int) -> list[int]:
    """Vortex's definition on lanes that hold 10 * lane."""
    result: list[int] = []
    for lane in range(THREADS):
        low = lane & segment
        high = low | clamp & ~segment
        j = {"up": lane - step, "down": lane + step, "bfly": lane ^ step,
             "idx": low | step & ~segment}[name]  # fmt: skip
        valid = j >= low if name == "up" else j <= high
        result.append(10 * (j if valid and 0 <= j < THREADS else lane))
    return result


@pytest.mark.parametrize(
    ("banks", "words_apart", "rounds"),
    [(4, 1, 2), (4, 4, 8), (4, 2, 4), (8, 1, 1), (8, 4, 4), (4, 0, 1), (4, 5, 2)],
)
def test_accesses_of_a_warp_wait_for_each_other_in_a_bank(
    banks: int, words_apart: int, rounds: int
):
    machine = replace(EDGE, spm=replace(EDGE.spm, banks=banks))
    setup: list[Line] = [
        *ALL_THREADS, ("csrrs", 30, THREAD_ID, 0), ("ox.shfl.idx", 10, 10, 0),
        ("addi", 31, 0, 8 * words_apart), ("mul", 31, 31, 30), ("add", 31, 31, 10),
    ]  # fmt: skip
    cycles: list[int] = []
    for loads in (8, 16):
        lines = [*setup, *[("ld", 5, 0, 31)] * loads, *ONE_THREAD, RETURN]
        found = call(assemble(lines), machine, [Buffer(np.zeros(64, np.int64))])
        assert found.cycles is not None
        cycles.append(found.cycles)
    assert cycles[1] - cycles[0] == 8 * rounds


@pytest.mark.parametrize("name", ["up", "down", "bfly", "idx"])
@pytest.mark.parametrize(("step", "clamp", "segment"), [(1, 7, 0), (3, 7, 0), (1, 7, 4), (2, 3, 4)])
def test_shuffles(name: str, step: int, clamp: int, segment: int):
    packed = step | clamp << 6 | segment << 12
    body: list[Line] = [
        ("addi", 6, 0, 10), ("mul", 6, 6, 30), ("lui", 7, packed + 0x800 >> 12),
        ("addi", 7, 7, (packed & 0xFFF ^ 0x800) - 0x800), (f"ox.shfl.{name}", 5, 6, 7),
    ]  # fmt: skip
    expected = shuffled(name, step, clamp, segment)
    if name == "up" and clamp < 7:
        # The clamp limits a source lane that lies above it, too.
        expected = [v if lane < 4 or lane - step <= 7 else 10 * lane
                    for lane, v in enumerate(expected)]  # fmt: skip
    assert on_all_threads(body).tolist() == expected


@pytest.mark.parametrize("negated", [False, True])
def test_divergence_runs_both_sides_and_joins(negated: bool):
    # if (thread < 3) t0 = 100 + thread else t0 = 200 + thread; then all add 1000.
    split = "ox.split.n" if negated else "ox.split"
    branch = "bne" if negated else "beq"
    body: list[Line] = [
        ("slti", 6, 30, 3), *([("xori", 6, 6, 1)] if negated else []),
        (split, 7, 6), (branch, 6, 0, 12), ("addi", 5, 30, 100), ("jal", 0, 8),
        ("addi", 5, 30, 200), ("ox.join", 7), ("addi", 5, 5, 1000),
    ]  # fmt: skip
    expected = [1100 + i if i < 3 else 1200 + i for i in range(THREADS)]
    assert on_all_threads(body).tolist() == expected


def test_nested_divergence():
    # t0 = 2 * (thread < 4) + (thread odd), by two nested splits on the side of thread < 4.
    body: list[Line] = [
        ("slti", 6, 30, 4), ("addi", 5, 0, 0),
        ("ox.split", 7, 6), ("beq", 6, 0, 32),
        ("addi", 5, 5, 2), ("andi", 28, 30, 1), ("ox.split", 29, 28), ("beq", 28, 0, 8),
        ("addi", 5, 5, 1), ("ox.join", 29), ("jal", 0, 4),
        ("ox.join", 7),
    ]  # fmt: skip
    expected = [2 + i % 2 if i < 4 else 0 for i in range(THREADS)]
    assert on_all_threads(body).tolist() == expected


def test_predicated_loop_runs_each_thread_its_own_number_of_rounds():
    # while (count < thread) count++; the mask comes back from t4 when nobody goes on.
    body: list[Line] = [
        ("addi", 5, 0, 0), ("csrrs", 29, ACTIVE_THREADS, 0),
        ("slt", 6, 5, 30), ("ox.pred", 6, 29), ("beq", 6, 0, 12),
        ("addi", 5, 5, 1), ("jal", 0, -16),
    ]  # fmt: skip
    assert on_all_threads(body).tolist() == list(range(THREADS))


def test_negated_predicate():
    body: list[Line] = [
        ("addi", 5, 0, 7), ("csrrs", 29, ACTIVE_THREADS, 0), ("slti", 6, 30, 3),
        ("ox.pred.n", 6, 29), ("addi", 5, 0, 9), ("addi", 7, 0, 255), ("ox.tmc", 7),
    ]  # fmt: skip
    assert on_all_threads(body).tolist() == [7] * 3 + [9] * 5


def warps_program(count: int, barrier: int) -> list[Line]:
    """Warp w stores w + 1 to word w; all meet; warp 0 sums the words into word 4."""
    return [
        ("addi", 6, 0, count),
        ("auipc", 7, 0), ("addi", 7, 7, 16), ("ox.wspawn", 6, 7), ("jal", 0, 4),
        # Every warp; the others find the array at the scratchpad's start.
        ("lui", 10, 0x8000), ("csrrs", 28, WARP_ID, 0), ("slli", 5, 28, 3), ("add", 5, 5, 10),
        ("addi", 6, 28, 1), ("sd", 6, 0, 5), ("addi", 6, 0, 3), ("addi", 7, 0, barrier),
        ("ox.bar", 6, 7), ("beq", 28, 0, 8), ("ox.tmc", 0),
        # Warp 0 goes on alone when the others have ended.
        ("addi", 6, 0, 1), ("csrrs", 5, ACTIVE_WARPS, 0), ("bne", 5, 6, -4),
        ("ld", 5, 0, 10), ("ld", 6, 8, 10), ("add", 5, 5, 6), ("ld", 6, 16, 10), ("add", 5, 5, 6),
        ("ld", 6, 24, 10), ("add", 5, 5, 6), ("sd", 5, 32, 10), RETURN,
    ]  # fmt: skip


def test_warps_meet_at_a_barrier():
    result = run(warps_program(WARPS, WARPS), words=5)
    assert result.arrays[0].tolist() == [1, 2, 3, 4, 10]


def test_fewer_warps():
    assert run(warps_program(2, 2), words=5).arrays[0].tolist() == [1, 2, 0, 0, 3]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*ALL_THREADS, ("csrrs", 6, THREAD_ID, 0), ("beq", 6, 0, 8)], "part at a branch"),
        (warps_program(WARPS, WARPS + 1), "wait at a barrier that no other"),
        ([*ALL_THREADS, ("ox.tzero", 0)], "ox.tzero tr0: not a scalar instruction"),
        ([("ox.tmc", 0)], "no warp is active"),
        ([("addi", 6, 0, 1), ("ox.join", 6)], "ox.join without ox.split"),
        ([*ALL_THREADS, ("ld", 6, 0, 0)], "ld t1, 0.zero.: load of 8 bytes at 0x0"),
        ([*ALL_THREADS, ("jal", 0, 0)], "more than 10000 instructions"),
    ],
)
def test_faults_name_the_instruction(lines: list[Line], message: str):
    with pytest.raises(SimulationError, match=message):
        call(assemble([*lines, RETURN]), EDGE, [Buffer(64)], max_instructions=10000)


def test_machine_without_the_mode():
    with pytest.raises(SimulationError, match="no SIMT mode"):
        call(assemble([("ox.tmc", 0), RETURN]), load_machine("x280"), timing=False)
