"""The numbers that timing formulas are about: one mapping from names to whole numbers per use."""

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from oxegg.costmodels.machine import Machine
from oxegg.isa import Instruction, Operand

WHOLE_REGISTERS = frozenset({"vload_whole", "vstore_whole", "vmv_whole"})

_TILE_OPERAND = re.compile(r"ox\.t(?:ld|st)\.?([abc])")


class TileShape(NamedTuple):
    """The tile shape CSRs: rows ``m``, columns ``n`` (elements) and ``k`` (bytes of a row)."""

    m: int
    n: int
    k: int


def scalar_quantities(machine: Machine, instruction: Instruction) -> Mapping[str, int]:
    """What formulas of scalar, DMA and SIMT instructions may name."""
    widths = [o.width for o in instruction.operands if o.kind == "f" and o.width is not None]
    return {
        **machine_quantities(machine),
        "width": max(widths, default=64),
        "threads": machine.simt.threads if machine.simt else 1,
        "lanes": machine.lanes(32),
    }


def vector_quantities(
    machine: Machine, instruction: Instruction, vl: int, sew: int, lmul: Fraction
) -> Mapping[str, int]:
    """What formulas of vector instructions may name; see ``timing_classes.py``."""
    elements = vl if machine.vector.vl_aware else machine.vlmax(sew, lmul)
    data = _data_operands(instruction)
    eew = max((operand.element_width(sew) for operand in data), default=sew)
    bits = elements * eew
    if instruction.timing in WHOLE_REGISTERS:
        bits = machine.vlen * (data[0].registers or 1)
    beats = -(-bits // machine.dlen)
    return {
        **machine_quantities(machine),
        "vl": elements,
        "sew": sew,
        "group": max(0, int(lmul).bit_length() - 1),
        "eew": eew,
        "nf": max((operand.fields for operand in data), default=1),
        "beats": beats,
        "pipe_beats": -(-beats // machine.pipes),
        "bytes": -(-bits // 8),
    }


def _data_operands(instruction: Instruction) -> list[Operand]:
    """The vector operands whose width sets the pace.

    Of a memory access that's the data, not the index; elsewhere the full groups, so neither mask
    results nor the single elements of a reduction, unless there is nothing else.
    """
    vectors = [operand for operand in instruction.operands if operand.kind == "v"]
    if instruction.memory is not None:
        return vectors[:1]
    return [operand for operand in vectors if operand.registers is None] or vectors


def tensor_quantities(
    machine: Machine, instruction: Instruction, tile: TileShape
) -> Mapping[str, int]:
    """What formulas of tile instructions may name."""
    tensor = machine.tensor
    assert tensor is not None, "timing() refuses tile instructions without a tensor engine"
    shapes = {"a": (tile.m, tile.k), "b": (tile.n, tile.k), "c": (tile.m, 4 * tile.n)}
    letter = _TILE_OPERAND.match(instruction.name)
    rows, row_bytes = shapes[letter[1]] if letter else shapes["a"]
    return {
        **machine_quantities(machine),
        "R": tensor.rows,
        "tpb": tensor.port_bytes,
        "k": tile.k,
        "row_bytes": row_bytes,
        "tile_bytes": rows * row_bytes,
    }


def near_memory_quantities(machine: Machine, repeat: int, subcycles: int = 1) -> Mapping[str, int]:
    """What formulas of near-memory commands may name; ``clocks`` then gives ``subcycles``."""
    own = machine_quantities(machine)
    return {
        **own,
        **near_memory_times(machine),
        "repeat": repeat,
        "mhz": own["mhz"] * subcycles,
    }


@lru_cache(maxsize=64)
def machine_quantities(machine: Machine) -> Mapping[str, int]:
    """The machine's own numbers."""
    return {
        "vlen": machine.vlen,
        "dlen": machine.dlen,
        "mlen": machine.mlen_bytes,
        "pipes": machine.pipes,
        "spm": machine.spm_latency,
        "mhz": round(1000 * machine.clock_ghz),
    }


@lru_cache(maxsize=64)
def near_memory_times(machine: Machine) -> Mapping[str, int]:
    """Times of the memory in ps, stretched by refresh and by the cores that share it; its units.

    Entering and leaving the mode is each core's own affair and isn't shared.
    """
    memory = machine.near_memory
    assert memory is not None, "timing() refuses near-memory commands without the engine"
    nanoseconds = {
        "t_write": memory.write_latency_ns,
        "t_read": memory.read_latency_ns,
        "t_long": memory.t_ccd_long_ns,
        "t_short": memory.t_ccd_short_ns,
        "t_recovery": memory.t_wr_ns,
        "t_precharge": memory.t_rtp_ns + memory.t_rp_ns,
        "t_activate": memory.t_rcd_ns,
    }
    stretch = 1000 * memory.refresh_stretch * max(1.0, machine.cores / memory.channels)
    times = {name: round(time * stretch) for name, time in nanoseconds.items()}
    mode = round(1000 * memory.mode_ns * memory.refresh_stretch)
    return {**times, "t_mode": mode, "units": memory.units_per_channel}
