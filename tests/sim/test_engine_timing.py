"""The times of tile, near-memory, DMA and SIMT instructions: the published figures, measured.

Each figure is a difference between two runs, so that start and end cancel out.
"""

from dataclasses import replace

import numpy as np
import pytest

from oxegg.costmodels import Machine, dma_cycles, load_machine, row_cycles, timing
from oxegg.costmodels.machine import NearMemory
from oxegg.errors import SimulationError
from oxegg.sim import Buffer, call
from oxegg.sim.clock import Clock
from oxegg.sim.plans import TICKS
from tests.sim.programs import RETURN, Line, assemble, constant

CARD = load_machine("ox-card")
MACHINES = ("ox-tiny", "ox-edge", "ox-card", "ox-dc")


def cycles(lines: list[Line], *arguments: Buffer | int, machine: Machine = CARD) -> int:
    result = call(assemble([*lines, RETURN]), machine, arguments)
    assert result.cycles is not None
    return result.cycles


def per_round(lines: list[Line], rounds: int, *arguments: Buffer | int, machine: Machine = CARD):
    """Cycles of one more execution of ``lines``, in the steady state."""
    short = cycles(lines * rounds, *arguments, machine=machine)
    return (cycles(lines * (2 * rounds), *arguments, machine=machine) - short) / rounds


# Tiles


@pytest.mark.parametrize(
    ("machine", "occupancy", "latency"),
    [("ox-tiny", 4, 16), ("ox-edge", 8, 28), ("ox-card", 16, 52), ("ox-dc", 32, 100)],
)
def test_multiplication_takes_16_cycles_and_52_to_its_result(
    machine: str, occupancy: int, latency: int
):
    target = load_machine(machine)
    chain: list[Line] = [("ox.mm.ss", 16, 0, 1)]
    independent: list[Line] = [("ox.mm.ss", acc, 0, 1) for acc in range(16, 20)]
    assert per_round(chain, 8, machine=target) == latency
    assert per_round(independent, 8, machine=target) == 4 * occupancy


def test_the_array_does_1024_products_per_cycle():
    independent: list[Line] = [("ox.mm.ss", acc, 0, 1) for acc in range(16, 20)]
    products = 4 * 16 * 16 * 64
    assert products / per_round(independent, 8) == 1024


@pytest.mark.parametrize(
    ("name", "products"), [("bf16", 512), ("f16", 512), ("e4m3", 1024), ("f32", 128)]
)
def test_rates_of_the_float_products(name: str, products: int):
    width = {"bf16": 2, "f16": 2, "e4m3": 1, "f32": 4}[name]
    independent: list[Line] = [(f"ox.mm.{name}", acc, 0, 1) for acc in range(16, 20)]
    assert 4 * 16 * 16 * 64 // width / per_round(independent, 8) == products


def blocked(registers: int) -> list[Line]:
    """A 2 x 2 blocked step: 2 tiles of A, 2 of B, 4 accumulators; input tiles from ``registers``.

    Loads are for the step after, in the order of need: steps alternate between two sets of tiles.
    """
    a, b, c, d = range(registers, registers + 4)
    other = 4 - registers
    loads: list[Line] = [("ox.tld.a", other + i, 10, 0) for i in (0, 2, 3, 1)]
    products: list[Line] = [("ox.mm.ss", 16, a, c), ("ox.mm.ss", 17, a, d),
                            ("ox.mm.ss", 18, b, c), ("ox.mm.ss", 19, b, d)]  # fmt: skip
    return [line for pair in zip(products, loads, strict=True) for line in pair]


@pytest.mark.parametrize("machine", MACHINES)
def test_blocking_by_two_keeps_the_array_busy(machine: str):
    target = load_machine(machine)
    tile = target.tensor
    assert tile is not None
    step = [*blocked(0), *blocked(4)]
    spent = per_round(step, 6, Buffer(8192), machine=target)
    loads = 8 * timing(target, "ox.tld.a").occupancy
    products = 8 * timing(target, "ox.mm.ss").occupancy
    assert spent == max(loads, products)


def test_a_load_waits_until_the_product_has_read_the_tile():
    loads: list[Line] = [("ox.tld.a", 2, 10, 0)] * 10
    bound = cycles([("ox.mm.ss", 16, 0, 1), ("ox.tld.a", 0, 10, 0), *loads], Buffer(4096))
    free = cycles([("ox.mm.ss", 16, 0, 1), ("ox.tld.a", 3, 10, 0), *loads], Buffer(4096))
    # The first row arrives L_spm after the load's start, when the 16 cycles have passed.
    assert bound - free == 16 - CARD.spm_latency


def test_small_shapes_take_less_time():
    small: list[Line] = [*constant(5, 16), ("ox.tset.k", 0, 5)]
    products: list[Line] = [("ox.mm.ss", acc, 0, 1) for acc in range(16, 20)] * 8
    full, quarter = cycles(products), cycles([*small, *products])
    assert full == 31 * 16 + 52
    # Now each accumulator's chain of 8 is what takes the time: 4 + 2 * 16 + 4 cycles a link.
    assert quarter == 8 * 40 + 3 * 4 + 2


def test_tile_rows_to_vectors_wait_for_each_other():
    setup: list[Line] = [("vsetivli", 0, 16, 0xD0), ("addi", 5, 0, 0)]
    moves: list[Line] = [("ox.tmv.v.t", 8, 0, 5), ("vadd.vv", 9, 8, 8), ("ox.tmv.t.v", 1, 9, 5)]
    together = cycles([*setup, *moves])
    alone = cycles([*setup, moves[0]])
    add = timing(CARD, "vadd.vv", vl=16, sew=32, lmul=1).latency
    assert together >= alone + add + timing(CARD, "ox.tmv.t.v").occupancy


# Near memory

HBM_PIM = NearMemory(
    kind="dram", channels=16, units_per_channel=8, width_bytes=32, row_bytes=1024, mode_ns=100,
    t_ccd_long_ns=4.0, t_ccd_short_ns=2.0, t_rcd_ns=14, t_rp_ns=14, t_rtp_ns=5, t_wr_ns=15,
    read_latency_ns=20, write_latency_ns=8, t_rfc_ns=350, t_refi_ns=3900, bank_bytes=1 << 16,
)  # fmt: skip
F16 = 1


def with_memory(memory: NearMemory, ghz: float) -> Machine:
    name = f"one core with {memory}"
    return replace(CARD, name=name, cores=1, clock_ghz=ghz, near_memory=memory)


def near_memory_cycles(machine: Machine, commands: int, rows: bool) -> float:
    """Cycles of one ox.nm.macs n=8 among many; over new columns, or again and again the same."""
    memory = machine.near_memory
    assert memory is not None
    mask = (1 << machine.near_memory_channels) - 1
    body: list[Line] = [("ox.nm.macs", 0, 10, 28), ("addi", 10, 10, 256 if rows else 0)]
    head: list[Line] = [*constant(5, mask), ("addi", 6, 0, F16), ("addi", 28, 0, 8),
                        ("ox.nm.on", 7, 5, 6)]  # fmt: skip
    tail: list[Line] = [("ox.nm.wait", 7), ("ox.nm.off",)]
    units = machine.near_memory_channels * memory.units_per_channel
    banks = Buffer(units * 512 * 2 * commands if rows else units * 1024, "near_memory")
    short = cycles([*head, *body * commands, *tail], banks, machine=machine)
    return (cycles([*head, *body * 2 * commands, *tail], banks, machine=machine) - short) / commands


def teraflops(machine: Machine, spent: float) -> float:
    memory = machine.near_memory
    assert memory is not None
    units = machine.near_memory_channels * memory.units_per_channel
    return units * 8 * memory.width_bytes // 2 * 2 * machine.clock_ghz / spent / 1000


def about(published: float) -> object:
    """Equal to what is published, to the two digits that are published."""
    return pytest.approx(published, abs=0.005)


def test_hbm_pim_reaches_1_23_teraflops_and_aim_1_02():
    # Column accesses at 300 MHz, no refresh, the row open: the peak rates of the data sheets.
    cube = replace(HBM_PIM, t_ccd_long_ns=10 / 3, t_rfc_ns=0, t_refi_ns=0)
    machine = with_memory(cube, 1.2)
    assert teraflops(machine, near_memory_cycles(machine, 32, rows=False)) == about(1.23)
    chip = replace(cube, channels=2, units_per_channel=16, t_ccd_long_ns=1.0)
    machine = with_memory(chip, 1.0)
    assert teraflops(machine, near_memory_cycles(machine, 32, rows=False)) == about(1.02)


def test_72_percent_of_the_peak_are_sustained_over_rows_and_refresh():
    machine = with_memory(HBM_PIM, 1.2)
    peak = 8 * HBM_PIM.t_ccd_long_ns * 1.2
    assert peak / near_memory_cycles(machine, 32, rows=True) == about(0.72)


@pytest.mark.parametrize("name", MACHINES)
def test_near_memory_is_not_faster_than_its_share_of_the_banks(name: str):
    machine = load_machine(name)
    memory = machine.near_memory
    assert memory is not None
    units = machine.near_memory_channels * memory.units_per_channel
    spent = near_memory_cycles(machine, 16, rows=False)
    assert units * 8 * memory.width_bytes / spent <= machine.near_memory_bytes_per_cycle * 1.0001


def test_commands_are_asynchronous():
    head: list[Line] = [("addi", 5, 0, 1), ("addi", 28, 0, 8), ("ox.nm.on", 7, 5, 5)]
    commands: list[Line] = [("ox.nm.macs", 0, 10, 28)] * 4
    work: list[Line] = [("addi", 6, 6, 1)] * 80
    banks = Buffer(16 * 1024, "near_memory")
    both = cycles([*head, *commands, *work, ("ox.nm.wait", 7), ("ox.nm.off",)], banks)
    apart = cycles([*head, *commands, ("ox.nm.wait", 7), ("ox.nm.off",)], banks)
    assert both < apart + 40


def test_the_mode_costs_100_ns_each_way():
    switch: list[Line] = [("ox.nm.on", 7, 5, 5), ("ox.nm.off",)]
    spent = per_round([("addi", 5, 0, 1), *switch], 4)
    near = CARD.near_memory
    assert near is not None
    mode = near.mode_ns * near.refresh_stretch * CARD.clock_ghz
    links = CARD.interconnect
    assert links is not None
    assert 2 * mode <= spent <= 2 * mode + 4 * CARD.cycles(links.link_latency_ns) + 20


def test_opening_a_row_costs_precharge_and_activation():
    near = CARD.near_memory
    assert near is not None
    rate = near.refresh_stretch * CARD.cores / near.channels * CARD.clock_ghz * TICKS
    both = row_cycles(CARD, precharges=1, activates=1, subcycles=TICKS)
    assert both == pytest.approx((near.t_rtp_ns + near.t_rp_ns + near.t_rcd_ns) * rate, abs=2)
    assert row_cycles(load_machine("ox-tiny"), precharges=1, activates=1) == 0


# DMA


def copy_words(rows: int, row_bytes: int, stride: int) -> Buffer:
    return Buffer(np.array([0, 0, row_bytes, rows, stride, row_bytes, 0, 0], np.int64))


START: list[Line] = [("sd", 11, 0, 10), ("sd", 12, 8, 10), ("ox.dma", 5, 10, 0)]


@pytest.mark.parametrize(("rows", "row_bytes"), [(1, 64), (16, 1024), (200, 4), (8, 4096)])
@pytest.mark.parametrize("place", ["dram", "spm"])
@pytest.mark.parametrize("machine", ["ox-card", "ox-dc"])
def test_a_copy_takes_the_time_of_the_formula(rows: int, row_bytes: int, place: str, machine: str):
    target = load_machine(machine)
    dram = place == "dram"
    buffers = (
        copy_words(rows, row_bytes, row_bytes),
        Buffer(rows * row_bytes, "dram" if dram else "spm"),
        Buffer(rows * row_bytes),
    )
    without = cycles(START[:2], *buffers, machine=target)
    copied = cycles([*START, ("ox.dma.wait", 5)], *buffers, machine=target)
    expected = dma_cycles(target, rows=rows, row_bytes=row_bytes, dram=dram)
    assert abs(copied - without - expected) <= 4


def test_double_buffering_overlaps_copies_with_work():
    buffers = (copy_words(16, 256, 256), Buffer(4096, "dram"), Buffer(4096))
    work: list[Line] = [("mul", 6, 6, 6)] * 200
    copy: list[Line] = [("ox.dma", 5, 10, 0)]
    wait: list[Line] = [("ox.dma.wait", 5)]
    serial = cycles([*START[:2], *[*copy, *wait, *work] * 4], *buffers)
    overlapped = cycles([*START[:2], *copy, *wait, *[*copy, *work, *wait] * 3, *work], *buffers)
    transfer = dma_cycles(CARD, rows=16, row_bytes=256)
    assert abs(serial - 4 * (600 + transfer)) < 40
    assert abs(overlapped - (transfer + 3 * max(600, transfer) + 600)) < 40


def test_queues_share_the_dram_channel():
    buffers = (copy_words(16, 1024, 1024), Buffer(16384, "dram"), Buffer(16384))
    one: list[Line] = [*START, ("ox.dma.wait", 5)]
    two: list[Line] = [*START, ("addi", 6, 0, 1), ("ox.dma", 7, 10, 6), ("ox.dma.wait", 5),
                       ("ox.dma.wait", 7)]  # fmt: skip
    share = 16384 / CARD.dram_bytes_per_cycle
    assert abs(cycles(two, *buffers) - cycles(one, *buffers) - share) < 4


# SIMT

EDGE = load_machine("ox-edge")  # 8 threads, 4 lanes


def simt_cycles(body: list[Line]) -> int:
    lines: list[Line] = [("addi", 5, 0, 255), ("ox.tmc", 5), *body, ("addi", 5, 0, 1),
                         ("ox.tmc", 5)]  # fmt: skip
    return cycles(lines, Buffer(4096), machine=EDGE)


def simt_round(body: list[Line], rounds: int = 16) -> float:
    return (simt_cycles(body * 2 * rounds) - simt_cycles(body * rounds)) / rounds


def test_a_warp_instruction_takes_its_threads_over_the_lanes():
    assert simt_round([("addi", 6, 0, 1)]) == 2
    assert simt_round([("ox.vote.any", 6, 0)]) == 2
    # A dependent chain: the latency of the last of two rounds.
    assert simt_round([("mul", 6, 6, 6)]) == 4
    assert simt_round([("ox.split", 7, 0)]) == 6


def test_scratchpad_accesses_meet_in_banks():
    address: list[Line] = [("csrrs", 30, 0xCC0, 0), ("lui", 10, 0x8000)]
    for shift, banks in ((3, 4), (4, 2), (5, 1)):
        body: list[Line] = [("sd", 0, 0, 6)]
        head: list[Line] = [*address, ("slli", 6, 30, shift), ("add", 6, 6, 10)]
        spent = simt_cycles([*head, *body * 32]) - simt_cycles([*head, *body * 16])
        assert spent / 16 == 8 / banks


def test_many_warps_hide_latencies():
    def program(warps: int) -> list[Line]:
        return [
            ("addi", 6, 0, warps), ("auipc", 7, 0), ("addi", 7, 7, 12), ("ox.wspawn", 6, 7),
            ("addi", 6, 0, 0), ("addi", 7, 0, warps), *[("mul", 28, 28, 28)] * 40,
            ("csrrs", 29, 0xCC1, 0), ("ox.bar", 6, 7), ("beq", 29, 0, 8), ("ox.tmc", 0),
            ("addi", 6, 0, 1), ("csrrs", 5, 0xCC3, 0), ("bne", 5, 6, -4),
        ]  # fmt: skip

    four = cycles(program(4), machine=EDGE)
    # A dependent multiplication takes a warp 4 cycles and the lanes 2: alone 4 * 160 cycles.
    assert 4 * 40 * 2 <= four < 4 * 40 * 2 + 60


# The assertion in the simulator


def test_the_simulator_refuses_times_below_the_roofline(monkeypatch: pytest.MonkeyPatch):
    lines: list[Line] = [("ox.mm.ss", 16 + i % 4, 0, 1) for i in range(32)]
    assert cycles(lines) >= 32 * 16
    monkeypatch.setattr(Clock, "finished", property(lambda self: 500))
    with pytest.raises(SimulationError, match="the clock is wrong: 500 cycles, but TMM alone"):
        cycles(lines)
    with pytest.raises(SimulationError, match="but issue alone takes 1"):
        cycles([("addi", 5, 0, 1)] * 2100)
    with pytest.raises(SimulationError, match="but DRAM alone takes"):
        cycles([*START, ("ox.dma.wait", 5)], copy_words(16, 1024, 1024), Buffer(16384, "dram"),
               Buffer(16384))  # fmt: skip
