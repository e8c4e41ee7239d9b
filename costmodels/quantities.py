"""The numbers that timing formulas are about: one mapping from names to whole numbers per use."""

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from oxegg.costmodels.machine import Machine, NearMemory

_MEMORY = re.compile(r"v[ls](?:s|[uo]x)?(?:seg(?P<fields>\d))?e(?P<indexed>i)?(?P<width>\d+)")
_WHOLE = re.compile(r"v(?:mv|l|s)(?P<registers>\d)r")
_DOUBLE = re.compile(r"v(?:w|fw|nsr|nclip|fncvt)")
_FLOAT = {"h": 16, "s": 32, "d": 64}


class TileShape(NamedTuple):
    """The tile shape CSRs: rows ``m``, columns ``n`` (elements) and ``k`` (bytes of a row)."""

    m: int
    n: int
    k: int


def scalar_quantities(machine: Machine, mnemonic: str) -> Mapping[str, int]:
    """What formulas of scalar, DMA and SIMT instructions may name."""
    simt = machine.simt
    return {
        **machine_quantities(machine),
        "width": _float_width(mnemonic),
        "threads": simt.threads if simt else 1,
        "lanes": machine.lanes(32),
    }


def vector_quantities(
    machine: Machine, mnemonic: str, vl: int, sew: int, lmul: Fraction
) -> Mapping[str, int]:
    """What formulas of vector instructions may name; see ``timing_classes.py``."""
    elements = vl if machine.vector.vl_aware else int(machine.vlmax(sew, float(lmul)))
    memory = _MEMORY.match(mnemonic)
    whole = _WHOLE.match(mnemonic)
    eew = int(memory["width"]) if memory and not memory["indexed"] else sew
    fields = int(memory["fields"] or 1) if memory else 1
    if whole:
        bits = int(whole["registers"]) * machine.vlen
    elif mnemonic.startswith(("vlm.", "vsm.")):
        bits = 8 * -(-elements // 8)
    else:
        bits = elements * (2 * sew if _DOUBLE.match(mnemonic) else eew)
    beats = -(-bits // machine.dlen)
    return {
        **machine_quantities(machine),
        "vl": elements,
        "sew": sew,
        "group": max(0, int(lmul).bit_length() - 1),
        "eew": eew,
        "nf": fields,
        "beats": beats,
        "pipe_beats": -(-beats // machine.pipes),
        "bytes": -(-bits // 8),
    }


def tensor_quantities(machine: Machine, mnemonic: str, tile: TileShape) -> Mapping[str, int]:
    """What formulas of tile instructions may name."""
    tensor = machine.tensor
    assert tensor is not None, "timing() refuses tile instructions without a tensor engine"
    shapes = {"a": (tile.m, tile.k), "b": (tile.n, tile.k), "c": (tile.m, 4 * tile.n)}
    letter = re.search(r"\.(?:tld|tst)\.?([abc])", mnemonic)
    rows, row_bytes = shapes[letter[1]] if letter else shapes["a"]
    return {
        **machine_quantities(machine),
        "R": tensor.rows,
        "tpb": tensor.port_bytes,
        "k": tile.k,
        "row_bytes": row_bytes,
        "tile_bytes": rows * row_bytes,
    }


def near_memory_quantities(machine: Machine, repeat: int) -> Mapping[str, int]:
    """What formulas of near-memory commands may name."""
    memory = machine.near_memory
    assert memory is not None, "timing() refuses near-memory commands without the engine"
    return {**_near_memory_times(memory), **machine_quantities(machine), "repeat": repeat}


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
def _near_memory_times(memory: NearMemory) -> Mapping[str, int]:
    nanoseconds = {
        "t_mode": memory.mode_ns,
        "t_write": memory.write_latency_ns,
        "t_read": memory.read_latency_ns,
        "t_long": memory.t_ccd_long_ns,
        "t_short": memory.t_ccd_short_ns,
        "t_recovery": memory.t_wr_ns,
    }
    stretch = 1000 * memory.refresh_stretch
    times = {name: round(time * stretch) for name, time in nanoseconds.items()}
    return {**times, "units": memory.units_per_channel}


def _float_width(mnemonic: str) -> int:
    """Bits of the widest format that a scalar float mnemonic names; 64 without any."""
    widths = [_FLOAT[part] for part in mnemonic.split(".")[1:] if part in _FLOAT]
    return max(widths, default=64)
