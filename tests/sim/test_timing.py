"""The clock: what overlaps, what waits, and that nothing beats the hardware."""

from fractions import Fraction

import numpy as np
import pytest

from oxegg.costmodels import load_machine, timing
from oxegg.isa import VType
from oxegg.sim import Buffer, call
from tests.sim.programs import RETURN, Line, assemble

CARD = load_machine("ox-card")


def cycles(lines: list[Line], *arguments: Buffer | int, machine: str = "ox-card") -> int:
    result = call(assemble([*lines, RETURN]), load_machine(machine), arguments)
    assert result.cycles is not None
    return result.cycles


def test_two_independent_instructions_issue_per_cycle():
    independent: list[Line] = [("addi", 5 + i % 2, 0, i) for i in range(40)]
    dependent: list[Line] = [("addi", 5, 5, 1) for _ in range(40)]
    assert cycles(independent * 2) - cycles(independent) == 20
    assert cycles(dependent * 2) - cycles(dependent) == 40


def test_a_dependent_chain_costs_latencies():
    base = cycles([("fmadd.s", 1, 2, 3, 1)] * 10)
    longer = cycles([("fmadd.s", 1, 2, 3, 1)] * 20)
    assert longer - base == 10 * timing(CARD, "fmadd.s").latency


def _vector(lines: list[Line], lmul: int = 4) -> list[Line]:
    return [("vsetvli", 0, 0, VType(32, Fraction(lmul)).encode()),
            ("vsetvli", 5, 0, VType(32, Fraction(lmul)).encode()), *lines]  # fmt: skip


def test_chained_consumers_overlap_their_producer():
    vl = 64
    add = timing(CARD, "vadd.vv", vl=vl, sew=32, lmul=4)
    empty = cycles(_vector([("vadd.vv", 8, 12, 16)]))
    chained = cycles(_vector([("vle32.v", 8, 10), ("vadd.vv", 12, 8, 8)]), Buffer(4096))
    load = timing(CARD, "vle32.v", vl=vl, sew=32, lmul=4)
    assert abs(chained - empty - load.latency) <= 2
    assert chained < load.latency + load.occupancy + add.latency + add.occupancy + 4


def test_a_reduction_makes_its_consumer_wait():
    reduce = timing(CARD, "vredsum.vs", vl=64, sew=32, lmul=4)
    one = cycles(_vector([("vredsum.vs", 8, 12, 16)]))
    two = cycles(_vector([("vredsum.vs", 8, 12, 16), ("vredsum.vs", 20, 12, 8)]))
    assert two - one == reduce.latency


def test_a_full_queue_blocks_the_scalar_core():
    vectors: list[Line] = [("vadd.vv", 8, 12, 16)] * 12
    result = call(assemble([*_vector(vectors), ("addi", 5, 0, 1), RETURN]), CARD)
    assert result.stalls["queue"] > 0
    short = call(assemble([*_vector(vectors[:3]), ("addi", 5, 0, 1), RETURN]), CARD)
    assert "queue" not in short.stalls


def test_what_one_pipe_executes_leaves_the_other_to_others():
    def rounds(*names: str) -> int:
        lines: list[Line] = [(name, 8 + 4 * (i % 2), 16, 20) for i, name in enumerate(names)]
        return sum(sign * cycles(_vector(lines * count), machine="x390")
                   for sign, count in ((1, 20), (-1, 10)))  # fmt: skip

    # LMUL 4 occupies a pipe for 8 cycles and an idle one; two pipes take turns.
    assert rounds("vfadd.vv", "vfadd.vv") == 10 * 9
    assert rounds("vfmin.vv", "vfmin.vv") == 10 * 18
    assert rounds("vfmin.vv", "vfadd.vv") == 10 * 9


def test_a_core_without_a_queue_starts_as_many_vector_instructions_as_it_issues():
    # Both occupy their sequencers for one cycle.
    lines: list[Line] = [("vmul.vv", 8, 16, 17), ("vfmul.vv", 9, 18, 19), ("vmul.vv", 10, 16, 17),
                         ("vfmul.vv", 11, 18, 19)]  # fmt: skip
    rounds = [cycles(_vector(lines * count, lmul=1), machine="x60") for count in (10, 20)]
    assert rounds[1] - rounds[0] == 10 * 2


def test_moves_to_scalar_registers_serialise():
    parallel = cycles(_vector([("vadd.vv", 8, 12, 16), ("addi", 6, 0, 1)]))
    serial = cycles(_vector([("vadd.vv", 8, 12, 16), ("vmv.x.s", 6, 8), ("addi", 6, 0, 1)]))
    assert serial > parallel + timing(CARD, "vmv.x.s", vl=64, sew=32, lmul=4).latency - 1


SAXPY: list[Line] = [
    ("vsetvli", 5, 12, VType(32, Fraction(4)).encode()),
    ("vle32.v", 8, 10), ("vle32.v", 16, 11), ("vfmacc.vf", 16, 10, 8), ("vse32.v", 16, 11),
    ("sub", 12, 12, 5), ("slli", 5, 5, 2), ("add", 10, 10, 5), ("add", 11, 11, 5),
    ("bne", 12, 0, -36),
]  # fmt: skip


@pytest.mark.parametrize("machine", ["ox-tiny", "ox-edge", "ox-card", "ox-dc", "x280", "x390"])
@pytest.mark.parametrize("place", ["spm", "dram"])
def test_nothing_beats_the_roofline(machine: str, place: str):
    n = 2048
    target = load_machine(machine)
    data = np.ones(n, np.float32)
    where = "spm" if place == "spm" else "dram"
    result = call(assemble([*SAXPY, RETURN]), target,
                  [Buffer(data, where), Buffer(data, where), n, np.float32(2)])  # fmt: skip
    assert result.cycles is not None
    assert result.arrays[1].tolist() == [3.0] * n
    port = 8 * n / target.mlen_bytes
    channel = 8 * n / target.dram_bytes_per_cycle if place == "dram" else 0
    arithmetic = 32 * n / (target.dlen * target.pipes)
    assert result.cycles >= max(port, channel, arithmetic)
    assert all(share <= 1 for share in result.units.values())
    if place == "spm":
        assert result.cycles < 1.6 * port + 60


def test_second_touch_of_a_line_is_cheaper():
    first = cycles([("ld", 5, 0, 10), ("add", 5, 5, 5)], Buffer(64, "dram"))
    second = cycles([("ld", 5, 0, 10), ("add", 5, 5, 5), ("ld", 6, 8, 10), ("add", 6, 6, 6)],
                    Buffer(64, "dram"))  # fmt: skip
    assert first > CARD.dram_latency
    assert abs(second - first - CARD.l2_latency) <= 4


def test_remembered_states_give_the_same_time_as_unrolled_code():
    # 30 rounds of one block through the memo, or 30 copies as straight-line code.
    body: list[Line] = [("mul", 5, 5, 6), ("addi", 7, 7, 1), ("mul", 6, 5, 7), ("add", 28, 6, 5)]
    loop: list[Line] = [*body, ("addi", 10, 10, -1), ("bne", 10, 0, -20)]
    looped = cycles(loop, 60) - cycles(loop, 30)
    taken = CARD.scalar.branch_taken
    copies: list[Line] = [*body, ("addi", 10, 10, -1)]
    straight = cycles(copies * 60, 60) - cycles(copies * 30, 60)
    assert 0 <= looped - straight <= 30 * (taken + 1)
    assert (looped - straight) % 30 == 0


def test_profile_adds_up():
    result = call(assemble([*SAXPY, RETURN]), CARD,
                  [Buffer(4096), Buffer(4096), 1024, np.float32(1)])  # fmt: skip
    assert result.cycles is not None
    total = sum(result.cycles_by_pc.values())
    # What is missing is the time after the last issue.
    assert 0.8 * result.cycles < total <= result.cycles
    assert set(result.cycles_by_pc) == set(range(0, 44, 4))
