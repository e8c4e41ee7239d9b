"""What the memories behind the core take: copies by the DMA engine, rows of near-memory banks."""

from math import ceil

from oxegg.costmodels.formulas import clocks
from oxegg.costmodels.machine import Machine
from oxegg.costmodels.quantities import near_memory_quantities
from oxegg.errors import MachineError


def dma_cycles(machine: Machine, *, rows: int, row_bytes: int, dram: bool = True) -> int:
    """Cycles of one 2-D copy of ``rows`` rows of ``row_bytes`` bytes, from start to last byte.

    ``dram``: one side lies in DRAM; otherwise both in the scratchpad. Rows cost a burst per
    ``burst_bytes`` begun, whatever part of it is used, and no more than ``outstanding`` bursts
    wait at once. Raises ``MachineError`` on a machine without a DMA engine.
    """
    dma = machine.dma
    if dma is None:
        raise MachineError(f"{machine.name} has no DMA engine", hint="load and store instead")
    latency = machine.dram_latency if dram else machine.spm_latency
    share = machine.dram_bytes_per_cycle if dram else float("inf")
    in_flight = dma.outstanding * dma.burst_bytes / latency
    stream = ceil(rows * row_bytes / min(share, dma.port_bytes, in_flight))
    bursts = rows * -(-row_bytes // dma.burst_bytes)
    return dma.setup + latency + max(stream, bursts)


def row_cycles(machine: Machine, *, precharges: int, activates: int, subcycles: int = 1) -> int:
    """Cycles (or ``subcycles`` of them) that banks take to close and to open rows, all at once.

    A row of all banks can't be opened while another is in use: its time comes on top of the
    accesses (all-bank mode).
    """
    times = near_memory_quantities(machine, 1, subcycles)
    total = precharges * times["t_precharge"] + activates * times["t_activate"]
    return clocks(total, times["mhz"])
