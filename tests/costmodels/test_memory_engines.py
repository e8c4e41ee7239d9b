"""Near memory and DMA reproduce the published numbers and the DMA formula."""

from dataclasses import replace
from math import isclose

import pytest

from oxegg.costmodels import dma_cycles, load_machine, timing
from oxegg.costmodels.machine import NearMemory
from oxegg.errors import MachineError

CARD = load_machine("ox-card")

HBM_PIM = NearMemory(
    kind="dram",
    channels=16,
    units_per_channel=8,
    width_bytes=32,
    row_bytes=1024,
    mode_ns=100,
    t_ccd_long_ns=4.0,
    t_ccd_short_ns=2.0,
    t_rcd_ns=14,
    t_rp_ns=14,
    t_rtp_ns=5,
    t_wr_ns=15,
    read_latency_ns=20,
    write_latency_ns=8,
    t_rfc_ns=350,
    t_refi_ns=3900,
)


def teraflops(memory: NearMemory) -> float:
    """fp16 multiply-accumulates of all units, two operations each."""
    lanes = memory.width_bytes // 2
    rate = memory.channels * memory.units_per_channel * lanes * 2 / memory.t_ccd_long_ns
    return rate / 1000


def test_hbm_pim_multiplies_bandwidth_by_4_and_sustains_72_percent() -> None:
    assert HBM_PIM.multiplier == 4
    assert isclose(HBM_PIM.efficiency, 0.72, abs_tol=0.005)


def test_peak_rates_of_hbm_pim_and_aim() -> None:
    assert isclose(teraflops(replace(HBM_PIM, t_ccd_long_ns=1 / 0.3)), 1.23, abs_tol=0.005)
    aim = replace(HBM_PIM, channels=2, units_per_channel=16, t_ccd_long_ns=1.0, t_ccd_short_ns=1.0)
    assert isclose(teraflops(aim), 1.02, abs_tol=0.005)
    assert aim.multiplier == 16


# Sustained bandwidth in GB/s and over that of the DRAM interface.
SUSTAINED = {
    "ox-tiny": (51, 8.0),
    "ox-edge": (393, 5.8),
    "ox-card": (5700, 11.2),
    "ox-dc": (23600, 2.9),
}


@pytest.mark.parametrize(("name", "expected"), SUSTAINED.items())
def test_sustained_near_memory_bandwidth(name: str, expected: tuple[float, float]) -> None:
    machine = load_machine(name)
    memory = machine.near_memory
    assert memory is not None
    peak = machine.near_memory_bytes_per_cycle * machine.cores * machine.clock_ghz
    bandwidth, ratio = expected
    assert isclose(peak * memory.efficiency, bandwidth, rel_tol=0.01)
    assert isclose(memory.multiplier * memory.efficiency, ratio, rel_tol=0.01)


def test_near_memory_commands_count_their_repeats() -> None:
    tiny = load_machine("ox-tiny")
    assert [timing(tiny, "ox.nm.macs", repeat=n).occupancy for n in (1, 8)] == [1, 8]
    assert timing(tiny, "ox.nm.on").occupancy == 4
    # 8 column accesses of 1 ns, stretched by refresh, at 1.6 GHz; two cores share a channel.
    assert timing(CARD, "ox.nm.macs", repeat=8).occupancy == 29
    # The same in 16ths of a cycle: 2 * 8 / (1 - 350 / 3900) * 1.6 * 16 = 450.01.
    assert timing(CARD, "ox.nm.macs", repeat=8, subcycles=16).occupancy in (450, 451)


def test_dma_time() -> None:
    # 64 KiB at the core's 10 bytes per cycle of DRAM, after 32 cycles of setup and 208 of latency.
    assert dma_cycles(CARD, rows=64, row_bytes=1024) == 32 + 208 + 6554
    # Short rows cost a burst each.
    assert dma_cycles(CARD, rows=1000, row_bytes=4) == 32 + 208 + 1000
    # Inside the scratchpad the port limits.
    assert dma_cycles(CARD, rows=1, row_bytes=6400, dram=False) == 32 + 6 + 100


def test_dma_in_flight_limit_binds_on_ox_dc() -> None:
    machine = load_machine("ox-dc")
    in_flight = 64 * 64 / 252
    assert in_flight < machine.dram_bytes_per_cycle
    assert dma_cycles(machine, rows=1, row_bytes=4096) == 32 + 252 + 252


def test_no_dma_engine() -> None:
    with pytest.raises(MachineError, match="x280 has no DMA engine"):
        dma_cycles(load_machine("x280"), rows=1, row_bytes=64)
