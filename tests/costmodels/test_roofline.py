"""The roofline: hand-computed bounds, and that no instruction works faster than it assumes."""

from fractions import Fraction

import pytest

from oxegg.costmodels import KernelWork, Traffic, load_machine, machine_names, roofline, timing
from oxegg.costmodels.bank_bound import bank_cycles
from oxegg.costmodels.roofline import KINDS, vector_cycles
from oxegg.errors import UsageError

CARD = load_machine("ox-card")
VECTOR = frozenset({"vector"})
CODE = frozenset({"scalar", "vector"})
SAXPY = KernelWork(spm=Traffic(read=8192, written=4096), operations={("fma", 32): 1024})


@pytest.mark.parametrize(
    ("name", "cycles"), [("ox-tiny", 1024), ("ox-edge", 512), ("ox-card", 256), ("ox-dc", 128)]
)
def test_saxpy_in_vector_code_takes_mlen_over_8_elements_per_cycle(name: str, cycles: int) -> None:
    result = roofline(load_machine(name), SAXPY, engines=VECTOR)
    assert (result.cycles, result.limit) == (cycles, "load port")


def test_int8_addition_gives_mlen_over_2_results_per_cycle() -> None:
    work = KernelWork(spm=Traffic(2 * 4096, 4096), operations={("int", 8): 4096})
    assert roofline(CARD, work, engines=VECTOR).cycles == 4096 // (32 // 2)


def test_scalar_loads_help_as_far_as_they_can() -> None:
    # 32 + 8 bytes per cycle.
    assert roofline(CARD, SAXPY, engines=CODE).cycles == 205
    assert roofline(CARD, SAXPY, engines=CODE).cycles < roofline(CARD, SAXPY, engines=VECTOR).cycles


def test_scalar_help_shares_the_issue_slots() -> None:
    # Loads alone may use 1 slot per cycle, so may stores; one load-store unit serves both.
    work = KernelWork(spm=Traffic(8000, 8000), operations={("int", 8): 1})
    assert roofline(CARD, work, engines=frozenset({"scalar"})).cycles == 2000
    busy = KernelWork(spm=Traffic(8000, 8000), operations={("int", 8): 1}, instructions=3000)
    assert roofline(CARD, busy, engines=frozenset({"scalar"})).cycles == 2501


def test_dram_traffic() -> None:
    work = KernelWork(dram=Traffic(8192, 4096), operations={("fma", 32): 1024})
    result = roofline(CARD, work)
    assert (result.cycles, result.limit) == (1229, "dram")


def test_store_port_division_and_issue() -> None:
    fill = KernelWork(spm=Traffic(written=32000))
    assert roofline(CARD, fill, engines=VECTOR).limit == "store port"
    assert roofline(CARD, fill, engines=VECTOR).cycles == 1000
    divide = KernelWork(spm=Traffic(800, 400), operations={("div", 32): 100})
    # 8 lanes at 8 cycles an element: one per cycle; a scalar divider adds 1/15.
    assert roofline(CARD, divide, engines=VECTOR).cycles == 100
    assert roofline(CARD, divide, engines=CODE).cycles == 94
    loop = KernelWork(instructions=1001)
    assert (roofline(CARD, loop).cycles, roofline(CARD, loop).limit) == (501, "issue")


def test_gemm_is_bound_by_the_best_engine() -> None:
    n = 256
    work = KernelWork(spm=Traffic(2 * n * n, 4 * n * n), operations={("mac_int", 8): n**3})
    tiles = roofline(CARD, work, engines=frozenset({"tensor"}))
    assert tiles.cycles == n**3 // 1024
    vector = roofline(CARD, work, engines=VECTOR)
    assert vector.cycles == n**3 // 16


def test_banks_multiply_bandwidth_for_what_lies_in_them() -> None:
    work = KernelWork(
        dram=Traffic(read=1 << 20),
        banks=Traffic(read=1 << 20),
        operations={("mac_int", 8): 1 << 20},
    )
    near, far = roofline(CARD, work), roofline(CARD, work, engines=CODE)
    assert near.limit == "near memory"
    assert CARD.near_memory is not None
    sustained = CARD.near_memory.multiplier * CARD.near_memory.efficiency
    assert far.cycles / near.cycles == pytest.approx(sustained, rel=1e-2)
    assert 11 < sustained < 11.5


def test_stores_into_banks_and_broadcasts_take_time_of_their_own() -> None:
    size = 1 << 20
    read = bank_cycles(CARD, size, 0)
    assert bank_cycles(CARD, 0, size) > 2 * read  # 15 ns of recovery after 8 accesses of 1 ns
    assert bank_cycles(CARD, size, 0, shared=size) > 1.1 * read
    assert bank_cycles(CARD, 2 * size, 0) == pytest.approx(2 * read, rel=1e-2)


def test_copies_need_no_load_port_where_dma_is_allowed() -> None:
    work = KernelWork(spm=Traffic(1 << 16, 1 << 16), copied=1 << 16)
    assert roofline(CARD, work, engines=VECTOR).cycles == 2048
    assert roofline(CARD, work, engines=frozenset({"vector", "dma"})).cycles == 0


def test_unknown_kind_and_impossible_work() -> None:
    with pytest.raises(UsageError, match="no kind of element operation"):
        roofline(CARD, KernelWork(operations={("add", 32): 1}))
    with pytest.raises(UsageError, match="no engine"):
        roofline(CARD, SAXPY, engines=frozenset({"dma"}))


LMULS = [Fraction(1, 2), 1, 2, 4, 8]


@pytest.mark.parametrize("name", machine_names())
@pytest.mark.parametrize("sew", [8, 16, 32, 64])
def test_no_vector_access_beats_the_port(name: str, sew: int) -> None:
    machine = load_machine(name)
    accesses = [f"v{s}{k}{sew}.v" for s in "ls" for k in ("e", "se", "seg2e", "seg4e", "seg8e")]
    for access in [*accesses, f"vluxei{sew}.v", f"vsuxei{sew}.v"]:
        fields = int(access[5]) if "seg" in access else 1
        for lmul in LMULS:
            elements = int(machine.vlen * lmul) // sew
            price = timing(machine, access, vl=elements, sew=sew, lmul=lmul)
            assert elements * fields * sew / 8 <= price.occupancy * machine.mlen_bytes, access


@pytest.mark.parametrize("name", machine_names())
@pytest.mark.parametrize("kind", KINDS)
def test_no_vector_length_beats_the_arithmetic_bound(name: str, kind: str) -> None:
    machine = load_machine(name)
    best = vector_cycles(machine, kind, 32)
    for lmul in LMULS:
        for elements in range(1, int(machine.vlen * lmul) // 32 + 1):
            for instruction in KINDS[kind].vector:
                price = timing(machine, instruction, vl=elements, sew=32, lmul=lmul)
                assert price.occupancy >= best * elements - 1e-9
