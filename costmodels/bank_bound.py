"""The least time that near-memory units take for bytes in their banks."""

from oxegg.costmodels.machine import Machine
from oxegg.costmodels.quantities import near_memory_times

REPEAT = 8  # accesses of one command, numbers of one broadcast
PICOSECONDS = 1e-3


def bank_cycles(
    machine: Machine, read: int, written: int, shared: int = 0, accumulators: int = REPEAT
) -> float:
    """Core cycles below which no program reads and writes so many bytes near memory.

    Every access takes its time, every row is opened once, and writing ends each command with the
    write recovery time. ``shared`` of the bytes read are multiplied by numbers from elsewhere: a
    broadcast brings ``REPEAT`` of them, and each serves one access for each of ``accumulators``.
    """
    near = machine.near_memory
    assert near is not None, "the caller has asked for banks"
    times = near_memory_times(machine)
    banks = machine.near_memory_channels * near.units_per_channel
    whole_access, whole_row = banks * near.width_bytes, banks * near.row_bytes
    busy = (read + written) / whole_access * times["t_long"]
    busy += written / (REPEAT * whole_access) * times["t_recovery"]
    broadcasts = shared / (REPEAT * accumulators * whole_access)
    busy += broadcasts * (times["t_write"] + times["t_long"])
    if near.kind == "dram":
        rows = (read + written) / whole_row
        opened = rows * (times["t_precharge"] + times["t_activate"])
        busy += max(0.0, opened - times["t_precharge"])  # nothing is open at first
    return busy * PICOSECONDS * machine.clock_ghz
