"""The timing table: for every timing class its unit, occupancy, latency and whether it chains.

An instruction record names its class; a machine file may override any row in ``[timing.CLASS]``.
The rows here are OXM-1's own profile (ISA manual, "Scalar and vector timing"). Formulas give
whole cycles and may use:

``vl sew group``   elements, element bits, and the size of the register group: 0 for LMUL <= 1,
                   then 1, 2, 3 for LMUL 2, 4, 8
``eew nf``         bits of the widest data element; fields of a segment access
``beats``          ceil(vl * width / DLEN) for the widest vector operand: cycles of one pipe
``pipe_beats``     the same over all arithmetic pipes
``bytes``          bytes that a vector memory access moves
``width``          bits of the widest scalar float operand
``vlen dlen mlen`` of the machine (mlen in bytes); ``spm`` = scratchpad latency
``k``              bytes of one tile row that count (tk); ``R``, ``tpb``: array rows, port bytes
``tile_bytes row_bytes`` of the tile that a tile load or store moves
``repeat units``   count of a near-memory command; near-memory units of a channel
``t_mode t_write t_read t_long t_short t_recovery t_precharge t_activate``  near-memory times in ps,
                   stretched by refresh and by sharing; ``clocks(time, mhz)``: in core cycles
``threads lanes``  of SIMT mode
"""

from collections.abc import Mapping
from dataclasses import dataclass

ARITHMETIC_UNITS = ("VA", "VF")
"""Sequencers of vector arithmetic: all of it, or floats where they have their own."""
VECTOR_UNITS = (*ARITHMETIC_UNITS, "VL", "VS")
"""Sequencers of the vector unit, with those of loads and stores."""
FIRST_PIPE = "VA1"
"""The pipe for what only one of several arithmetic pipes executes."""
ELEMENT_MOVES = frozenset({"vmv_to_scalar", "vmv_from_scalar"})
"""Classes whose float instructions are moves, which the integer sequencer does."""


@dataclass(frozen=True)
class TimingClass:
    """One row: unit, formulas for occupancy and latency, and chaining at element groups."""

    unit: str
    occupancy: str
    latency: str
    chains: bool = False
    engine: str = "scalar"


def _vector(unit: str, occupancy: str, latency: str, chains: bool = True) -> TimingClass:
    return TimingClass(unit, occupancy, latency, chains, "vector")


def _tensor(unit: str, occupancy: str, latency: str) -> TimingClass:
    return TimingClass(unit, occupancy, latency, engine="tensor")


def _near(occupancy: str) -> TimingClass:
    # Commands are asynchronous: whoever needs the effect executes ox.nm.wait.
    return TimingClass("NM", occupancy, occupancy, engine="near_memory")


# Names that a formula may use, by engine; every engine may use the machine's own.
QUANTITIES: Mapping[str, frozenset[str]] = {
    "machine": frozenset({"vlen", "dlen", "mlen", "pipes", "spm", "mhz"}),
    "scalar": frozenset({"width"}),
    "dma": frozenset({"width"}),
    "simt": frozenset({"width", "threads", "lanes"}),
    "vector": frozenset({"vl", "sew", "group", "eew", "nf", "beats", "pipe_beats", "bytes"}),
    "tensor": frozenset({"R", "tpb", "k", "row_bytes", "tile_bytes"}),
    "near_memory": frozenset(
        {
            "repeat", "units", "t_mode", "t_write", "t_read", "t_long", "t_short", "t_recovery",
            "t_precharge", "t_activate",
        }
    ),
}

SCALAR: Mapping[str, TimingClass] = {
    "alu": TimingClass("ALU", "1", "1"),
    "branch": TimingClass("BRU", "1", "1"),
    "jump": TimingClass("BRU", "1", "1"),
    "mul": TimingClass("MUL", "1", "3"),
    "div": TimingClass("DIV", "20", "20"),
    "div_w": TimingClass("DIV", "20", "20"),
    "load": TimingClass("LSU", "1", "3"),
    "store": TimingClass("LSU", "1", "1"),
    "fload": TimingClass("LSU", "1", "3"),
    "fstore": TimingClass("LSU", "1", "1"),
    "amo": TimingClass("LSU", "1", "12"),
    "csr": TimingClass("ALU", "1", "1"),
    "fence": TimingClass("LSU", "1", "1"),
    "system": TimingClass("ALU", "1", "1"),
    "vset": TimingClass("ALU", "1", "1"),
    "fadd": TimingClass("FPU", "1", "by_width(width, 4, 4, 5)"),
    "fmul": TimingClass("FPU", "1", "by_width(width, 4, 4, 5)"),
    "fma": TimingClass("FPU", "1", "by_width(width, 5, 5, 6)"),
    "fdiv": TimingClass("FDIV", "by_width(width, 12, 15, 25)", "by_width(width, 12, 15, 25)"),
    "fsqrt": TimingClass("FDIV", "by_width(width, 12, 15, 25)", "by_width(width, 12, 15, 25)"),
    "fcvt": TimingClass("FPU", "1", "3"),
    "fcompare": TimingClass("FPU", "1", "3"),
    "fmove": TimingClass("FPU", "1", "3"),
}

VECTOR: Mapping[str, TimingClass] = {
    "vint": _vector("VA", "pipe_beats", "3"),
    "vmul": _vector("VA", "pipe_beats", "4"),
    "vdiv": _vector("VA", "pipe_beats * ceil_div(sew, 4)", "ceil_div(sew, 4) + 3"),
    "vfma": _vector("VA", "pipe_beats", "5"),
    "vfdiv": _vector("VA", "pipe_beats * ceil_div(sew, 4)", "ceil_div(sew, 4) + 3"),
    "vfsqrt": _vector("VA", "pipe_beats * ceil_div(sew, 4)", "ceil_div(sew, 4) + 3"),
    "vfcvt": _vector("VA", "pipe_beats", "3"),
    "vfmove": _vector("VA", "pipe_beats", "3"),
    "vfminmax": _vector("VA", "pipe_beats", "3"),
    "vcompare": _vector("VA", "pipe_beats", "pipe_beats + 3", chains=False),
    "vmask": _vector("VA", "ceil_div(vl, dlen)", "ceil_div(vl, dlen) + 2", chains=False),
    "vmask_scalar": _vector("VA", "ceil_div(vl, dlen)", "ceil_div(vl, dlen) + 5", chains=False),
    "vmask_index": _vector("VA", "beats", "beats + 3", chains=False),
    "vmv_to_scalar": _vector("VA", "1", "6", chains=False),
    "vmv_from_scalar": _vector("VA", "1", "3"),
    "vmv_whole": _vector("VA", "pipe_beats", "3"),
    "vslide": _vector("VA", "pipe_beats", "4"),
    "vgather": _vector("VA", "vl", "vl + 4", chains=False),
    "vcompress": _vector("VA", "vl", "vl + 4", chains=False),
    # The pipe stays with a reduction until the tree behind it is done.
    "vreduce": _vector(
        "VA",
        "pipe_beats + 4 * log2(max(1, dlen // sew)) + 8",
        "pipe_beats + 4 * log2(max(1, dlen // sew)) + 8",
        chains=False,
    ),
    "vfreduce": _vector(
        "VA",
        "pipe_beats + 4 * log2(max(1, dlen // sew)) + 8",
        "pipe_beats + 4 * log2(max(1, dlen // sew)) + 8",
        chains=False,
    ),
    # One addition after the other: as many times the latency of vfma as there are elements.
    "vfreduce_ordered": _vector("VA", "5 * vl", "5 * vl + 3", chains=False),
    "vload": _vector("VL", "ceil_div(bytes, mlen)", "spm"),
    "vload_mask": _vector("VL", "ceil_div(bytes, mlen)", "spm"),
    "vload_whole": _vector("VL", "ceil_div(bytes, mlen)", "spm"),
    "vload_strided": _vector("VL", "vl", "vl + spm", chains=False),
    "vload_indexed": _vector("VL", "vl", "vl + spm", chains=False),
    "vload_segment": _vector(
        "VL",
        "vl * ceil_div(nf * eew, 8 * mlen)",
        "vl * ceil_div(nf * eew, 8 * mlen) + spm",
        chains=False,
    ),
    "vstore": _vector("VS", "ceil_div(bytes, mlen)", "1", chains=False),
    "vstore_mask": _vector("VS", "ceil_div(bytes, mlen)", "1", chains=False),
    "vstore_whole": _vector("VS", "ceil_div(bytes, mlen)", "1", chains=False),
    "vstore_strided": _vector("VS", "vl", "1", chains=False),
    "vstore_indexed": _vector("VS", "vl", "1", chains=False),
    "vstore_segment": _vector("VS", "vl * ceil_div(nf * eew, 8 * mlen)", "1", chains=False),
}

TENSOR: Mapping[str, TimingClass] = {
    "tset": _tensor("ALU", "1", "1"),
    "tzero": _tensor("TEW", "1", "2"),
    "tmove": _tensor("TEW", "R", "R + 2"),
    "tload": _tensor("TLS", "ceil_div(tile_bytes, tpb)", "ceil_div(tile_bytes, tpb) + spm"),
    "tload_transpose": _tensor(
        "TLS", "2 * ceil_div(tile_bytes, tpb)", "2 * ceil_div(tile_bytes, tpb) + spm + R"
    ),
    "tload_row": _tensor("TLS", "ceil_div(row_bytes, tpb)", "ceil_div(row_bytes, tpb) + spm"),
    "tstore": _tensor("TLS", "ceil_div(tile_bytes, tpb)", "ceil_div(tile_bytes, tpb)"),
    "tmm": _tensor("TMM", "max(1, ceil_div(k, 4))", "ceil_div(k, 4) + 2 * R + 4"),
    "tmm_f32": _tensor("TMM", "max(1, 2 * ceil_div(k, 4))", "2 * ceil_div(k, 4) + 2 * R + 4"),
    "tadd": _tensor("TEW", "R", "R + 4"),
    "trelu": _tensor("TEW", "R", "R + 2"),
    "trequantize": _tensor("TEW", "R", "R + 4"),
    "tcvt": _tensor("TEW", "R", "R + 3"),
    "tile_to_vector": _tensor("TLS", "ceil_div(32 * R, dlen)", "ceil_div(32 * R, dlen) + 6"),
    "vector_to_tile": _tensor("TLS", "ceil_div(32 * R, dlen)", "ceil_div(32 * R, dlen) + 4"),
}

# The bank's row is taken to be open: opening rows is the simulator's business.
NEAR_MEMORY: Mapping[str, TimingClass] = {
    "nm_mode": _near("clocks(t_mode, mhz)"),
    "nm_wait": _near("1"),
    "nm_broadcast_vector": _near("clocks(t_write + repeat * t_long, mhz)"),
    "nm_broadcast_scalar": _near("clocks(t_write + t_long, mhz)"),
    "nm_load": _near("clocks(repeat * t_long, mhz)"),
    "nm_store": _near("clocks(repeat * t_long + t_recovery, mhz)"),
    "nm_read": _near("clocks(t_read + units * repeat * t_short, mhz)"),
    "nm_read_sum": _near("clocks(t_read + ceil_div(units * repeat * 4, 32) * t_short, mhz)"),
    "nm_zero": _near("clocks(t_long, mhz)"),
    "nm_compute": _near("clocks(repeat * t_long, mhz)"),
}

DMA: Mapping[str, TimingClass] = {
    # Issue only; how long the copy takes follows from its descriptor, see ``dma_cycles``.
    "dma_start": TimingClass("DMA", "1", "1", engine="dma"),
    "dma_wait": TimingClass("DMA", "1", "1", engine="dma"),
    "dma_fence": TimingClass("DMA", "1", "1", engine="dma"),
}

SIMT: Mapping[str, TimingClass] = {
    "simt_control": TimingClass("WARP", "1", "6", engine="simt"),
    "simt_spawn": TimingClass("WARP", "1", "8", engine="simt"),
    "simt_barrier": TimingClass("WARP", "1", "4", engine="simt"),
    "simt_vote": TimingClass("WARP", "ceil_div(threads, lanes)", "3", engine="simt"),
    "simt_shuffle": TimingClass("WARP", "ceil_div(threads, lanes)", "3", engine="simt"),
}

CLASSES: Mapping[str, TimingClass] = {
    **SCALAR,
    **VECTOR,
    **TENSOR,
    **NEAR_MEMORY,
    **DMA,
    **SIMT,
}
